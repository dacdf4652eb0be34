"""How soon a dead edge is stopped, and how often a living one: worlds of daily rank IC and returns.

    python -m tests.soak.life [WORLDS]

The evidence and every evening go through the code that `score` uses; only forecasts and bars are
left out. A world is three years of sessions after the evidence it was promoted on. Rank IC has fat
tails and a little memory; net returns follow it with noise of their own, at a Sharpe of 33 times
the IC (1.0 at 0.03).
"""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd

from pipeline.config.compose import check, compose
from pipeline.monitor.evidence import Promise
from pipeline.monitor.health import Thresholds, detection, is_stopped

EVENINGS, DEATH, WITHIN = 756, 378, 250
DEVIATION, MEMORY, FREEDOM = 0.1, 0.05, 5
DAILY_RISK = 0.01


def main(worlds: int = 100) -> None:
    """Print a row for each IC and length of the evidence."""
    print(table(worlds).round(2).to_string(index=False))


def table(worlds: int) -> pd.DataFrame:
    """A row for each IC and length of the evidence."""
    thresholds = check(compose([])).monitor
    rows = []
    for evidence in (250, 750):
        for ic in (0.02, 0.03, 0.04, 0.05):
            random = np.random.default_rng([evidence, round(1000 * ic)])
            rows.append(_row(ic, evidence, worlds, thresholds, random))
    return pd.DataFrame(rows)


def _row(
    ic: float, evidence: int, worlds: int, thresholds: Thresholds, random: np.random.Generator
) -> dict[str, float]:
    living, dying, stopped_before = [], [], 0
    for _ in range(worlds):
        promises = {name: _promise(v) for name, v in world(ic, evidence, None, random).items()}
        living.append(stop(world(ic, EVENINGS, None, random), promises, thresholds))
        at = stop(world(ic, EVENINGS, DEATH, random), promises, thresholds)
        if at < DEATH:
            stopped_before += 1
        else:
            dying.append(at - DEATH + 1)
    times = np.array(dying)
    found = times[times <= EVENINGS - DEATH]
    return {
        "ic": ic,
        "evidence": evidence,
        "stopped_within_250": float((times <= WITHIN).mean()),
        "median_sessions": float(np.median(times)),
        "slowest_tenth": float(np.quantile(times, 0.9)),
        "never": 1.0 - len(found) / len(times),
        "falsely_stopped_a_year": float((np.array(living) < EVENINGS).mean()) / 3.0,
        "before_death": stopped_before / worlds,
    }


def world(
    ic: float, sessions: int, death: int | None, random: np.random.Generator
) -> dict[str, np.ndarray]:
    """Rank IC and net returns by session; from `death` on there is no edge left."""
    noise = random.standard_t(FREEDOM, sessions) / np.sqrt(FREEDOM / (FREEDOM - 2))
    for place in range(1, sessions):
        noise[place] = MEMORY * noise[place - 1] + np.sqrt(1 - MEMORY**2) * noise[place]
    level = np.where(np.arange(sessions) < (sessions if death is None else death), ic, 0.0)
    own = random.standard_t(FREEDOM, sessions) / np.sqrt(FREEDOM / (FREEDOM - 2))
    daily_sharpe = 33.0 * level / np.sqrt(252.0)
    returns = DAILY_RISK * (daily_sharpe + 0.5 * noise + np.sqrt(0.75) * own)
    return {"rank_ic": level + DEVIATION * noise, "net_return": returns}


def stop(seen: dict[str, np.ndarray], promises: dict[str, Promise], thresholds: Thresholds) -> int:
    """Number of the session after which the model is stopped; all of them: never."""
    stopped = np.zeros(len(seen["rank_ic"]), dtype=bool)
    for name, values in seen.items():
        found = detection(values, promises[name], thresholds)
        stopped |= is_stopped(found, thresholds.stop_wealth(name), thresholds.false_life)
    return int(np.argmax(stopped)) if stopped.any() else len(stopped) * 2


def _promise(values: np.ndarray) -> Promise:
    return Promise(float(values.mean()), float(values.std(ddof=1)), len(values))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
