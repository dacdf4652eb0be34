"""What to trade, how much of it, and what a trade costs: the strategy's settings as one value."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipeline.errors import InvalidSettings
from pipeline.schemas import Regime

BPS = 1e-4
DAYS_OF_A_BORROW_YEAR = 360
"""Fees for borrowed shares are quoted a year of 360 days, as brokers count them."""

LONG_SHORT = "long_short"
CHOICES = {
    "sides": ("long", LONG_SHORT),
    "rank_by": ("edge", "net_edge", "edge_over_volatility"),
    "weights": ("equal", "edge", "volatility"),
    "hedge": ("none", "dollar", "beta"),
}


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The rules of a strategy that buys (or sells short) at the open and is flat at the close.

    A *side* of a cost is one of the two fills of a trade. ``None`` switches a rule off where
    nothing else is said.

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
        The least 20-session mean of close x volume, in currency; 0 switches the rule off.
    max_positions
        Slots: the most positions held in one session, the hedge not counted.
    max_sector_positions
        The most positions of one sector on one side; symbols of unknown sector count as one more.
    regime_positions
        The most positions by regime name; a regime that is absent allows ``max_positions``.
    weights
        ``equal``; in proportion to ``edge``; or in inverse proportion to ``volatility``.
    max_position_fraction
        The largest part of equity in one position, in (0, 1].
    max_participation
        The largest part of the mean dollar volume that one order may ask for, in (0, 1].
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
    commission_bps, slippage_bps
        Cost per side on the traded notional, in basis points.
    commission_per_share, commission_minimum
        Further commission a share, and the least commission of an order, both per side, in
        currency.
    commission_maximum
        The most commission of an order as a part of its notional, per side, in (0, 1]; it goes
        before the minimum.
    spread_fraction
        Part of the estimated bid-ask spread that each side costs, in [0, 1]; 0.5 is half of it.
    impact
        Coefficient of the square-root impact per side; 0 switches it off.
    borrow_bps_a_year
        Fee on the notional sold short, in basis points a year of 360 days; one day a session.

    Raises
    ------
    InvalidSettings
        Naming every value that is out of bounds.
    """

    sides: str
    rank_by: str
    min_edge_bps: float | None
    min_dollar_volume: float
    max_positions: int
    max_sector_positions: int | None
    regime_positions: Mapping[str, int]
    weights: str
    max_position_fraction: float
    max_participation: float | None
    whole_shares: bool
    hedge: str
    hedge_symbol: str | None
    hedge_bps: float
    limit_bps: float | None
    stop_atr: float | None
    target_atr: float | None
    commission_bps: float
    commission_per_share: float
    commission_minimum: float
    commission_maximum: float | None
    slippage_bps: float
    spread_fraction: float
    impact: float
    borrow_bps_a_year: float

    def __post_init__(self) -> None:
        faults = [*_choice_faults(self), *_bound_faults(self), *_regime_faults(self)]
        if faults:
            raise InvalidSettings("strategy", "; ".join(faults), "rules within these bounds")

    @property
    def side_cost(self) -> float:
        """Commission and slippage in basis points of one side, as a fraction of its notional."""
        return (self.commission_bps + self.slippage_bps) * BPS

    @property
    def round_trip_bps(self) -> float:
        """The part of buying and selling again that costs every symbol alike, in basis points."""
        return 2.0 * (self.commission_bps + self.slippage_bps)

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
        by_size = self.commission_minimum > 0.0 or self.impact > 0.0
        return by_size and self.min_edge_bps is None

    @property
    def needs_liquidity(self) -> bool:
        """Whether a rule cannot do without the dollar volume."""
        return self.impact > 0.0 or self.max_participation is not None

    @property
    def needs_volatility(self) -> bool:
        """Whether a rule asks for volatility."""
        ranked = self.rank_by == "edge_over_volatility"
        return ranked or self.weights == "volatility" or self.impact > 0.0


def _choice_faults(rules: Rules) -> Iterator[str]:
    for name, allowed in CHOICES.items():
        if getattr(rules, name) not in allowed:
            yield f"{name} must be one of {', '.join(allowed)}"


def _bound_faults(rules: Rules) -> Iterator[str]:
    not_negative = (
        "min_dollar_volume", "commission_bps", "commission_per_share", "commission_minimum",
        "slippage_bps", "impact", "borrow_bps_a_year", "hedge_bps",
    )  # fmt: skip
    for name in not_negative:
        if not getattr(rules, name) >= 0.0:
            yield f"{name} must not be negative"
    for name in ("stop_atr", "target_atr"):
        if (distance := getattr(rules, name)) is not None and not distance > 0.0:
            yield f"{name} must be above 0, or null"
    bounds = {
        "max_positions must be at least 1": rules.max_positions >= 1,
        "max_positions must be at least 2 for long_short": not rules.is_long_short
        or rules.max_positions >= 2,
        "min_edge_bps must not be negative for long_short": not rules.is_long_short
        or (rules.min_edge_bps or 0.0) >= 0.0,
        "max_sector_positions must be at least 1, or null": rules.max_sector_positions is None
        or rules.max_sector_positions >= 1,
        "max_position_fraction must be in (0, 1]": 0.0 < rules.max_position_fraction <= 1.0,
        "max_participation must be in (0, 1], or null": rules.max_participation is None
        or 0.0 < rules.max_participation <= 1.0,
        "commission_maximum must be in (0, 1], or null": rules.commission_maximum is None
        or 0.0 < rules.commission_maximum <= 1.0,
        "limit_bps must be above -10000, or null": rules.limit_bps is None
        or rules.limit_bps * BPS > -1.0,
        "spread_fraction must be in [0, 1]": 0.0 <= rules.spread_fraction <= 1.0,
        "costs per side must stay below 10000 bps": rules.side_cost < 1.0,
    }
    yield from (message for message, holds in bounds.items() if not holds)


def _regime_faults(rules: Rules) -> Iterator[str]:
    for regime, positions in rules.regime_positions.items():
        if regime not in Regime.__members__:
            yield f"regime_positions names {regime!r}, not one of {', '.join(Regime)}"
        elif positions < 0:
            yield f"regime_positions.{regime} must not be negative"
