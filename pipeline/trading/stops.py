"""Orders that wait at a price: the limit of the open, the stop and the target.

Their levels are known before the open; whether they were reached is read from a daily bar, where it
is unknown what came first. Wherever that matters the worse case is taken.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.trading.estimates import Values
from pipeline.trading.ranking import Mask
from pipeline.trading.rules import BPS

CLOSE, STOP, TARGET = "close", "stop", "target"
EXITS = np.array([CLOSE, STOP, TARGET])
"""How a position ends, by the number that ``exits`` gives."""


class Exits(NamedTuple):
    """Price at which each position ends, and the number of its kind in ``EXITS``."""

    price: Values
    kind: npt.NDArray[np.int64]


def level(reference: Values, side: Values, distance: Values | float) -> Values:
    """A price this far in the trade's favour of the previous close; against it where negative."""
    return reference + side * distance


def limit_price(reference: Values, side: Values, limit_bps: float) -> Values:
    """The worst open at which a position is entered: the highest to buy, the lowest to sell."""
    return reference * (1.0 + side * limit_bps * BPS)


def within_limit(side: Values, opened: Values, limit: Values) -> Mask:
    """Whether the open is no worse than the limit; without a limit (NaN) it always is."""
    return ~(side * (opened - limit) > 0.0)


def exits(
    side: Values,
    opened: Values,
    high: Values,
    low: Values,
    close: Values,
    stop: Values,
    target: Values,
) -> Exits:
    """Where and how each position ends.

    The first that holds:

    1. the open is at the stop or beyond it: at the open;
    2. the open is at the target or beyond it: at the open;
    3. the session reached the stop: at the stop, whether it reached the target or not;
    4. the session reached the target: at the target;
    5. at the close.

    Parameters
    ----------
    side
        1 long, -1 short.
    stop, target
        Levels, NaN where there is none. All arrays have the same shape.
    """
    worst, best = np.where(side > 0.0, low, high), np.where(side > 0.0, high, low)
    at_or_beyond = (
        side * (opened - stop) <= 0.0,
        side * (opened - target) >= 0.0,
        side * (worst - stop) <= 0.0,
        side * (best - target) >= 0.0,
    )
    price = np.select(at_or_beyond, (opened, opened, stop, target), close)
    return Exits(price, np.select(at_or_beyond, (1, 2, 1, 2), 0))
