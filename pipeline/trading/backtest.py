"""What the strategy would have earned: buys at the open of t, sells at the close of t.

Long only, without borrowing, flat overnight. Orders come from ``trading.strategy``, the same
code that signals use; this module only fills them and keeps the books.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.schemas import SESSION
from pipeline.trading.strategy import (
    BPS,
    Rules,
    proposals,
    require_same_axes,
    shares,
    target_weights,
)

Values = npt.NDArray[np.float64]

LEDGER_DTYPES = {
    "session": "datetime64[us]",
    "symbol": "str",
    "rank": "int64",
    "side": "str",
    "prediction": "float64",
    "weight": "float64",
    "shares_ordered": "float64",
    "shares_filled": "float64",
    "reason": "str",
    "open": "float64",
    "close": "float64",
    "gross_pnl": "float64",
    "commission": "float64",
    "slippage": "float64",
    "net_pnl": "float64",
    "equity_before": "float64",
}

FILLED = ""
NO_PREVIOUS_CLOSE = "no previous close"
TOO_SMALL = "less than one share"
NO_OPEN = "no open"
NO_CLOSE = "no close"
NO_CASH = "cash"
"""Reasons for no fill; NO_CASH also for a fill that was cut."""


@dataclass(frozen=True)
class Backtest:
    """Books of a backtest; everything of session ``t`` is known after its close.

    Attributes
    ----------
    ledger
        One row per order, filled or not, with the columns ``LEDGER_DTYPES``. Shares, prices in
        currency per share, P&L and costs in currency; ``reason`` is empty for a full fill.
    equity
        Currency after each session. The first point is the bankroll before the first session.
    net_returns, gross_returns
        Change of equity after and before costs over the equity before, by session.
    exposure
        Notional bought over the equity before, by session.
    """

    ledger: pd.DataFrame
    equity: pd.Series
    net_returns: pd.Series
    gross_returns: pd.Series
    exposure: pd.Series


def backtest(
    predictions: pd.DataFrame,
    open_: pd.DataFrame,
    close: pd.DataFrame,
    previous_close: pd.DataFrame,
    dollar_volume: pd.DataFrame,
    regimes: pd.Series,
    rules: Rules,
    bankroll: float,
    *,
    previous_session: pd.Timestamp | None = None,
) -> Backtest:
    """Trade the predictions from the first to the last session.

    Parameters
    ----------
    predictions
        Out-of-sample predicted return, sessions x symbols; NaN = no snapshot.
    open_, close
        Prices of the session itself, only used to fill; NaN or not positive = no fill.
    previous_close, dollar_volume
        Last close and 20-session mean dollar volume known before the open.
    regimes
        Regime known at the open, by session.
    rules
        Of the strategy.
    bankroll
        Currency before the first session.
    previous_session
        The session before the first, where the equity curve starts; by default it is drawn one
        calendar day before. Only a label: no return depends on it.

    Returns
    -------
    Backtest

    Raises
    ------
    InvalidData
        Frames on different sessions or symbols, sessions out of order, or no bankroll.
    """
    _check(predictions, open_, close, previous_close, bankroll)
    weights = target_weights(predictions, dollar_volume, regimes, rules)
    proposed = proposals(weights, predictions, previous_close)
    bought_at, sold_at = _at(proposed, open_), _at(proposed, close)
    ordered, filled, equity = _traded(
        proposed, bought_at, sold_at, sessions=predictions.index, rules=rules, bankroll=bankroll
    )
    before = pd.Series(equity[:-1], predictions.index)
    ledger = _ledger(proposed, ordered, filled, bought_at, sold_at, before, rules)
    return _books(ledger, before, equity, previous_session)


def _at(proposed: pd.DataFrame, prices: pd.DataFrame) -> Values:
    """The price of each proposal in its own session."""
    row = prices.index.get_indexer(pd.Index(proposed[SESSION]))
    column = prices.columns.get_indexer(pd.Index(proposed["symbol"]))
    return prices.to_numpy(dtype="float64")[row, column]


def _traded(
    proposed: pd.DataFrame,
    bought_at: Values,
    sold_at: Values,
    *,
    sessions: pd.Index,
    rules: Rules,
    bankroll: float,
) -> tuple[Values, Values, Values]:
    """Shares ordered and filled, and equity from the bankroll on.

    A loop, because each session trades what the one before has left.
    """
    weight, reference = proposed["weight"].to_numpy(), proposed["reference_price"].to_numpy()
    tradable = (bought_at > 0.0) & (sold_at > 0.0)
    cost = np.where(tradable, bought_at * (1.0 + rules.side_cost), 1.0)
    proceeds = np.where(tradable, sold_at * (1.0 - rules.side_cost), 1.0)
    ordered, filled = np.zeros(len(weight)), np.zeros(len(weight))
    equity = np.full(len(sessions) + 1, float(bankroll))
    starts = np.searchsorted(proposed[SESSION], sessions)
    for number, day in enumerate(map(slice, starts, np.append(starts[1:], len(weight)))):
        cash = equity[number]
        ordered[day] = shares(weight[day], reference[day], cash, rules)
        filled[day] = affordable(ordered[day] * tradable[day], cost[day], cash, rules)
        equity[number + 1] = cash + filled[day] @ (proceeds[day] - cost[day])
    return ordered, filled, equity


def affordable(wanted: Values, cost: Values, cash: float, rules: Rules) -> Values:
    """Shares bought in rank order until the cash is spent; ``cost`` is of one share."""
    bought = np.zeros(len(wanted))
    for place, (number, cost_of_one) in enumerate(zip(wanted, cost, strict=True)):
        most = cash / cost_of_one
        bought[place] = min(number, math.floor(most) if rules.whole_shares else most)
        cash = max(cash - bought[place] * cost_of_one, 0.0)
    return bought


def _ledger(
    proposed: pd.DataFrame,
    ordered: Values,
    filled: Values,
    bought_at: Values,
    sold_at: Values,
    equity_before: pd.Series,
    rules: Rules,
) -> pd.DataFrame:
    has_fill = filled > 0.0
    gross = filled * np.where(has_fill, sold_at - bought_at, 0.0)
    traded = filled * np.where(has_fill, bought_at + sold_at, 0.0)
    commission, slippage = traded * rules.commission_bps * BPS, traded * rules.slippage_bps * BPS
    reference = proposed["reference_price"].to_numpy()
    ledger = proposed.assign(
        shares_ordered=ordered,
        shares_filled=filled,
        reason=_reasons(reference, ordered, filled, bought_at, sold_at),
        open=bought_at,
        close=sold_at,
        gross_pnl=gross,
        commission=commission,
        slippage=slippage,
        net_pnl=gross - commission - slippage,
        equity_before=equity_before.reindex(proposed[SESSION]).to_numpy(),
    )
    return ledger[list(LEDGER_DTYPES)].astype(LEDGER_DTYPES)


def _reasons(
    reference: Values, ordered: Values, filled: Values, bought_at: Values, sold_at: Values
) -> npt.NDArray[np.str_]:
    reasons = {
        NO_PREVIOUS_CLOSE: ~(reference > 0.0),
        TOO_SMALL: ordered <= 0.0,
        NO_OPEN: ~(bought_at > 0.0),
        NO_CLOSE: ~(sold_at > 0.0),
        # A cut in the last bits is the rounding of weights that sum to 1, not a lack of cash.
        NO_CASH: filled < ordered * (1.0 - 1e-9),
    }
    return np.select(list(reasons.values()), list(reasons), default=FILLED)


def _books(
    ledger: pd.DataFrame,
    before: pd.Series,
    equity: Values,
    previous_session: pd.Timestamp | None,
) -> Backtest:
    sessions = pd.DatetimeIndex(before.index).rename(SESSION)
    start = sessions[0] - pd.Timedelta(days=1) if previous_session is None else previous_session

    def over_equity(amounts: pd.Series, name: str) -> pd.Series:
        by_session = amounts.groupby(ledger[SESSION]).sum().reindex(sessions, fill_value=0.0)
        return (by_session / before).where(before > 0.0, 0.0).rename(name)

    return Backtest(
        ledger=ledger,
        equity=pd.Series(equity, sessions.insert(0, start), name="equity"),
        net_returns=over_equity(ledger["net_pnl"], "net_return"),
        gross_returns=over_equity(ledger["gross_pnl"], "gross_return"),
        exposure=over_equity((ledger["shares_filled"] * ledger["open"]).fillna(0.0), "exposure"),
    )


def _check(
    predictions: pd.DataFrame,
    open_: pd.DataFrame,
    close: pd.DataFrame,
    previous_close: pd.DataFrame,
    bankroll: float,
) -> None:
    require_same_axes(predictions, open_=open_, close=close, previous_close=previous_close)
    sessions = predictions.index
    if not (len(sessions) and sessions.is_monotonic_increasing and sessions.is_unique):
        raise InvalidData(
            "backtest",
            f"{len(sessions)} sessions, unordered, repeated or none",
            "one or more sessions in increasing order",
        )
    if not bankroll > 0.0:
        raise InvalidData("backtest", f"a bankroll of {bankroll}", "more than 0")
