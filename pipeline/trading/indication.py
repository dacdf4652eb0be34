"""Indicated opens as the strategy sees them: what orders are sized on, and where their limits lie.

A forecast falls as the symbol's own open rises against the others'. It is worked out at the
indicated price, and at prices that are some basis points worse for the trade; between two of them
it is taken to be a straight line. The limit of an order is the price at which the forecast no
longer exceeds the hurdle.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from pipeline.trading.estimates import Values
from pipeline.trading.rules import BPS

WORSE_BPS = (5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0)
"""How much worse than indicated, in basis points, the opens are that a forecast is made for."""


@dataclass(frozen=True, eq=False)
class Indication:
    """Indicated opens and the forecasts around them; frames are sessions x symbols.

    Attributes
    ----------
    price
        Currency per share, known minutes before the auction; NaN: none, so no order.
    worse
        By ``WORSE_BPS``: the forecast if the open were that much worse for the side the forecast
        is for (higher where it is above 0). NaN: not followed, so no order. Empty: nothing is
        known of other prices, and orders have no limit.
    """

    price: pd.DataFrame
    worse: Mapping[float, pd.DataFrame]

    def at(self, sessions: pd.DatetimeIndex) -> Indication:
        """Some of the sessions."""
        worse = {bps: frame.loc[sessions] for bps, frame in self.worse.items()}
        return Indication(self.price.loc[sessions], worse)


def hurdle_limit(
    side: Values, indicated: Values, edges: Mapping[float, Values], hurdle: Values | float
) -> Values:
    """The worst open at which the edge still reaches the hurdle; arrays of one shape.

    Parameters
    ----------
    indicated
        Currency per share.
    edges
        Expected return of the side taken by how much worse the open is, 0 bp the first.

    Returns
    -------
    Values
        The highest price to buy at, the lowest to sell short at; the last of ``WORSE_BPS`` away
        where the edge reaches the hurdle even there.

    Examples
    --------
    >>> sold, bought = np.array([-1.0]), np.array([1.0])
    >>> edges = {0.0: np.array([0.003]), 10.0: np.array([0.001])}
    >>> hurdle_limit(bought, np.array([100.0]), edges, 0.002).round(4)
    array([100.05])
    >>> hurdle_limit(sold, np.array([100.0]), edges, 0.002).round(4)
    array([99.95])
    """
    at = sorted(edges)
    reach, met = np.zeros(side.shape), np.full(side.shape, True)
    for near, far in pairwise(at):
        here, there = edges[near], edges[far]
        fall = here - there
        part = np.divide(here - hurdle, fall, out=np.ones_like(fall), where=fall > 0.0)
        reach = np.where(met, near + np.clip(part, 0.0, 1.0) * (far - near), reach)
        met = met & (there > hurdle)
    return np.asarray(indicated * (1.0 + side * reach * BPS))
