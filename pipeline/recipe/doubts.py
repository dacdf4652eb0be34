"""What a decision on the indicated open hangs on: the indication, the fill, the size of the gap.

Reported with every such evaluation. The forecasts are those of the model as it was fitted, with the
configured error of the indication; only what it sees afterwards is another.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.contract import Tables
from pipeline.learning.metrics import rank_ic
from pipeline.market.indication import bad_opens, jumps
from pipeline.recipe.books import books, net_returns
from pipeline.recipe.decision import (
    ERRORS_BPS,
    IndicatedOpen,
    at_error,
    with_indication,
)
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.robustness import ROUND_TRIPS_BPS, charging
from pipeline.recipe.steps import PREDICTION
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


@dataclass(frozen=True, eq=False)
class AtError:
    """Forecasts and books where the indication misses the print by another error."""

    error_bps: float
    predicted: pd.Series
    market: Market
    books: Backtest


def at_errors(recipe: Recipe, predicted: pd.DataFrame, market: Market) -> list[AtError]:
    """One for each of ``ERRORS_BPS``; none where it is decided the evening before.

    Parameters
    ----------
    predicted
        Of ``evaluate.OutOfSample``.
    market
        Of the judged sessions.
    """
    if not isinstance(recipe.decision, IndicatedOpen):
        return []
    seen = []
    for error in ERRORS_BPS:
        start = at_error(error)
        forecast = predicted[f"{start}{PREDICTION}"].rename(PREDICTION)
        traded = with_indication(market, predicted, start)
        done = books(recipe.rules, recipe.bankroll, forecast, traded)
        seen.append(AtError(error, forecast, traded, done))
    return seen


def measured_doubts(
    recipe: Recipe,
    seen: list[AtError],
    predicted: pd.Series,
    returns: pd.Series,
    market: Market,
    result: Backtest,
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Metrics and tables; both empty where it is decided the evening before.

    Parameters
    ----------
    seen
        Of `at_errors`.
    predicted
        Forecasts at the configured error.
    returns
        Open-to-close returns of the labelled rows.
    market, result
        With the configured indication, and the books traded on it.

    Returns
    -------
    tuple
        ``doubt/*`` of the run contract; tables ``doubts_by_error``, ``doubts_by_error_and_year``
        and ``doubts_by_part``.
    """
    if not seen:
        return {}, {}
    scores = {one.error_bps: rank_ic(returns, one.predicted.loc[returns.index]) for one in seen}
    by_error = pd.DataFrame(_row(recipe, one, scores[one.error_bps]) for one in seen)
    metrics: dict[str, float] = {}
    for row in by_error.to_dict("records"):
        error = f"error_{row['error_bps']:g}bp"
        metrics[f"doubt/sharpe_{error}"] = float(row["sharpe"])
        metrics[f"doubt/rank_ic_{error}"] = float(row["rank_ic"])
    for bps in WORSE_FILLS_BPS:
        rules = recipe.rules.changed(open_bps=recipe.rules.open_bps + bps)
        # The same orders, decided by the rules as they are: only the fill is worse.
        net = result.net_returns - bps * BPS * result.exposure
        metrics[f"doubt/sharpe_fill_{bps:g}bp"] = sharpe(net)
        again = net_returns(rules, recipe.bankroll, market, predicted)
        metrics[f"doubt/sharpe_open_{bps:g}bp"] = sharpe(again)
    metrics |= bad_open_counts(predicted.index, market)
    by_year = [row for one in seen for row in _years(one, scores[one.error_bps])]
    return metrics, {
        Tables.DOUBTS_BY_ERROR: by_error,
        Tables.DOUBTS_BY_ERROR_AND_YEAR: pd.DataFrame(by_year),
        Tables.DOUBTS_BY_PART: by_part(result, market),
    }


def _row(recipe: Recipe, one: AtError, ic: pd.Series) -> dict[str, float]:
    """The result of one error; ``sharpe_<n>bp`` is net at another cost of a round trip."""
    done, ic = one.books, ic.dropna()
    others = {
        f"sharpe_{bps:g}bp": sharpe(
            net_returns(charging(recipe.rules, bps), recipe.bankroll, one.market, one.predicted)
        )
        for bps in ROUND_TRIPS_BPS
    }
    return {
        "error_bps": one.error_bps,
        "rank_ic": float(ic.mean()),
        "rank_ic_t": newey_west_t(ic),
        "gross_sharpe": sharpe(done.gross_returns),
        "sharpe": sharpe(done.net_returns),
        **others,
        "break_even_bps": break_even_bps(done.ledger),
        "trades": float(len(positions(done.ledger))),
        "orders": float((done.ledger["shares_ordered"] > 0.0).sum()),
    }


def _years(one: AtError, ic: pd.Series) -> Iterator[dict[str, float]]:
    """The same by year: rank IC, net Sharpe, trades."""
    days = pd.DatetimeIndex(one.books.net_returns.index)
    traded = pd.DatetimeIndex(positions(one.books.ledger)[SESSION]).year
    scored = pd.DatetimeIndex(ic.index).year
    for year in sorted(set(days.year)):
        yield {
            "error_bps": one.error_bps,
            "year": float(year),
            "rank_ic": float(ic[scored == year].mean()),
            "sharpe": sharpe(one.books.net_returns[days.year == year]),
            "trades": float((traded == year).sum()),
        }


def bad_open_counts(rows: pd.Index, market: Market) -> dict[str, float]:
    """How many of the predicted rows have an open that nobody could have traded at, by reason.

    None of them has an indication, so none is traded; those that copy the close before are
    recognised by the sessions of the market alone.
    """
    bars = BarPanel(market.open, market.high, market.low, market.close, market.volume)
    faults = bad_opens(bars)
    jumped = jumps(market.open.to_numpy(), market.previous_close.to_numpy())
    faults |= {
        name: pd.DataFrame(where, market.open.index, market.open.columns)
        for name, where in jumped.items()
    }
    if market.goes_ex is not None:
        there = market.open.notna()
        ex = market.goes_ex.reindex(index=there.index, columns=there.columns, fill_value=False)
        faults["goes_ex"] = ex & there
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
        One row a part: by, part, trades, net_bps (mean net P&L over the notional), net_pnl, and
        sharpe, net, of these trades alone over all sessions.
    """
    trades = positions(result.ledger)
    if trades.empty:
        return pd.DataFrame(columns=["by", "part", "trades", "net_bps", "net_pnl", "sharpe"])

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
    earned = (trades["net_pnl"] / trades["equity_before"]).to_numpy()
    rows = []
    for by, parts in groups.items():
        for part in sorted(set(parts), key=_in_order):
            in_part = parts == part
            net = float(trades["net_pnl"].to_numpy()[in_part].sum())
            alone = pd.Series(earned[in_part]).groupby(trades[SESSION].to_numpy()[in_part]).sum()
            rows.append({
                "by": by, "part": part, "trades": int(in_part.sum()),
                "net_bps": net / float(notional[in_part].sum()) / BPS, "net_pnl": net,
                "sharpe": sharpe(alone.reindex(result.net_returns.index, fill_value=0.0)),
            })  # fmt: skip
    return pd.DataFrame(rows)


def _in_order(part: str) -> tuple[str, int]:
    """Decile 10 after decile 9."""
    words, _, last = part.rpartition(" ")
    return (words, int(last)) if last.isdigit() else (part, 0)
