"""A planted edge through the whole system: it must be found and promoted.

`python -m tests.soak.planted` prints what became of 10 seeds. The open-to-close return of t is
-0.25 times the gap of t-1 plus noise, so an order by the truth has a correlation of 0.0025 over
0.0202 = 0.124 with it, which is an R² of 1.5 %.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from tests.soak import panels, seeds

SEEDS = range(10)
OVERRIDES = (
    "evaluation=walk_forward", "strategy.commission_bps=1", "strategy.open_bps=4",
    "strategy.close_bps=4",
)  # fmt: skip


def world(seed: int) -> pd.DataFrame:
    """Bars with the edge, every symbol by itself."""
    return panels.bars(seed, symbols=120, sessions=420, reversal=-0.25)


def outcomes(chosen: Iterable[int] = SEEDS, overrides: Iterable[str] = ()) -> list[seeds.Outcome]:
    """What became of every seed."""
    return seeds.outcomes(world, chosen, (*OVERRIDES, *overrides))


if __name__ == "__main__":
    print(seeds.table(seeds.asked(__doc__, outcomes, SEEDS)))
