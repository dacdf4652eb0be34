"""Volumes counted in lots: found where the file has the money that was traded as well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

ENOUGH = 5
"""Bars that say what a volume is counted in."""

SHARE, ROUNDED = 0.9, 0.005
"""Of the bars, whose mean price lies between low and high, but for so large a part of it."""

LOTS = ((100.0, 1.0), (1000.0, 1.0), (1e6, 1.0), (100.0, 1e3))
"""Shares that a volume may count as one, and what the turnover beside it is counted in.

A turnover that is a hundredth of volume times price is none of them: pounds beside prices in pence.
"""

CUSTOMARY = frozenset(("XSHG", "XSHE", "XTAI", "XHKG", "XIDX", "XKLS", "XBKK", "XSES", "XPHS"))
"""Calendars of exchanges whose data count lots; elsewhere the turnover may be in other money."""


def shares_per_unit(bars: Mapping[str, np.ndarray], turnover: np.ndarray) -> float:
    """How many shares one unit of the volume is; 1 where the turnover proves nothing else.

    Parameters
    ----------
    bars
        high, low and volume, one value a bar; NaN where there is none.
    turnover
        The money traded in the same bars: turnover over volume is the mean price of a share.

    Examples
    --------
    >>> bars = {"high": np.full(5, 11.0), "low": np.full(5, 9.0), "volume": np.full(5, 7.0)}
    >>> [shares_per_unit(bars, np.full(5, 7.0 * 10 * size)) for size in (1, 100, 0.1)]
    [1.0, 100.0, 100.0]
    """
    high, low, volume = (bars[name] for name in ("high", "low", "volume"))
    traded = np.isfinite(high) & np.isfinite(low) & (volume > 0) & (turnover > 0)
    if traded.sum() < ENOUGH:
        return 1.0
    paid = turnover[traded] / volume[traded]
    lowest, highest = low[traded] * (1 - ROUNDED), high[traded] * (1 + ROUNDED)

    def fits(factor: float) -> bool:
        return bool(((factor * paid >= lowest) & (factor * paid <= highest)).mean() >= SHARE)

    return next((size for size, money in LOTS if fits(money / size)), 1.0)
