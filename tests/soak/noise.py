"""Random walks through the whole system: nothing may be promoted.

`python -m tests.soak.noise` prints what became of 20 seeds; any Hydra overrides may follow, such
as `strategy.commission_bps=0 strategy.slippage_bps=0`, which lets noise trade for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from tests.soak import panels, seeds

SEEDS = range(20)
OVERRIDES = ("evaluation=walk_forward",)


def world(seed: int) -> pd.DataFrame:
    """Bars without anything to find; a quarter of the variance is the whole market's."""
    return panels.bars(seed, symbols=120, sessions=260, common=0.25)


def outcomes(chosen: Iterable[int] = SEEDS, overrides: Iterable[str] = ()) -> list[seeds.Outcome]:
    """What became of every seed."""
    return seeds.outcomes(world, chosen, (*OVERRIDES, *overrides))


def distribution(found: list[seeds.Outcome]) -> str:
    """Deflated Sharpe ratios in order; of noise that trades they spread evenly over 0 to 1."""
    deflated = [outcome.metrics.get("backtest/deflated_sharpe", np.nan) for outcome in found]
    known = np.sort([value for value in deflated if np.isfinite(value)])
    quartiles = np.quantile(known, [0.25, 0.5, 0.75]).round(3) if len(known) else "none"
    return (
        f"deflated Sharpe: {known.round(3).tolist()}, quartiles {quartiles}, "
        f"{len(deflated) - len(known)} without trades"
    )


if __name__ == "__main__":
    result = seeds.asked(__doc__, outcomes, SEEDS)
    print(seeds.table(result))
    print(distribution(result))
