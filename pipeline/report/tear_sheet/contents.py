"""From a backtest and the market around it to the frames that a tear sheet shows."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.gates.verdict import gate_table
from pipeline.learning.drivers import Driver
from pipeline.learning.metrics import rank_ic
from pipeline.report.doubts import BY_ERROR, BY_PART, BY_YEAR
from pipeline.report.tear_sheet.context import MarketContext
from pipeline.report.tear_sheet.diagnosis import diagnosis
from pipeline.report.tear_sheet.header import SheetHeader
from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t
from pipeline.stats.returns import drawdowns
from pipeline.trading import attribution
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import break_even_bps, charged_bps, equal_weight_benchmark
from pipeline.trading.periods import monthly_returns, rolling_sharpe, yearly_results

DOUBTS = (BY_ERROR, BY_YEAR, BY_PART)
ROLLING_SESSIONS = (63, 252)
EXTREME_TRADES = 7


def contents(
    backtest: Backtest,
    predictions: pd.Series,
    market: MarketContext,
    metrics: Mapping[str, float],
    header: SheetHeader,
    doubts: Mapping[str, pd.DataFrame] | None = None,
) -> Sheet:
    """Everything a tear sheet shows of a backtest.

    Parameters
    ----------
    backtest
        Of the strategy, over the market's sessions.
    predictions
        Forecast open-to-close returns, fractions by (session, symbol), each made before its
        session's open.
    metrics
        By the names of the run contract; rank IC and its t are those of these forecasts.
    doubts
        Tables among which those of ``recipe.doubts.measured_doubts`` may be.
    """
    sessions = pd.DatetimeIndex(backtest.net_returns.index)
    returns = market.close / market.open - 1.0
    universe = equal_weight_benchmark(market.open, market.close, predictions)
    compared = pd.DataFrame({"strategy": backtest.net_returns, "universe": universe})
    if len(market.index_returns):
        compared[str(market.index_returns.name)] = market.index_returns
    trades = attribution.trades(backtest.ledger, market.regimes, market.sectors)
    by_decile = _decile_returns(predictions, returns)
    realised, known = _joined(returns, predictions)
    session_ic = rank_ic(realised, known).reindex(sessions)
    traded_sessions = sessions.isin(trades[SESSION])
    return Sheet(
        title=header.title,
        facts=header.facts,
        verdict=header.verdict,
        reasons=header.reasons,
        gates=gate_table(header.gates),
        metrics={**metrics, **_rank_ic_metrics(session_ic)},
        net_returns=backtest.net_returns,
        exposure=backtest.exposure,
        positions=trades.groupby(SESSION).size().reindex(sessions, fill_value=0),
        growth=_growth(compared, market.previous_session),
        index_note=market.index_note,
        drawdowns=compared.fillna(0.0).apply(drawdowns),
        monthly=monthly_returns(backtest.net_returns),
        yearly=yearly_results(backtest, universe),
        rolling={n: rolling_sharpe(backtest.net_returns, n) for n in ROLLING_SESSIONS},
        rank_ic=session_ic,
        deciles=attribution.session_means(by_decile),
        decile_sessions=len(by_decile),
        cumulated=_cumulated(backtest),
        break_even_bps=break_even_bps(backtest.ledger),
        charged_bps=charged_bps(backtest.ledger),
        highest_forecast=float(predictions.max()),
        min_edge=market.min_edge,
        trades=trades,
        hit_rates={by: attribution.hit_rates(trades, by) for by in ("regime", "weekday", "sector")},
        extremes=attribution.extreme_trades(trades, EXTREME_TRADES),
        session_distribution=attribution.distribution(backtest.net_returns[traded_sessions]),
        trade_distribution=attribution.distribution(trades["net_return"]),
        diagnosis=diagnosis(realised, known, session_ic, by_decile, market.regimes, trades),
        drivers=pd.DataFrame(header.drivers, columns=Driver._fields),
        searches=header.searches,
        doubts={name: table for name, table in (doubts or {}).items() if name in DOUBTS},
    )


def _rank_ic_metrics(session_ic: pd.Series) -> dict[str, float]:
    return {
        "test/rank_ic": float(session_ic.mean()),
        "test/rank_ic_t": newey_west_t(session_ic),
    }


def _decile_returns(predictions: pd.Series, returns: pd.DataFrame) -> pd.DataFrame:
    """Market-relative return by session and forecast decile, and ``spread``, 10 minus 1."""
    forecasts = predictions.unstack(SYMBOL).reindex_like(returns)
    by_decile = attribution.decile_returns(forecasts, returns)
    return by_decile.assign(spread=by_decile.iloc[:, -1] - by_decile.iloc[:, 0])


def _joined(returns: pd.DataFrame, predictions: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Returns and forecasts of the rows that have both, by (session, symbol)."""
    realised = pd.Series(returns.stack()).reindex(predictions.index)
    known = realised.notna() & predictions.notna()
    return realised[known], predictions[known]


def _growth(returns: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Growth of 1 from the session before the first on; a session without a return changes none."""
    growth = (1.0 + returns.fillna(0.0)).cumprod()
    first = pd.DataFrame(1.0, pd.DatetimeIndex([start]), growth.columns)
    return pd.concat([first, growth])


def _cumulated(backtest: Backtest) -> pd.DataFrame:
    """Sums of session returns, before and after costs."""
    return pd.DataFrame({"gross": backtest.gross_returns, "net": backtest.net_returns}).cumsum()
