"""Which shares to buy at the next open: one set of rules for signals and backtest alike.

Every rule is one small function. ``target_weights`` chains them over all sessions at once,
``proposals`` lists what they hold, and ``shares`` sizes it; ``orders`` is the two for one session,
which is all that signals need. Everything uses only what is known at decision
time of session ``t``: predictions, liquidity and prices up to the close of ``t-1``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import InvalidData, InvalidSettings
from pipeline.schemas import SESSION, Regime

ORDER_COLUMNS = (
    "rank",
    "symbol",
    "side",
    "prediction",
    "weight",
    "shares",
    "reference_price",
    "notional",
)
LONG = "long"
BPS = 1e-4


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What to trade, how much of it, and what a trade costs.

    Parameters
    ----------
    max_positions
        Slots: the most positions held in one session.
    max_position_fraction
        The largest part of equity in one position, in (0, 1].
    min_edge_bps
        A prediction must exceed this return, in basis points; None means the round-trip cost.
    min_dollar_volume
        The least 20-session mean of close x volume, in currency; 0 switches the rule off.
    commission_bps, slippage_bps
        Cost per side on the traded notional, in basis points.
    whole_shares
        Round shares down to whole ones.
    regime_positions
        The most positions by regime name; a regime that is absent allows ``max_positions``.

    Raises
    ------
    InvalidSettings
        Naming every value that is out of bounds.
    """

    max_positions: int
    max_position_fraction: float
    min_edge_bps: float | None
    min_dollar_volume: float
    commission_bps: float
    slippage_bps: float
    whole_shares: bool
    regime_positions: Mapping[str, int]

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            raise InvalidSettings("strategy", "; ".join(faults), "rules within these bounds")

    @property
    def side_cost(self) -> float:
        """Commission and slippage of one side, as a fraction of its notional."""
        return (self.commission_bps + self.slippage_bps) * BPS

    @property
    def round_trip_bps(self) -> float:
        """Cost of buying and selling again, in basis points."""
        return 2.0 * (self.commission_bps + self.slippage_bps)

    @property
    def min_edge(self) -> float:
        """The return a prediction must exceed."""
        return (self.round_trip_bps if self.min_edge_bps is None else self.min_edge_bps) * BPS


def _faults(rules: Rules) -> list[str]:
    bounds = {
        "max_positions must be at least 1": rules.max_positions >= 1,
        "max_position_fraction must be in (0, 1]": 0.0 < rules.max_position_fraction <= 1.0,
        "min_dollar_volume must not be negative": rules.min_dollar_volume >= 0.0,
        "commission_bps must not be negative": rules.commission_bps >= 0.0,
        "slippage_bps must not be negative": rules.slippage_bps >= 0.0,
        "costs per side must stay below 10000 bps": rules.side_cost < 1.0,
    }
    faults = [message for message, holds in bounds.items() if not holds]
    for regime, positions in rules.regime_positions.items():
        if regime not in Regime.__members__:
            faults.append(f"regime_positions names {regime!r}, not one of {', '.join(Regime)}")
        elif positions < 0:
            faults.append(f"regime_positions.{regime} must not be negative")
    return faults


def candidates(
    predictions: pd.DataFrame, dollar_volume: pd.DataFrame, rules: Rules
) -> pd.DataFrame:
    """True where a symbol may be bought: prediction above the edge, and liquid enough.

    An unknown liquidity counts as none.
    """
    liquid = dollar_volume.fillna(0.0) >= rules.min_dollar_volume
    return (predictions > rules.min_edge) & liquid


def slots(regimes: pd.Series, rules: Rules) -> pd.Series:
    """Positions allowed in each session: ``max_positions``, capped by the regime."""
    caps = {regime: rules.regime_positions.get(regime, rules.max_positions) for regime in Regime}
    return regimes.map(caps).clip(upper=rules.max_positions).astype("int64")


def ranks(predictions: pd.DataFrame, allowed: pd.DataFrame) -> pd.DataFrame:
    """Rank of each allowed symbol in its session, 1 = highest prediction; NaN where not allowed.

    Equal predictions are ranked by symbol name, so the order of columns has no influence.
    """
    by_name = predictions.where(allowed).sort_index(axis=1)
    best_first = np.argsort(-by_name.to_numpy(), axis=1, kind="stable")  # NaN comes last
    places = np.empty(best_first.shape)
    np.put_along_axis(places, best_first, np.arange(1.0, best_first.shape[1] + 1), axis=1)
    ranked = pd.DataFrame(places, by_name.index, by_name.columns)
    return ranked.reindex(columns=predictions.columns).where(allowed)


def position_weight(rules: Rules) -> float:
    """Part of equity in each position: an equal share of all slots, at most the cap.

    Slots are ``max_positions`` whatever the regime: empty slots stay cash, so a regime that
    allows fewer positions lowers the exposure instead of concentrating it.
    """
    return min(1.0 / rules.max_positions, rules.max_position_fraction)


def target_weights(
    predictions: pd.DataFrame, dollar_volume: pd.DataFrame, regimes: pd.Series, rules: Rules
) -> pd.DataFrame:
    """Part of equity to hold in each symbol from the open to the close of each session.

    Known at decision time of each session.

    Parameters
    ----------
    predictions
        Predicted open-to-close return, sessions x symbols; NaN = no snapshot.
    dollar_volume
        20-session mean of close x volume up to ``t-1``, same shape.
    regimes
        Regime known at the open, by session.
    rules
        Of the strategy.

    Returns
    -------
    pd.DataFrame
        Weights, sessions x symbols, 0 where nothing is held; each row sums to at most 1.

    Raises
    ------
    InvalidData
        A prediction is infinite, a session lacks its regime, or the frames do not match.
    """
    _check(predictions, dollar_volume, regimes)
    ranked = ranks(predictions, candidates(predictions, dollar_volume, rules))
    held = ranked.le(slots(regimes.loc[predictions.index], rules), axis=0)
    return held * position_weight(rules)


def _check(predictions: pd.DataFrame, dollar_volume: pd.DataFrame, regimes: pd.Series) -> None:
    require_same_axes(predictions, dollar_volume=dollar_volume)
    infinite = int(np.isinf(predictions.to_numpy()).sum())
    if infinite:
        raise InvalidData("strategy", f"{infinite} infinite predictions", "finite ones, or NaN")
    missing = predictions.index.difference(regimes.index[regimes.isin(list(Regime))])
    if len(missing):
        found = f"no regime for {len(missing)} sessions, the first {missing[0]:%Y-%m-%d}"
        raise InvalidData("strategy", found, "one per session (UNKNOWN is one)")


def require_same_axes(predictions: pd.DataFrame, **others: pd.DataFrame) -> None:
    """Raise InvalidData unless every frame has the sessions and symbols of the predictions."""
    for name, frame in others.items():
        if not (
            frame.index.equals(predictions.index) and frame.columns.equals(predictions.columns)
        ):
            raise InvalidData(
                "strategy",
                f"{name} is on other sessions or symbols than the predictions",
                "frames with the same index and columns",
            )


def proposals(
    weights: pd.DataFrame, predictions: pd.DataFrame, previous_close: pd.DataFrame
) -> pd.DataFrame:
    """What to buy in each session, best prediction first, before any equity is known.

    Known at decision time of each session.

    Parameters
    ----------
    weights
        Result of ``target_weights``, sessions x symbols.
    predictions, previous_close
        Same shape: predicted return; close of ``t-1`` in currency per share.

    Returns
    -------
    pd.DataFrame
        Long, one row per position, sorted by session and rank: session, rank, symbol, side,
        prediction, weight, reference_price (the previous close).
    """
    by_name = weights.sort_index(axis=1)
    forecasts = predictions.reindex(columns=by_name.columns).to_numpy()
    prices = previous_close.reindex(columns=by_name.columns).to_numpy()
    row, column = np.nonzero(by_name.to_numpy() > 0.0)
    best_first = np.lexsort((column, -forecasts[row, column], row))
    row, column = row[best_first], column[best_first]
    return pd.DataFrame(
        {
            SESSION: by_name.index[row],
            "rank": np.arange(len(row)) - np.searchsorted(row, row) + 1,
            "symbol": by_name.columns[column].astype("str"),
            "side": LONG,
            "prediction": forecasts[row, column],
            "weight": by_name.to_numpy()[row, column],
            "reference_price": prices[row, column],
        }
    )


def shares(
    weight: npt.NDArray[np.float64],
    reference_price: npt.NDArray[np.float64],
    equity: float,
    rules: Rules,
) -> npt.NDArray[np.float64]:
    """Shares worth ``weight`` of equity at the reference price; 0 where that price is unknown."""
    priced = reference_price > 0.0
    exact = np.divide(equity * weight, reference_price, out=np.zeros(len(weight)), where=priced)
    return np.floor(exact, out=exact) if rules.whole_shares else exact


def orders(
    weights: pd.Series,
    predictions: pd.Series,
    previous_close: pd.Series,
    equity: float,
    rules: Rules,
) -> pd.DataFrame:
    """Orders of one session, best prediction first, sized on the previous close.

    Known at decision time. A position whose price is unknown, or that is too small for one whole
    share, is listed with 0 shares, so that nothing is left out silently.

    Parameters
    ----------
    weights
        Part of equity by symbol, one row of ``target_weights``.
    predictions, previous_close
        By symbol: predicted return; close of ``t-1`` in currency per share.
    equity
        Currency available before the open.
    rules
        Of the strategy.

    Returns
    -------
    pd.DataFrame
        One row per order with the columns ``ORDER_COLUMNS``; ``notional`` is shares times
        ``reference_price``, the previous close.
    """
    one_row = (values.to_frame().T for values in (weights, predictions, previous_close))
    proposed = proposals(*one_row)
    price = proposed["reference_price"].to_numpy()
    proposed["shares"] = shares(proposed["weight"].to_numpy(), price, equity, rules)
    proposed["notional"] = (proposed["shares"] * price).fillna(0.0)
    return proposed[list(ORDER_COLUMNS)]
