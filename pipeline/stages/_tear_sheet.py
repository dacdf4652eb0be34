"""The tear sheet of a run: what it traded on, the tables, the page and its pictures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.learning.scores import newey_west_t, rank_ic
from pipeline.schemas import SESSION, SYMBOL, UNIVERSE_INDEX
from pipeline.settings import Settings
from pipeline.stages import _data, _evidence
from pipeline.stages._index import market_index
from pipeline.stages._recipe import rules
from pipeline.trading import attribution
from pipeline.trading.backtest import Backtest
from pipeline.trading.benchmarks import REAL_WINDOW, open_is_real, stale_open_share
from pipeline.trading.market import Market
from pipeline.trading.performance import (
    break_even_bps,
    charged_bps,
    drawdowns,
    equal_weight_benchmark,
)
from pipeline.trading.periods import monthly_returns, rolling_sharpe, yearly_results
from pipeline.trading.promotion import GateResult

if TYPE_CHECKING:
    from pipeline.io.tear_sheet.sheet import Sheet

PAGE = "tear_sheet.html"
PICTURES = "tear_sheet"
ROLLING_SESSIONS = (63, 252)
EXTREME_TRADES = 7


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a run says of itself in words.

    Attributes
    ----------
    title, facts
        Its name, and what it was made of.
    verdict, reasons
        The gates' answer, and sentences that explain it.
    answers
        Of the gates; empty where the run asks none.
    """

    title: str
    facts: Mapping[str, str]
    verdict: str
    reasons: Sequence[str]
    answers: Sequence[GateResult] = ()


def log(
    settings: Settings,
    store: Store,
    books: Backtest,
    predicted: pd.Series,
    market: Market,
    metrics: Mapping[str, float],
    told: Told,
) -> None:
    """Log ``tear_sheet.html`` and the folder ``tear_sheet`` of PNG pictures."""
    from pipeline.io.tear_sheet.page import page

    index, note = _index(settings, store, market.sessions)
    around = Around(
        open=market.open,
        close=market.close,
        regimes=market.regimes,
        previous_session=market.previous_session,
        sectors=market.sectors,
        index=index,
        index_note=note,
        min_edge=rules(settings).min_edge,
    )
    drawn = page(contents(books, predicted, around, metrics, told))
    mlflow.log_text(drawn.html, PAGE)
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in drawn.pictures.items():
            (Path(folder) / name).write_bytes(picture)
        mlflow.log_artifacts(folder, PICTURES)


@dataclass(frozen=True, kw_only=True)
class Around:
    """What a backtest is explained by.

    Attributes
    ----------
    open, close
        Prices of the sessions traded, sessions x symbols.
    regimes
        Known at the open, by session.
    previous_session
        The one before the first traded, where curves start.
    sectors
        By symbol.
    index, index_note
        Open-to-close return of the market's index by session, named by it; without any session
        where there is none, and why.
    min_edge
        The return a forecast must exceed to be traded.
    """

    open: pd.DataFrame
    close: pd.DataFrame
    regimes: pd.Series
    previous_session: pd.Timestamp
    sectors: pd.Series
    index: pd.Series
    index_note: str
    min_edge: float


def contents(
    books: Backtest,
    predicted: pd.Series,
    around: Around,
    metrics: Mapping[str, float],
    told: Told,
) -> Sheet:
    """Everything a tear sheet shows of these books."""
    from pipeline.io.tear_sheet.sheet import Sheet

    sessions = pd.DatetimeIndex(books.net_returns.index)
    returns = around.close / around.open - 1.0
    universe = equal_weight_benchmark(around.open, around.close)
    compared = pd.DataFrame({"strategy": books.net_returns, "universe": universe})
    if len(around.index):
        compared[str(around.index.name)] = around.index
    made = attribution.trades(books.ledger, around.regimes, around.sectors)
    forecasts = predicted.unstack(SYMBOL).reindex_like(returns)
    by_decile = attribution.decile_returns(forecasts, returns)
    order = rank_ic(*_paired(returns, predicted)).reindex(sessions)
    return Sheet(
        title=told.title,
        facts=told.facts,
        verdict=told.verdict,
        reasons=told.reasons,
        gates=_evidence.gate_table(list(told.answers)),
        metrics={**metrics, "test/rank_ic_t": newey_west_t(order)},
        net_returns=books.net_returns,
        exposure=books.exposure,
        positions=made.groupby(SESSION).size().reindex(sessions, fill_value=0),
        growth=_growth(compared, around.previous_session),
        index_note=around.index_note,
        drawdowns=compared.fillna(0.0).apply(drawdowns),
        monthly=monthly_returns(books.net_returns),
        yearly=yearly_results(books, universe),
        rolling={n: rolling_sharpe(books.net_returns, n) for n in ROLLING_SESSIONS},
        rank_ic=order,
        deciles=attribution.session_means(
            by_decile.assign(spread=by_decile.iloc[:, -1] - by_decile.iloc[:, 0])
        ),
        decile_sessions=len(by_decile),
        cumulated=pd.DataFrame({"gross": books.gross_returns, "net": books.net_returns}).cumsum(),
        break_even_bps=break_even_bps(books.ledger),
        charged_bps=charged_bps(books.ledger),
        highest_forecast=float(predicted.max()),
        min_edge=around.min_edge,
        trades=made,
        hit_rates={by: attribution.hit_rates(made, by) for by in ("regime", "weekday", "sector")},
        extremes=attribution.extreme_trades(made, EXTREME_TRADES),
        session_distribution=attribution.distribution(
            books.net_returns[sessions.isin(made[SESSION])]
        ),
        trade_distribution=attribution.distribution(made["net_return"]),
    )


def _paired(returns: pd.DataFrame, predicted: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Returns and forecasts of the rows that have both, long."""
    long = pd.Series(returns.stack()).reindex(predicted.index)
    known = long.notna() & predicted.notna()
    return long[known], predicted[known]


def _growth(returns: pd.DataFrame, start: pd.Timestamp) -> pd.DataFrame:
    """Growth of 1 from the session before the first on; a session without a return changes none."""
    growth = (1.0 + returns.fillna(0.0)).cumprod()
    first = pd.DataFrame(1.0, pd.DatetimeIndex([start]), growth.columns)
    return pd.concat([first, growth])


def _index(settings: Settings, store: Store, sessions: pd.DatetimeIndex) -> tuple[pd.Series, str]:
    """The market's index from open to close, where its open is real; see ``Around``."""
    name = market_index(settings, store).symbol
    none = pd.Series(dtype="float64")
    if name == UNIVERSE_INDEX:
        return none, ""
    start = _data.sessions_before(store.sessions("index"), sessions[0], REAL_WINDOW)
    bars = store.bar_panel(start, sessions[-1], [name], kind="index")
    opened, closed = bars.open[name], bars.close[name]
    share = stale_open_share(opened, closed.shift())
    if open_is_real(share):
        return (closed / opened - 1.0).reindex(sessions), ""
    reason = (
        "it has no open on these sessions"
        if math.isnan(share)
        else f"on {share:.0%} of its sessions its open is a copy of the previous close"
    )
    return none, f"{name} is not shown: {reason}."
