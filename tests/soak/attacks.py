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
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.config import build
from pipeline.config.compose import check, compose, shipped_gates
from pipeline.gates.evidence import age_sessions
from pipeline.gates.gates import Gates
from pipeline.gates.identity import MIN_AGREEMENT, agreement, witness_rows, witnesses
from pipeline.gates.looks import Look, earlier_looks, total
from pipeline.gates.verdict import evaluate, verdict
from pipeline.schemas import ROW, TARGET
from pipeline.trading.rules import Rules
from tests.soak import gate_worlds
from tests.soak.gate_worlds import BEFORE, Prices, measured

SESSIONS, SYMBOLS, TRIES = 252, 60, 500
DAYS = pd.bdate_range("2010-01-04", periods=SESSIONS)
TWO_YEARS = pd.bdate_range("2010-01-04", periods=2 * SESSIONS)
SMALL = 1e-5
"""Forecasts of noise, so small that their squared error is that of zero."""

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


@cache
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


def stale_refit(random: np.random.Generator) -> Chosen:
    """A fit that ended a year ago, on the evidence of a skilled recipe."""
    metrics = _one("edge_3")(random).now
    ready = pd.bdate_range("2020-01-01", periods=600)
    age = age_sessions(ready, ready[-1 - SESSIONS])
    return Chosen(metrics, {**metrics, "version/age_sessions": float(age)})


def other_data(random: np.random.Generator, *, of_version: bool = False) -> Chosen:
    """A skilled recipe's evidence for the same recipe on a panel of the same names.

    Parameters
    ----------
    of_version
        The panel is the same, and the version learned from another.
    """
    metrics = _one("edge_3")(random).now
    seen, other = (_cells(gate_worlds.noise(random, BEFORE + SESSIONS, SYMBOLS)) for _ in range(2))
    agreeing = agreement(witnesses(seen.loc[witness_rows(seen.index)]), other)
    if of_version:
        return Chosen(metrics, {**metrics, "version/data_agreement": agreeing})
    own = {**metrics, "backtest/sessions": 21.0}  # what its own run has
    return Chosen(metrics, metrics if agreeing >= MIN_AGREEMENT else own)


def _cells(seen: Prices) -> pd.DataFrame:
    """Bars and labels by (session, symbol), as the store gives them."""
    count, symbols = seen.close.shape
    days = pd.bdate_range("2010-01-04", periods=count).as_unit("us")
    names = [f"S{n:04d}" for n in range(symbols)]
    opened, closed = seen.open.ravel(), seen.close.ravel()
    return pd.DataFrame(
        {"open": opened, "high": np.maximum(opened, closed), "low": np.minimum(opened, closed),
         TARGET: closed / opened - 1.0},
        pd.MultiIndex.from_product([days, names], names=ROW),
    )  # fmt: skip


class Try(NamedTuple):
    """A forecast of the last sessions, how it is traded, and the look that it was."""

    predicted: np.ndarray
    rules: Rules
    look: Look


def many_recipes(random: np.random.Generator, share: float = 1.0) -> Chosen:
    """Many forecasts of noise, of which only the best is left in sight.

    Their runs were aborted or deleted, belong to another name of the universe or to another
    tracking store, or came after the evidence: in all of these only the store remembers them.

    Parameters
    ----------
    share
        Part of the sessions that the others are seen on.
    """
    seen = gate_worlds.noise(random, BEFORE + SESSIONS, SYMBOLS)
    last = DAYS[round(share * SESSIONS) - 1]
    tries = [
        Try(SMALL * random.normal(size=(SESSIONS, SYMBOLS)), _rules(), _look(str(n), last=last))
        for n in range(TRIES)
    ]
    return _best(seen, tries, seen_before=False)


def many_strategies(random: np.random.Generator) -> Chosen:
    """One forecast of noise, traded by many rules."""
    seen = gate_worlds.noise(random, BEFORE + SESSIONS, SYMBOLS)
    predicted = SMALL * random.normal(size=(SESSIONS, SYMBOLS))
    tries = [
        Try(predicted, _rules(f"backtest.max_positions={n + 1}"), _look("one", strategy=str(n)))
        for n in range(SYMBOLS // 2)
    ]
    return _best(seen, tries, seen_before=False)


def best_start(random: np.random.Generator) -> Chosen:
    """One forecast of noise over two years, judged from the best first session on."""
    seen = gate_worlds.noise(random, BEFORE + 2 * SESSIONS, SYMBOLS)
    predicted = SMALL * random.normal(size=(2 * SESSIONS, SYMBOLS))
    tries = [
        Try(predicted[first:], _rules(), _look(str(first), first=first, days=TWO_YEARS))
        for first in range(0, 2 * SESSIONS - 60, 10)
    ]
    return _best(seen, tries, seen_before=True, days=TWO_YEARS)


def _best(
    seen: Prices, tries: list[Try], *, seen_before: bool, days: pd.DatetimeIndex = DAYS
) -> Chosen:
    """The try that beats the universe best, with the looks counted before and now.

    Parameters
    ----------
    seen_before
        Whether the earlier release counted the others: those on at least half of the sessions.
    """
    best = tries[int(np.argmax([_beyond(seen, each) for each in tries]))]
    sessions = days[len(days) - len(best.predicted) :]
    known = [each.look for each in tries]
    halves = sum(look.share(sessions) >= 0.5 for look in known)  # the best itself is among them
    looks = (
        float(halves) if seen_before else 1.0,
        total(earlier_looks(known, best.look, sessions)),
    )
    mean = best.predicted * 0.0
    before, now = (measured(seen, best.predicted, mean, best.rules, count) for count in looks)
    return Chosen(before, now)


def _beyond(seen: Prices, each: Try) -> float:
    """t of the return of its forecasts above zero over the universe's, without costs."""
    count = len(each.predicted)
    moves = (seen.close / seen.open - 1.0)[-count:]
    places = np.argsort(-each.predicted, axis=1)[:, : each.rules.max_positions]
    net = np.take_along_axis(moves, places, axis=1).mean(axis=1) - moves.mean(axis=1)
    return float(net.mean() / net.std() * np.sqrt(count))


def _look(
    name: str, *, first: int = 0, last: pd.Timestamp | None = None, strategy: str = "s",
    days: pd.DatetimeIndex = DAYS,
) -> Look:  # fmt: skip
    return Look(run_id=f"{name} {strategy}", forecast=name, strategy=strategy, recipe=name,
                opening=name, first=days[first], last=days[-1] if last is None else last,
                witnesses=())  # fmt: skip


ATTACKS: Mapping[str, Callable[[np.random.Generator], Chosen]] = {
    "noise": _one("noise"),
    "rising market": _one("drift"),
    "hindsight universe, long": _one("hindsight"),
    "hindsight universe, long and short": _one("hindsight_both", "strategy.sides=long_short"),
    "bid-ask bounce": _one("bounce"),
    "opens that copy a bouncing close": _one("stale"),
    "best of recipes: aborted, deleted, renamed, seen later": many_recipes,
    "the same, seen on less than half of the sessions": lambda random: many_recipes(random, 0.49),
    "strategy search on one forecast": many_strategies,
    "best evaluation.start": best_start,
    "stale refit": stale_refit,
    "evidence of other data": other_data,
    "version of other data": lambda random: other_data(random, of_version=True),
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
