"""Ways around the gates, and what was promoted by them before and now.

`python -m tests.soak.attacks --seeds 20` prints a row an attack. "Before" are the strict gates of
the release before evidence belonged to data, with the looks it would have counted; "now" those of
``conf/gates/strict.yaml``. Forecasts and prices are made up as in `gate_worlds`; what stops an
attack that needs no statistics (other data, runs that are gone) is tested in tests/gates and
tests/io/tracking and only counted here.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.config import build
from pipeline.config.compose import check, compose, shipped_gates
from pipeline.gates.gates import Gates
from pipeline.gates.looks import Look, earlier_looks, total
from pipeline.gates.verdict import evaluate, verdict
from pipeline.trading.rules import Rules
from tests.soak import gate_worlds
from tests.soak.gate_worlds import BEFORE, Prices, measured

SESSIONS, SYMBOLS, TRIES = 252, 60, 10
FREE = (
    "strategy.min_edge_bps=0",
    "strategy.commission_bps=0",
    "strategy.open_bps=0.5",
    "strategy.close_bps=0.5",
)


def _gate(metric: str, operator: str, threshold: float) -> dict[str, Any]:
    rest = {"when_unknown": "refuse", "required": True}
    return {"metric": metric, "operator": operator, "threshold": threshold, **rest}


OLD_GATES = Gates.model_validate(
    {
        "min_sessions": 60,
        "evidence_max_age_sessions": 63,
        "beats_zero": _gate("test/r2", ">", 0.0),
        "beats_train_mean": _gate("test/r2_vs_train_mean", ">", 0.0),
        "not_worse_than_ridge": _gate("test/ridge_pvalue", ">", 0.05),
        "deflated_sharpe": _gate("backtest/deflated_sharpe", ">", 0.95),
        "sharpe_lower_bound": _gate("backtest/sharpe_ci_low", ">", 0.0),
    }
)


class Chosen(NamedTuple):
    """What an attacker hands in: its metrics with the looks counted before and now."""

    before: Mapping[str, float]
    now: Mapping[str, float]


def _rules(*overrides: str) -> Rules:
    return build.rules(check(compose([*FREE, *overrides])))


def _one(kind: str, *overrides: str) -> Callable[[np.random.Generator], Chosen]:
    """A fit on one world, looked at once."""

    def attack(random: np.random.Generator) -> Chosen:
        seen = gate_worlds.WORLDS[kind](random, BEFORE + SESSIONS, SYMBOLS)
        predicted, mean = gate_worlds.forecasts(seen, kind in gate_worlds.LEVEL)
        metrics = measured(seen, predicted, mean, _rules(*overrides), 1.0)
        return Chosen(metrics, metrics)

    return attack


def _with(kind: str, **changes: float) -> Callable[[np.random.Generator], Chosen]:
    """Evidence of a skilled recipe, handed in for a version it does not belong to."""

    def attack(random: np.random.Generator) -> Chosen:
        metrics = _one(kind)(random).now
        return Chosen(metrics, {**metrics, **changes})

    return attack


def _noise_forecasts(random: np.random.Generator, count: int) -> np.ndarray:
    """So small that their squared error is that of zero."""
    return 1e-5 * random.normal(size=(count, SESSIONS, SYMBOLS))


def _best(seen: Prices, tries: list[tuple[np.ndarray, Rules]], before: float, now: float) -> Chosen:
    """The try with the highest residual Sharpe ratio, with the looks counted before and now."""
    measures = [
        measured(seen, predicted, predicted * 0.0 + 1e-3, rules, 1.0, gates=None)
        for predicted, rules in tries
    ]
    place = int(np.argmax([m["backtest/residual_sharpe"] for m in measures]))
    predicted, rules = tries[place]
    mean = predicted * 0.0 + 1e-3
    return Chosen(
        measured(seen, predicted, mean, rules, before), measured(seen, predicted, mean, rules, now)
    )


def many_recipes(random: np.random.Generator, share: float = 1.0) -> Chosen:
    """Many forecasts of noise, of which only the best is left in sight: aborted, renamed, deleted.

    Parameters
    ----------
    share
        Part of the sessions that the others are seen on.
    """
    seen = gate_worlds.noise(random, BEFORE + SESSIONS, SYMBOLS)
    tries = [(predicted, _rules()) for predicted in _noise_forecasts(random, TRIES)]
    days = pd.bdate_range("2010-01-04", periods=SESSIONS)
    last = days[round(share * SESSIONS) - 1]
    looks = [_look(str(n), days[0], last) for n in range(TRIES - 1)]
    return _best(seen, tries, 1.0, total(earlier_looks(looks, _look("own", days[0], last), days)))


def many_strategies(random: np.random.Generator) -> Chosen:
    """One forecast of noise, traded by many rules."""
    seen = gate_worlds.noise(random, BEFORE + SESSIONS, SYMBOLS)
    (predicted,) = _noise_forecasts(random, 1)
    tries = [(predicted, _rules(f"backtest.max_positions={n + 1}")) for n in range(TRIES)]
    return _best(seen, tries, 1.0, float(TRIES))


def _look(name: str, first: pd.Timestamp, last: pd.Timestamp) -> Look:
    return Look(run_id=name, forecast=name, strategy="s", recipe=name, opening=name,
                first=first, last=last, witnesses=())  # fmt: skip


ATTACKS: Mapping[str, Callable[[np.random.Generator], Chosen]] = {
    "noise": _one("noise"),
    "rising market": _one("drift"),
    "hindsight universe, long": _one("hindsight"),
    "hindsight universe, long and short": _one("hindsight_both", "strategy.sides=long_short"),
    "bid-ask bounce": _one("bounce"),
    "opens that copy a bouncing close": _one("stale"),
    "aborted recipes, renamed universe, deleted runs": many_recipes,
    "recipes seen on less than half of the sessions": lambda random: many_recipes(random, 0.49),
    "strategy search on one forecast": many_strategies,
    "stale refit": _with("edge_3", **{"version/age_sessions": 252.0}),
    "evidence of other data": _with("edge_3", **{"backtest/sessions": 21.0}),
    "version of other data": _with("edge_3", **{"version/data_agreement": 0.0}),
}


def _promoted(metrics: Mapping[str, float], gates: Gates) -> bool:
    return verdict(evaluate(metrics, gates)) == "accepted"


def table(seeds: int) -> pd.DataFrame:
    """How many of the seeds each attack got promoted, before and now."""
    gates = shipped_gates("strict")
    assert gates is not None
    rows = []
    for place, (name, attack) in enumerate(ATTACKS.items()):
        chosen = [attack(np.random.default_rng([seed, place])) for seed in range(seeds)]
        before = sum(_promoted(each.before, OLD_GATES) for each in chosen)
        now = sum(_promoted(each.now, gates) for each in chosen)
        rows.append({"attack": name, "seeds": seeds, "before": before, "now": now})
        print(rows[-1], flush=True)
    easy = Gates.model_validate({"name": "strict", "min_sessions": 1,
                                 "evidence_max_age_sessions": 63})  # fmt: skip
    named = bool(easy.overridden(gates))
    rows.append(
        {"attack": "overridden gates, no reason", "seeds": 1, "before": 1, "now": 1 - named}
    )
    return pd.DataFrame(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    print(table(parser.parse_args().seeds).to_string(index=False))
