"""What a decision on the indicated open hangs on: the indication, the fill, the size of the gap.

Reported with every such evaluation. The forecasts are those of the model as it was fitted, with the
configured error of the indication; only what it sees afterwards is another.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.learning.metrics import rank_ic
from pipeline.market.indication import bad_opens
from pipeline.recipe.books import books, net_returns
from pipeline.recipe.decision import (
    ERRORS_BPS,
    MAX_JUMP,
    IndicatedOpen,
    at_error,
    with_indication,
)
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import SESSION, SYMBOL, BarPanel
from pipeline.stats.inference import newey_west_t
from pipeline.stats.returns import sharpe
from pipeline.trading.backtest import Backtest
from pipeline.trading.market import Market
from pipeline.trading.performance import break_even_bps, positions
from pipeline.trading.rules import BPS

WORSE_FILLS_BPS = (5.0, 10.0)
LARGE_GAP = 4.0
"""Volatilities of a session beyond which a gap is news more often than noise."""

MARKET_GAP = 0.01


def measured_doubts(
    recipe: Recipe, predicted: pd.DataFrame, returns: pd.Series, market: Market, result: Backtest
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Metrics and tables; both empty where it is decided the evening before.

    Parameters
    ----------
    predicted
        Of ``evaluate.OutOfSample``.
    returns
        Open-to-close returns of the labelled rows.
    market, result
        With the configured indication, and the books traded on it.

    Returns
    -------
    tuple
        ``doubt/*`` of the run contract; tables ``doubts_by_error`` and ``doubts_by_part``.
    """
    if not isinstance(recipe.decision, IndicatedOpen):
        return {}, {}
    by_error = pd.DataFrame(_at(recipe, predicted, returns, market, e) for e in ERRORS_BPS)
    metrics: dict[str, float] = {}
    for row in by_error.to_dict("records"):
        error = f"error_{row['error_bps']:g}bp"
        metrics[f"doubt/sharpe_{error}"] = float(row["sharpe"])
        metrics[f"doubt/rank_ic_{error}"] = float(row["rank_ic"])
    passed = by_error.loc[by_error["sharpe"] > 0.0, "error_bps"]
    metrics["doubt/largest_error_bps"] = float(passed.max()) if len(passed) else np.nan
    for bps in WORSE_FILLS_BPS:
        rules = recipe.rules.changed(open_bps=recipe.rules.open_bps + bps)
        # The same orders, decided by the rules as they are: only the fill is worse.
        net = result.net_returns - bps * BPS * _entered(result)
        metrics[f"doubt/sharpe_fill_{bps:g}bp"] = sharpe(net)
        again = net_returns(rules, recipe.bankroll, market, predicted["prediction"])
        metrics[f"doubt/sharpe_open_{bps:g}bp"] = sharpe(again)
    parts = by_part(result, market)
    metrics |= bad_open_counts(predicted.index, market)
    return metrics, {"doubts_by_error": by_error, "doubts_by_part": parts}


def _entered(result: Backtest) -> pd.Series:
    return result.exposure


def _at(
    recipe: Recipe, predicted: pd.DataFrame, returns: pd.Series, market: Market, error: float
) -> dict[str, float]:
    """The result where the indication misses the print by another error."""
    start = at_error(error)
    forecast = predicted[f"{start}prediction"]
    seen = with_indication(market, predicted, start)
    traded = books(recipe.rules, recipe.bankroll, forecast, seen)
    ic = rank_ic(returns, forecast.loc[returns.index]).dropna()
    return {
        "error_bps": error,
        "rank_ic": float(ic.mean()),
        "rank_ic_t": newey_west_t(ic),
        "gross_sharpe": sharpe(traded.gross_returns),
        "sharpe": sharpe(traded.net_returns),
        "break_even_bps": break_even_bps(traded.ledger),
        "trades": float(len(positions(traded.ledger))),
        "orders": float((traded.ledger["shares_ordered"] > 0.0).sum()),
    }


def bad_open_counts(rows: pd.Index, market: Market) -> dict[str, float]:
    """How many of the predicted rows have an open that nobody could have traded at, by reason.

    None of them has an indication, so none is traded; those that copy the close before are
    recognised by the sessions of the market alone.
    """
    bars = BarPanel(market.open, market.high, market.low, market.close, market.volume)
    faults = bad_opens(bars)
    jumps = np.abs(np.log(market.open / market.previous_close)) > MAX_JUMP
    faults |= {"jump": pd.DataFrame(jumps, market.open.index, market.open.columns)}
    return {
        f"doubt/bad_opens_{name.replace(' ', '_')}": float(
            np.sum(frame.stack().reindex(rows, fill_value=False).to_numpy())
        )
        for name, frame in faults.items()
    }


def by_part(result: Backtest, market: Market) -> pd.DataFrame:
    """What the trades earned, by parts of them that a result should not hang on.

    Returns
    -------
    DataFrame
        One row a part: by, part, trades, net_bps (mean net P&L over the notional), net_pnl.
    """
    trades = positions(result.ledger)
    if trades.empty:
        return pd.DataFrame(columns=["by", "part", "trades", "net_bps", "net_pnl"])

    def of(frame: pd.DataFrame) -> np.ndarray:
        rows = frame.index.get_indexer(pd.Index(trades[SESSION]))
        return np.asarray(
            frame.to_numpy()[rows, frame.columns.get_indexer(pd.Index(trades[SYMBOL]))]
        )

    gaps = market.gaps
    size = np.abs(of(gaps)) / of(market.require("volatility"))
    session_gap = gaps.median(axis=1).reindex(trades[SESSION]).to_numpy()
    liquidity = market.mean_dollar_volume.rank(axis=1, pct=True)
    decile = np.ceil(10 * of(liquidity))
    year = pd.DatetimeIndex(trades[SESSION]).year.to_numpy()
    groups = {
        "gap": np.where(size > LARGE_GAP, "beyond 4 volatilities", "within 4 volatilities"),
        "market's gap": np.where(np.abs(session_gap) > MARKET_GAP, "beyond 1 %", "within 1 %"),
        "side": trades["side"].to_numpy(),
        "dollar volume": np.array([f"decile {d:.0f}" for d in decile]),
        "year": year.astype(str),
    }
    notional = (trades["shares_filled"] * trades["open"]).to_numpy()
    rows = []
    for by, parts in groups.items():
        for part in sorted(set(parts)):
            own = parts == part
            net = float(trades["net_pnl"].to_numpy()[own].sum())
            rows.append({
                "by": by, "part": part, "trades": int(own.sum()),
                "net_bps": net / float(notional[own].sum()) / BPS, "net_pnl": net,
            })  # fmt: skip
    return pd.DataFrame(rows)
