"""The strategy's return of each session without a ledger: for trials, where thousands are needed.

Fractional shares and no cash limits; `trading.backtest` keeps the exact books.
"""

from __future__ import annotations

import pandas as pd

from pipeline.trading.strategy import BPS, Rules, target_weights


def session_returns(
    predictions: pd.DataFrame,
    returns: pd.DataFrame,
    dollar_volume: pd.DataFrame,
    regimes: pd.Series,
    rules: Rules,
) -> pd.Series:
    """Net return of each session, costs on both sides of every position included.

    Parameters
    ----------
    predictions
        Predicted open-to-close return, sessions x symbols; NaN = no snapshot.
    returns
        Open-to-close return of the same sessions and symbols; NaN = no fill.
    dollar_volume, regimes
        As for `target_weights`: known before the open.
    rules
        Of the strategy.
    """
    weights = target_weights(predictions, dollar_volume, regimes, rules).where(returns.notna(), 0.0)
    # Costs are paid on the notional of either side, which the close makes larger or smaller.
    costs = (2.0 + returns.fillna(0.0)) * (rules.commission_bps + rules.slippage_bps) * BPS
    return (weights * (returns.fillna(0.0) - costs)).sum(axis=1).rename("net_return")
