"""The tear sheet of a run: what it traded on, the tables, the page and its pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import pandas as pd

from pipeline.io.store import Store
from pipeline.learning.evaluation import newey_west_t, rank_ic
from pipeline.schemas import SESSION, UNIVERSE_INDEX
from pipeline.settings import Settings
from pipeline.stages import _data, _evidence, _trading
from pipeline.stages._recipe import rules
from pipeline.trading import attribution
from pipeline.trading.backtest import Backtest
from pipeline.trading.benchmarks import open_is_real, stale_open_share
from pipeline.trading.performance import drawdowns, equal_weight_benchmark
from pipeline.trading.periods import monthly_returns, rolling_sharpe, yearly_results
from pipeline.trading.promotion import GateResult

if TYPE_CHECKING:
    from pipeline.io.tear_sheet.sheet import Sheet

PAGE = "tear_sheet.html"
PICTURES = "tear_sheet"
ROLLING_SESSIONS = (63, 252)
JUDGED_SESSIONS = 252
"""Sessions of an index, before those shown, by which its opens are judged."""
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
    books: Backtest,
    predicted: pd.Series,
    metrics: Mapping[str, float],
    told: Told,
) -> None:
    """Log ``tear_sheet.html`` and the folder ``tear_sheet`` of PNG pictures."""
    from pipeline.io.tear_sheet.page import page

    with _data.open_store(settings) as store:
        sheet = contents(settings, store, books, predicted, metrics, told)
    drawn = page(sheet)
    mlflow.log_text(drawn.html, PAGE)
    with tempfile.TemporaryDirectory() as folder:
        for name, picture in drawn.pictures.items():
            (Path(folder) / name).write_bytes(picture)
        mlflow.log_artifacts(folder, PICTURES)


def contents(
    settings: Settings,
    store: Store,
    books: Backtest,
    predicted: pd.Series,
    metrics: Mapping[str, float],
    told: Told,
) -> Sheet:
    """Everything a tear sheet shows of these books."""
    from pipeline.io.tear_sheet.sheet import Sheet

    sessions = pd.DatetimeIndex(books.net_returns.index)
    traded = _trading.market(settings, store, sessions)
    forecasts = _trading.wide(predicted, traded)
    returns = traded.close / traded.open - 1.0
    universe = equal_weight_benchmark(traded.open, traded.close)
    index, note = _index(settings, store, sessions)
    compared = pd.DataFrame({"strategy": books.net_returns, "universe": universe, **index})
    made = attribution.trades(books.ledger, traded.regimes, store.symbols("stock")["sector"])
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
        growth=_growth(compared, traded.previous_session),
        index_note=note,
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
        break_even_bps=attribution.break_even_bps(books.ledger),
        charged_bps=attribution.charged_bps(books.ledger),
        highest_forecast=float(predicted.max()),
        min_edge=rules(settings).min_edge,
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


def _index(
    settings: Settings, store: Store, sessions: pd.DatetimeIndex
) -> tuple[dict[str, pd.Series], str]:
    """Open-to-close return of the market's index by its name, or why there is none."""
    name = _data.market_index(settings, store)
    if name == UNIVERSE_INDEX:
        return {}, ""
    known = store.sessions("index")
    start = _data.sessions_before(known, sessions[0], JUDGED_SESSIONS)
    bars = store.bar_panel(start, sessions[-1], [name], kind="index")
    opened, closed = bars.open[name], bars.close[name]
    share = stale_open_share(opened, closed.shift())
    if open_is_real(share):
        return {name: (closed / opened - 1.0).reindex(sessions)}, ""
    copied = f"on {share:.0%} of its sessions its open is a copy of the previous close."
    return {}, f"{name} is not shown: {copied}"
