"""What to trade, how much of it, and what a trade costs: the strategy's settings as one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator
from pydantic_core import to_jsonable_python

from pipeline.schemas import Regime
from pipeline.values import Bps, Count, Fraction, NotNegative, Positive, Value

BPS = 1e-4
DAYS_OF_A_BORROW_YEAR = 360
"""Fees for borrowed shares are quoted a year of 360 days, as brokers count them."""

LONG_SHORT: Literal["long_short"] = "long_short"
ONE_SLIPPAGE = "slippage_bps"
"""Name of the slippage of earlier releases, the same at both legs."""


class Rules(Value):
    """The rules of a strategy that buys (or sells short) at the open and is flat at the close.

    A *side* of a cost is one of the two fills of a trade. ``None`` switches a rule off where
    nothing else is stated.

    Parameters
    ----------
    sides
        ``long``; or ``long_short``: half of the slots, rounded down, for each side.
    rank_by
        The best come first by ``edge`` (the return predicted for the side taken), by ``net_edge``
        (edge less the round-trip cost), or by ``edge_over_volatility``.
    min_edge_bps
        The edge must exceed this, in basis points; None means the round-trip cost of that symbol.
        Below 0 the best are taken whatever their sign.
    min_dollar_volume
        Minimum 20-session mean of close x volume, in currency; 0 switches the rule off.
    max_positions
        Slots: maximum of positions held in one session, the hedge not counted.
    max_sector_positions
        Maximum of positions of one sector on one side; symbols of unknown sector count as one more.
    regime_positions
        Maximum of positions by regime name; a regime that is absent allows ``max_positions``.
    weights
        ``equal``; in proportion to ``edge``; or in inverse proportion to ``volatility``.
    max_position_fraction
        The largest part of equity in one position, in (0, 1].
    max_participation
        The largest part of the mean dollar volume that one order may ask for, in (0, 1].
    max_gross
        The largest part of equity that all orders of a session may come to, if every one of them
        is filled at its limit (without a limit: at the price it is sized on), in (0, 1].
    whole_shares
        Round shares down to whole ones; the hedge is always fractional.
    hedge
        Leg against the market: ``dollar`` as much as the positions hold net; ``beta`` as much as
        their betas times what they hold; or ``none``.
    hedge_symbol
        The index that the hedge trades where its open is real; None, or elsewhere, the
        equal-weight universe as a proxy.
    hedge_bps
        All costs of the hedge per side but the borrow fee, in basis points.
    limit_bps
        Limit on the open: no fill where it lies further than this beyond the previous close,
        against the trade, in basis points.
    stop_atr, target_atr
        Distance of stop and target from the previous close, in average true ranges.
    commission_bps
        Cost per side on the traded notional, in basis points.
    open_bps, close_bps
        Slippage of the entry at the open, and of the way out, on their notionals, in basis points;
        ``slippage_bps``, as earlier releases had it, stands for both.
    commission_per_share, commission_minimum
        Further commission a share, and the minimum commission of an order, both per side, in
        currency.
    commission_maximum
        Maximum commission of an order as a part of its notional, per side, in (0, 1]; it goes
        before the minimum.
    spread_fraction
        Part of the estimated bid-ask spread that each side costs, in [0, 1]; 0.5 is half of it.
    impact
        Coefficient of the square-root impact per side; 0 switches it off.
    borrow_bps_a_year
        Fee on the notional sold short, in basis points a year of 360 days; one day a session.

    Raises
    ------
    pydantic.ValidationError
        Naming every value that is out of bounds, and every rule that two of them break.
    """

    sides: Literal["long", "long_short"]
    rank_by: Literal["edge", "net_edge", "edge_over_volatility"]
    min_edge_bps: float | None
    min_dollar_volume: NotNegative
    max_positions: Count
    max_sector_positions: Count | None
    regime_positions: Mapping[str, Annotated[int, Field(ge=0)]]
    weights: Literal["equal", "edge", "volatility"]
    max_position_fraction: Fraction
    max_participation: Fraction | None
    max_gross: Fraction | None
    whole_shares: bool
    hedge: Literal["none", "dollar", "beta"]
    hedge_symbol: str | None
    hedge_bps: Bps
    limit_bps: Annotated[float, Field(gt=-10_000)] | None
    stop_atr: Positive | None
    target_atr: Positive | None
    commission_bps: Bps
    commission_per_share: NotNegative
    commission_minimum: NotNegative
    commission_maximum: Fraction | None
    open_bps: Bps
    close_bps: Bps
    spread_fraction: Annotated[float, Field(ge=0, le=1)]
    impact: NotNegative
    borrow_bps_a_year: NotNegative

    @model_validator(mode="before")
    @classmethod
    def _one_slippage_is_that_of_both_legs(cls, given: object) -> object:
        if not isinstance(given, Mapping) or ONE_SLIPPAGE not in given:
            return given
        others = {name: value for name, value in given.items() if name != ONE_SLIPPAGE}
        return {**others, "open_bps": given[ONE_SLIPPAGE], "close_bps": given[ONE_SLIPPAGE]}

    @field_validator("regime_positions")
    @classmethod
    def _regimes_are_known(cls, positions: Mapping[str, int]) -> Mapping[str, int]:
        unknown = [repr(name) for name in positions if name not in Regime.__members__]
        if unknown:
            named = f"regime_positions names {', '.join(unknown)}"
            raise ValueError(f"{named}, not one of {', '.join(Regime)}")
        return positions

    @model_validator(mode="after")
    def _both_sides_can_trade(self) -> Self:
        faults = []
        if self.is_long_short and self.max_positions < len(self.signs):
            faults.append("sides=long_short needs max_positions of 2 or more")
        if self.is_long_short and (self.min_edge_bps or 0.0) < 0.0:
            # Below 0 a symbol could be bought and sold short in the same session.
            faults.append("sides=long_short needs min_edge_bps of 0 or more, or null")
        if faults:
            raise ValueError("; ".join(faults))
        return self

    @property
    def content(self) -> dict[str, Any]:
        """The rules as plain values, by which recipes and looks are distinguished.

        What no rule of an earlier release said is left out, so that its evidence stays: legs that
        cost alike are one ``slippage_bps``, and without a ``max_gross`` there is none.
        """
        plain = to_jsonable_python(self)
        if plain["max_gross"] is None:
            del plain["max_gross"]
        if plain["open_bps"] == plain["close_bps"]:
            plain[ONE_SLIPPAGE] = plain.pop("open_bps")
            del plain["close_bps"]
        return {str(name): value for name, value in plain.items()}

    @property
    def round_trip_bps(self) -> float:
        """The part of buying and selling again that costs every symbol alike, in basis points."""
        return (self.commission_bps + self.open_bps) + (self.commission_bps + self.close_bps)

    @property
    def min_edge(self) -> float:
        """The return a prediction must exceed, where costs of single symbols add nothing."""
        return (self.round_trip_bps if self.min_edge_bps is None else self.min_edge_bps) * BPS

    @property
    def borrow_fee(self) -> float:
        """Fee of one session on the notional sold short, as a fraction."""
        return self.borrow_bps_a_year * BPS / DAYS_OF_A_BORROW_YEAR

    @property
    def is_long_short(self) -> bool:
        """Whether positions are sold short too."""
        return self.sides == LONG_SHORT

    @property
    def signs(self) -> tuple[float, ...]:
        """The sides of ``sides`` as numbers: 1 long, -1 short."""
        return (1.0, -1.0) if self.is_long_short else (1.0,)

    @property
    def is_hedged(self) -> bool:
        """Whether there is a leg against the market."""
        return self.hedge != "none"

    @property
    def has_exits(self) -> bool:
        """Whether a position may end before the close."""
        return self.stop_atr is not None or self.target_atr is not None

    @property
    def has_size_costs(self) -> bool:
        """Whether the size of an order decides if it is worth its cost."""
        return self.charges_by_size and self.min_edge_bps is None

    @property
    def depend_on_bankroll(self) -> bool:
        """Whether more money buys more than the same parts of it."""
        return self.whole_shares or self.charges_by_size or self.needs_liquidity

    @property
    def charges_by_size(self) -> bool:
        """Whether a large order costs another part of its value than a small one."""
        return self.commission_minimum > 0.0 or self.impact > 0.0

    @property
    def needs_liquidity(self) -> bool:
        """Whether a rule cannot do without the dollar volume."""
        return self.impact > 0.0 or self.max_participation is not None

    @property
    def needs_volatility(self) -> bool:
        """Whether a rule asks for volatility."""
        ranked = self.rank_by == "edge_over_volatility"
        return ranked or self.weights == "volatility" or self.impact > 0.0
