"""Predictions to positions: every rule of ``ranking`` over all sessions and symbols at once.

Everything uses only what is known at decision time of session t: predictions, prices, liquidity and
regime up to the close of t-1.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.schemas import Regime
from pipeline.trading import costs, ranking
from pipeline.trading.estimates import Values
from pipeline.trading.market import Market
from pipeline.trading.ranking import Mask, Places, Selection
from pipeline.trading.rules import Rules
from pipeline.trading.slots import HEDGE

Key = tuple[tuple[str, object], ...]

SIZING_RULES = frozenset({
    "max_position_fraction", "whole_shares", "hedge", "hedge_symbol", "hedge_bps", "limit_bps",
    "commission_minimum", "max_gross",
})  # fmt: skip
"""Rules that size, hedge, fill or charge positions which are taken already.

All others, and so a rule that is added later, decide which positions are taken.
"""

ADMISSION_RULES = frozenset({
    "min_edge_bps", "min_dollar_volume", "max_positions", "max_sector_positions",
    "regime_positions", "weights", "max_participation", "stop_atr", "target_atr", "impact",
})  # fmt: skip
"""Rules that decide which and how many of the ranked are taken, but not how they rank."""


class Forecasts:
    """Predictions and the market they are traded on, symbols in order of their names.

    What several sets of rules share (an estimate, a ranking, a selection) is worked out once.

    Parameters
    ----------
    predictions
        Predicted open-to-close return, sessions x symbols; NaN = no snapshot.
    market
        On the same sessions and symbols.

    Raises
    ------
    InvalidData
        A prediction is infinite, a session lacks its regime, or the frames do not match.
    """

    def __init__(self, predictions: pd.DataFrame, market: Market) -> None:
        _check(predictions, market)
        self.market = market
        self.sessions = pd.DatetimeIndex(predictions.index)
        self._axes = predictions
        by_name = np.argsort(predictions.columns.to_numpy(dtype="str"), kind="stable")
        self.symbols = predictions.columns[by_name]
        self._order = None if (np.diff(by_name) == 1).all() else by_name
        self.predictions = self.values(predictions)
        self._known: dict[str, Values] = {}
        self._rankings: dict[object, tuple[Values, Places]] = {}
        self._selections: dict[object, Selection] = {}

    def values(self, frame: pd.DataFrame) -> Values:
        """A frame as an array, symbols in order of their names."""
        array = frame.to_numpy(np.float64)
        return array if self._order is None else array[:, self._order]

    def known(self, name: str) -> Values:
        """An estimate that is known before the open."""
        if name not in self._known:
            frame = self.market.require(name)
            require_same_axes(self._axes, **{name: frame})
            self._known[name] = self.values(frame)
        return self._known[name]

    def reference(self) -> Values:
        """The price orders are sized on."""
        if self.market.indication is None:
            return self.known("previous_close")
        require_same_axes(self._axes, indicated=self.market.reference)
        return self.values(self.market.reference)

    @cached_property
    def worse(self) -> dict[float, Values]:
        """Forecasts at opens that are worse than indicated, by basis points."""
        indication = self.market.indication
        return (
            {}
            if indication is None
            else {bps: self.values(f) for bps, f in indication.worse.items()}
        )

    def hurdle(self, side: float, rules: Rules) -> Values | float:
        """What the edge of a side has to exceed."""
        return ranking.hurdle(self._round_trip(side, rules), rules)

    def names(self, row: Places, column: Places) -> npt.NDArray[np.object_]:
        """Symbols by the numbers of session and column; the hedge by what it trades then."""
        names = self.symbols.to_numpy(dtype=object)[np.maximum(column, 0)]
        if self.market.hedge is None:
            return names
        return np.where(column == HEDGE, self.market.hedge["symbol"].to_numpy(object)[row], names)

    def selection(self, rules: Rules) -> Selection:
        """The positions taken in each session, best first.

        Raises
        ------
        InvalidData
            A cap on sectors, or a rule on what the market does not know.
        """
        key = selection_key(rules)
        if key not in self._selections:
            sides = [self._side(side, rules) for side in rules.signs]
            self._selections[key] = ranking.merged(sides)
        return self._selections[key]

    def _side(self, side: float, rules: Rules) -> tuple[float, Places, Places, Values]:
        """Positions of one side: their rows, columns and scores."""
        score, best_first = self._ranking(side, rules)
        taken = np.take_along_axis(self.candidates(side, rules), best_first, axis=1)
        if rules.max_sector_positions is not None:
            sectors = self._sectors()[best_first]
            taken = ranking.within_sector_cap(taken, sectors, rules.max_sector_positions)
        slots = ranking.slots(self.market.regimes.loc[self.sessions], rules)
        row, place = np.nonzero(ranking.filled_slots(taken, ranking.slots_a_side(slots, rules)))
        column = best_first[row, place]
        return side, row, column, score[row, column]

    def _ranking(self, side: float, rules: Rules) -> tuple[Values, Places]:
        key = side, ranking_key(rules)
        if key not in self._rankings:
            by_risk = rules.rank_by == "edge_over_volatility"
            score = ranking.scores(
                side * self.predictions,
                self._round_trip(side, rules),
                self.known("volatility") if by_risk else None,
                rules,
            )
            self._rankings[key] = score, ranking.best_first(score)
        return self._rankings[key]

    def candidates(self, side: float, rules: Rules) -> Mask:
        """True where a position may be taken: edge above the hurdle, liquid, everything known."""
        allowed = side * self.predictions > self.hurdle(side, rules)
        if self.market.indication is not None:
            allowed &= self.reference() > 0.0
        for followed in self.worse.values():
            allowed &= ~np.isnan(followed)
        if rules.min_dollar_volume > 0.0:
            allowed &= ranking.is_liquid(self.known("mean_dollar_volume"), rules)
        if rules.needs_volatility:
            allowed &= self.known("volatility") > 0.0
        if rules.needs_liquidity:
            allowed &= self.known("mean_dollar_volume") > 0.0
        if rules.spread_fraction > 0.0:
            allowed &= ~np.isnan(self.known("spread"))
        if rules.has_exits:
            allowed &= self.known("average_true_range") > 0.0
        return allowed

    def _round_trip(self, side: float, rules: Rules) -> Values | float:
        spread = self.known("spread") if rules.spread_fraction > 0.0 else None
        return costs.round_trip_before_size(side, self.reference(), spread, rules)

    def _sectors(self) -> Places:
        """Number of each symbol's sector; the unknown ones are one more."""
        codes, names = pd.factorize(self.market.sectors.reindex(self.symbols), sort=True)
        if names.empty:
            found = "a cap on sectors, and no symbol whose sector is known"
            raise InvalidData("strategy", found, "sectors, or strategy.max_sector_positions=null")
        return np.where(codes < 0, len(names), codes)


def selection_key(rules: Rules) -> Key:
    """What decides which positions are taken: all rules but those that size or charge them."""
    return _key(rules, without=SIZING_RULES)


def ranking_key(rules: Rules) -> Key:
    """What decides how forecasts rank; costs do where the best are measured after costs alone."""
    if rules.rank_by != "net_edge":
        return (("rank_by", rules.rank_by),)
    return _key(rules, without=SIZING_RULES | ADMISSION_RULES)


def _key(rules: Rules, without: frozenset[str]) -> Key:
    return tuple(
        (name, tuple(sorted(value.items())) if isinstance(value, Mapping) else value)
        for name, value in vars(rules).items()
        if name not in without
    )


def _check(predictions: pd.DataFrame, market: Market) -> None:
    prices = {name: getattr(market, name) for name in ("open", "high", "low", "close", "volume")}
    require_same_axes(predictions, **prices)
    infinite = int(np.isinf(predictions.to_numpy()).sum())
    if infinite:
        raise InvalidData("strategy", f"{infinite} infinite predictions", "finite ones, or NaN")
    regimes = market.regimes
    missing = predictions.index.difference(regimes.index[regimes.isin(list(Regime))])
    if len(missing):
        found = f"no regime for {len(missing)} sessions, the first {missing[0]:%Y-%m-%d}"
        raise InvalidData("strategy", found, "one per session (UNKNOWN is one)")


def require_same_axes(predictions: pd.DataFrame, **others: pd.DataFrame) -> None:
    """Raise InvalidData unless every frame has the sessions and symbols of the predictions.

    Raises
    ------
    InvalidData
        Naming the first frame that has not.
    """
    for name, frame in others.items():
        if not (
            frame.index.equals(predictions.index) and frame.columns.equals(predictions.columns)
        ):
            raise InvalidData(
                "strategy",
                f"{name} is on other sessions or symbols than the predictions",
                "frames with the same index and columns",
            )
