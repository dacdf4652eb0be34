"""Orders of a session from predictions and rules: one code for signals and backtest alike.

``planned`` puts together what is known of every slot before the open, for all sessions at once;
``sizing.sized`` turns that and an equity into shares; ``orders`` lists them for one session, which
is all that signals need, while ``backtest`` fills them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.trading import costs, hedging, sizing, stops
from pipeline.trading.estimates import Values
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.indication import hurdle_limit
from pipeline.trading.ranking import Selection
from pipeline.trading.rules import BPS, Rules
from pipeline.trading.slots import EMPTY, Costs, Orders, is_listed, mapped

LONG, SHORT = "long", "short"
ORDER_COLUMNS = (
    "rank",
    "symbol",
    "side",
    "prediction",
    "weight",
    "shares",
    "reference_price",
    "notional",
    "limit",
    "stop",
    "target",
    "edge_bps",
    "cost_bps",
)


class Shape(NamedTuple):
    """What plans that are traded together have in common: their slots, and which rules they ask."""

    width: int
    has_hedge: bool
    has_whole: bool
    has_size_costs: bool
    has_limit: bool
    has_exits: bool
    has_reserve: bool


def common_shape(forecasts: Forecasts, several: Sequence[Rules]) -> Shape:
    """The shape that holds the plans of all these rules."""
    return Shape(
        width=max(int(forecasts.selection(r).place.max(initial=0)) + 1 for r in several),
        has_hedge=any(r.is_hedged for r in several),
        has_whole=any(r.whole_shares for r in several),
        has_size_costs=any(r.has_size_costs for r in several),
        has_limit=bool(forecasts.worse) or any(r.limit_bps is not None for r in several),
        has_exits=any(r.has_exits for r in several),
        has_reserve=any(r.max_gross is not None for r in several),
    )


def planned(forecasts: Forecasts, rules: Rules, shape: Shape | None = None) -> Orders:
    """What is known of each slot before the open, sessions x slots, best position first.

    Parameters
    ----------
    forecasts
        Predictions and market.
    rules
        Of the strategy.
    shape
        By default just wide enough for these rules.
    """
    return _Plan(forecasts, rules, shape or common_shape(forecasts, [rules])).orders()


class _Plan:
    """The slots of one strategy: values of the chosen symbols, put in their places."""

    def __init__(self, forecasts: Forecasts, rules: Rules, shape: Shape) -> None:
        self.forecasts, self.rules, self.shape = forecasts, rules, shape
        self.chosen: Selection = forecasts.selection(rules)
        self.side: Values = self._placed(self.chosen.side, empty=0.0)
        self.is_taken = self.side != 0.0

    def orders(self) -> Orders:
        rules, shape = self.rules, self.shape
        reference = self._of(self.forecasts.reference())
        prediction = self._of(self.forecasts.predictions)
        stocks = Orders(
            column=self._placed(self.chosen.column, empty=EMPTY),
            side=self.side,
            prediction=prediction,
            weight=self._weights(prediction),
            reference=reference,
            max_shares=sizing.max_shares(reference, self._liquidity(), rules),
            costs=self._costs(),
            is_whole=self._filled(rules.whole_shares) if shape.has_whole else None,
            edge=self._edge(prediction) if shape.has_size_costs else None,
            beta=self._beta() if shape.has_hedge else None,
            limit=self._limit(reference, prediction) if shape.has_limit else None,
            stop=self._level(reference, rules.stop_atr, -1.0) if shape.has_exits else None,
            target=self._level(reference, rules.target_atr, 1.0) if shape.has_exits else None,
            gross=self._filled(rules.max_gross or np.inf) if shape.has_reserve else None,
        )
        return (
            hedging.with_hedge(stocks, self._hedge_reference(), rules)
            if shape.has_hedge
            else stocks
        )

    def _placed(self, values: Any, empty: float = np.nan) -> Any:
        """Values of the chosen, put in their slots."""
        shape = (len(self.forecasts.sessions), self.shape.width)
        slots = np.full(shape, empty, values.dtype)
        slots[self.chosen.row, self.chosen.place] = values
        return slots

    def _of(self, values: Values) -> Values:
        return self._placed(values[self.chosen.row, self.chosen.column])

    def _known(self, name: str) -> Values:
        return self._of(self.forecasts.known(name))

    def _filled(self, value: float | bool) -> Any:
        """One value for every slot, without its memory."""
        return np.broadcast_to(np.asarray(value), self.side.shape)

    def _liquidity(self) -> Values | None:
        return self._known("mean_dollar_volume") if self.rules.needs_liquidity else None

    def _weights(self, prediction: Values) -> Values:
        volatility = self._known("volatility") if self.rules.weights == "volatility" else None
        edge = self.side * prediction
        return sizing.weights(self.side, edge, volatility, self.rules)

    def _edge(self, prediction: Values) -> Values:
        return self.side * prediction if self.rules.has_size_costs else self._filled(np.inf)

    def _beta(self) -> Values:
        if not self.rules.is_hedged:
            return self._filled(0.0)
        beta = self._known("beta") if self.rules.hedge == "beta" else self._filled(1.0)
        return np.where(self.is_taken, beta, 0.0)

    def _limit(self, reference: Values, prediction: Values) -> Values:
        limit = self._filled(np.nan)
        if self.rules.limit_bps is not None:
            limit = stops.limit_price(reference, self.side, self.rules.limit_bps)
        if not self.forecasts.worse:
            return limit
        edges = {bps: self.side * self._of(far) for bps, far in self.forecasts.worse.items()}
        met = hurdle_limit(
            self.side, reference, {0.0: self.side * prediction, **edges}, self._hurdle()
        )
        return np.where(self.side > 0.0, np.fmin(limit, met), np.fmax(limit, met))

    def _hurdle(self) -> Values:
        """Of the side that each slot takes."""
        hurdle: Values = np.zeros(self.side.shape)
        for side in self.rules.signs:
            one = np.broadcast_to(
                self.forecasts.hurdle(side, self.rules), self.forecasts.predictions.shape
            )
            hurdle = np.where(self.side == side, self._of(one), hurdle)
        return hurdle

    def _level(self, reference: Values, ranges: float | None, direction: float) -> Values:
        if ranges is None:
            return self._filled(np.nan)
        return stops.level(
            reference, self.side, direction * ranges * self._known("average_true_range")
        )

    def _costs(self) -> Costs:
        rules = self.rules
        slippages = [self._filled(leg * BPS) for leg in (rules.open_bps, rules.close_bps)]
        if rules.spread_fraction > 0.0:
            part = rules.spread_fraction * self._known("spread")
            slippages = [slippage + part for slippage in slippages]
        impact = self._filled(0.0)
        if rules.impact > 0.0:
            impact = costs.impact_rate(
                self._known("volatility"), self._known("mean_dollar_volume"), rules
            )
        return Costs(
            commission=self._filled(rules.commission_bps * BPS),
            per_share=self._filled(rules.commission_per_share),
            minimum=self._filled(rules.commission_minimum),
            maximum=self._filled(rules.commission_maximum or np.nan),
            slippage_in=slippages[0],
            slippage_out=slippages[1],
            impact=impact,
            borrow=np.where(self.side < 0.0, rules.borrow_fee, 0.0),
        )

    def _hedge_reference(self) -> Values:
        if not self.rules.is_hedged:
            return np.full(len(self.forecasts.sessions), np.nan)
        hedge = self.forecasts.market.hedge
        if hedge is None:
            raise InvalidData("strategy", "a market without a hedge", "one made for these rules")
        return hedge["reference"].to_numpy(np.float64)


def orders(forecasts: Forecasts, rules: Rules, equity: float) -> pd.DataFrame:
    """Orders of one session, best position first, the hedge last.

    Sized on the previous close, or on the indicated open where the market has one.

    Known at decision time. A position whose price is unknown, or that is too small for one whole
    share or for its cost, is listed with 0 shares, so that nothing is left out silently.

    Parameters
    ----------
    forecasts
        Of that session alone.
    rules
        Of the strategy.
    equity
        Currency available before the open.

    Returns
    -------
    pd.DataFrame
        One row per order with the columns ``ORDER_COLUMNS``: shares positive whatever the side;
        ``notional`` is shares times ``reference_price``, the previous close or the indicated open;
        ``edge_bps`` is the return expected of the side taken (NaN for the hedge) and ``cost_bps``
        the round trip at this size.
    """
    slots = planned(forecasts, rules)
    ordered = sizing.sized(slots, np.array([[equity]]))
    is_order = is_listed(slots, ordered)
    chosen, shares = mapped(lambda values: values[is_order], slots), ordered[is_order]
    nothing = np.full(len(shares), np.nan)
    return pd.DataFrame(
        {
            "rank": np.arange(1, len(shares) + 1),
            "symbol": forecasts.names(np.zeros(len(shares), np.intp), chosen.column),
            "side": np.where(chosen.side > 0.0, LONG, SHORT),
            "prediction": chosen.prediction,
            "weight": chosen.weight,
            "shares": shares,
            "reference_price": chosen.reference,
            "notional": np.nan_to_num(shares * chosen.reference),
            "limit": nothing if chosen.limit is None else chosen.limit,
            "stop": nothing if chosen.stop is None else chosen.stop,
            "target": nothing if chosen.target is None else chosen.target,
            "edge_bps": chosen.side * chosen.prediction / BPS,
            "cost_bps": costs.expected_round_trip(shares, chosen.reference, chosen.costs) / BPS,
        }
    )[list(ORDER_COLUMNS)].astype({"symbol": "str", "side": "str"})
