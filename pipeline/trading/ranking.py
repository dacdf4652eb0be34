"""Which positions to take in each session: hurdles, ranks, slots and the sector cap.

Arrays are sessions x symbols, symbols in the order of their names. Everything is known before the
open.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.schemas import Regime
from pipeline.trading.estimates import Values
from pipeline.trading.rules import Rules

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.intp]


class Selection(NamedTuple):
    """The positions of all sessions, sorted by session and rank.

    Attributes
    ----------
    row, column
        Numbers of session and symbol.
    side
        1 long, -1 short.
    place
        Rank in the session, from 0.
    """

    row: Places
    column: Places
    side: Values
    place: Places


def hurdle(round_trip: Values | float, rules: Rules) -> Values | float:
    """The return an edge must exceed: the fixed one, or the symbol's own round-trip cost.

    Costs that depend on an order's size are held against its edge when it is sized.
    """
    return round_trip if rules.min_edge_bps is None else rules.min_edge


def is_liquid(mean_dollar_volume: Values, rules: Rules) -> Mask:
    """Whether enough is traded; an unknown liquidity counts as none."""
    return (mean_dollar_volume >= rules.min_dollar_volume) | (rules.min_dollar_volume <= 0.0)


def scores(
    edge: Values, round_trip: Values | float, volatility: Values | None, rules: Rules
) -> Values:
    """What the best are ranked by, higher is better."""
    if rules.rank_by == "net_edge":
        return edge - round_trip
    if rules.rank_by == "edge_over_volatility":
        assert volatility is not None
        return np.divide(edge, volatility, out=np.full_like(edge, np.nan), where=volatility > 0.0)
    return edge


def best_first(ranked_by: Values) -> Places:
    """Columns of each session, highest score first; equal scores by column, unknown ones last."""
    return np.argsort(-ranked_by, axis=1, kind="stable")


def slots(regimes: pd.Series, rules: Rules) -> npt.NDArray[np.int64]:
    """Positions allowed in each session: ``max_positions``, capped by the regime."""
    caps = {regime: rules.regime_positions.get(regime, rules.max_positions) for regime in Regime}
    allowed = regimes.map(caps).to_numpy(np.int64)
    return np.minimum(allowed, rules.max_positions)


def slots_a_side(allowed: npt.NDArray[np.int64], rules: Rules) -> npt.NDArray[np.int64]:
    """Slots of one side: all of them, or half of them rounded down."""
    return allowed // 2 if rules.is_long_short else allowed


def within_sector_cap(taken: Mask, sectors: Places, max_members: int) -> Mask:
    """Those of the taken, best first, that are among the ``max_members`` best of their sector.

    Parameters
    ----------
    taken, sectors
        Sessions x places, in rank order: candidates, and the number of each one's sector.
    """
    within = np.zeros_like(taken)
    for sector in range(int(sectors.max(initial=-1)) + 1):
        members = taken & (sectors == sector)
        within |= members & (members.cumsum(axis=1, dtype=np.int32) <= max_members)
    return within


def filled_slots(taken: Mask, allowed: npt.NDArray[np.int64]) -> Mask:
    """Those of the taken, best first, that find a slot."""
    return taken & (taken.cumsum(axis=1, dtype=np.int32) <= allowed[:, None])


def merged(sides: list[tuple[float, Places, Places, Values]]) -> Selection:
    """Both sides in one ranking: by score, equal ones by symbol.

    Parameters
    ----------
    sides
        Side, rows, columns and scores of each, sorted by row and rank.
    """
    row, column, score = (np.concatenate([part[k] for part in sides]) for k in (1, 2, 3))
    side = np.concatenate([np.full(len(part[1]), part[0]) for part in sides])
    if len(sides) > 1:
        ordered = np.lexsort((column, -score, row))
        row, column, side = row[ordered], column[ordered], side[ordered]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    return Selection(row, column, side, place)
