"""Signals: the champion's ranked trades for the next session, or a given one."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.commands import Command, override
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tables, Tags
from pipeline.errors import NotReady, Refused
from pipeline.gates.proven import Traded, differing_rules
from pipeline.io import clock
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registered, registry, runs
from pipeline.io.tracking.recipes import recorded_content
from pipeline.monitor.health import Thresholds
from pipeline.monitor.orders import sealed_orders
from pipeline.recipe.books import wide
from pipeline.recipe.decision import IndicatedOpen
from pipeline.report.morning import printed_watch_list
from pipeline.report.signals import SignalsSummary, described, printed_signals
from pipeline.schemas import SYMBOL
from pipeline.serving import evenings, freshness, verdicts, versions
from pipeline.serving.broker import withdraw_order_files, write_order_files
from pipeline.serving.morning import Morning
from pipeline.stages._cli import command
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.rules import Rules
from pipeline.trading.strategy import orders
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.signals")


def run(settings: Settings) -> None:
    """Rank, size and store the orders of whoever holds `champion` at this moment.

    What everybody forecast is sealed in the ledger, whether it is traded or not. Order files of an
    earlier run for the session go first: of a run that is refused, none are left to be sent.
    """
    champion_moves.settle("signals")
    rules, chosen = build.rules(settings), settings.signals
    if registry.holder(Aliases.CHAMPION) is None:
        _keep_shadows(partial(Workspace.open, settings), rules, chosen.bankroll, settings.monitor)
    champion = registry.find(Aliases.CHAMPION, who="signals")
    traded_by = Traded(rules, chosen.bankroll, settings.regimes.limits.hash)
    unproven = differing_rules(traded_by, recorded_content(champion))
    with Workspace.open(settings) as workspace:
        upcoming = freshness.signal_session(workspace)
        withdraw_order_files(workspace, upcoming.session, clock.now())
        if unproven and chosen.unproven_rules == "refuse":
            raise _unproven(champion.version, unproven)
        late = freshness.stale_symbols(workspace, upcoming.needed, chosen.max_stale_fraction)
        stopped = verdicts.reasons_not_to_trade(champion, settings.monitor)
        if isinstance(versions.decision_of_version(champion)[0], IndicatedOpen):
            evenings.keep(workspace, upcoming, None, rules, chosen.bankroll, settings.monitor)
            if stopped:
                raise verdicts.not_traded(champion, stopped, "signals")
            _watch(workspace, champion, upcoming, rules, late)
            return
        sessions = pd.DatetimeIndex([upcoming.session])
        predicted = versions.predicted_now(workspace, champion, sessions, "signals")["prediction"]
        if predicted.empty:
            day = f"{upcoming.session:%Y-%m-%d}"
            raise NotReady(
                "signals", f"no snapshot for {day}", "features of that session",
                Command("features", date=day),
            )  # fmt: skip
        market = workspace.market(sessions, rules)
        forecasts = Forecasts(wide(predicted, market), market)
        listed = orders(forecasts, rules, chosen.bankroll)
        if stopped:
            listed = listed.iloc[:0]
        listed = listed.assign(
            regime=market.regimes.iloc[0],
            model_version=champion.version,
            data_age=freshness.ages(workspace.store, late, upcoming.needed, listed["symbol"]),
        )
        with workspace.store.writer("signals"):
            workspace.store.write_signals(listed, upcoming.session, champion.version)
        state = evenings.STOPPED if stopped else evenings.TRADED
        made = evenings.ChampionEvening(
            champion, predicted.droplevel(0), sealed_orders(listed), state
        )
        evenings.keep(workspace, upcoming, made, rules, chosen.bankroll, settings.monitor)
        if stopped:
            raise verdicts.not_traded(champion, stopped, "signals")
        written = write_order_files(workspace, listed, upcoming.session, clock.now())[1]
        symbols = workspace.store.symbols("stock")
        kept = _kept(workspace, upcoming.needed)
        traded = [name for name in listed["symbol"] if name in predicted.index.get_level_values(1)]
        if traded:
            parts = versions.parts_of(workspace, champion, upcoming.session, traded)
            runs.log_table(parts.reset_index(SYMBOL), Tables.CONTRIBUTIONS)
    summary = SignalsSummary(
        session=upcoming.session,
        needed=upcoming.needed,
        model_version=champion.version,
        regime=str(market.regimes.iloc[0]),
        forecasts=pd.Series(forecasts.predictions[0]),
        min_edge=rules.min_edge,
        orders=described(listed, symbols),
        watched=described(_watched(forecasts, rules, chosen.bankroll, listed), symbols),
        late=freshness.in_words(late),
        kept=kept,
    )
    candidates = sum(int(forecasts.candidates(side, rules).sum()) for side in rules.signs)
    _record(summary, late, candidates, settings.data.name)
    print(printed_signals(summary))
    print(written)
    if unproven:
        mlflow.set_tag(Tags.RULES, "unproven")
        print(f"Unproven: no evidence was measured by these rules. {'; '.join(unproven)}")


def _keep_shadows(
    opened: Callable[[], AbstractContextManager[Workspace]],
    rules: Rules,
    bankroll: float,
    thresholds: Thresholds,
) -> None:
    """Without a champion the others forecast all the same, where the data are there."""
    try:
        with opened() as workspace:
            upcoming = freshness.signal_session(workspace)
            withdraw_order_files(workspace, upcoming.session, clock.now())
            evenings.keep(workspace, upcoming, None, rules, bankroll, thresholds)
    except Refused as refusal:
        log.info("signals: nothing is kept of this evening: %s", refusal.found)


def _watch(
    workspace: Workspace,
    champion: ModelVersion,
    upcoming: freshness.SignalSession,
    rules: Rules,
    late: pd.Series,
) -> None:
    """Of a champion that decides on the indicated open, the evening knows prices, not orders."""
    morning = Morning.of(workspace, champion, upcoming.session, "signals")
    listed = morning.watch_list(rules)
    runs.log_table(listed, Tables.WATCH_LIST)
    mlflow.set_tags(
        {
            MLFLOW_RUN_NAME: f"watch list {upcoming.session:%Y-%m-%d}, version {champion.version}",
            Tags.MODEL_VERSION: champion.version,
            "session": f"{upcoming.session:%Y-%m-%d}",
            "data_until": f"{upcoming.needed:%Y-%m-%d}",
            Tags.DATA_SOURCE: workspace.data_source,
        }
    )
    print(printed_watch_list(listed, upcoming.session, champion.version, freshness.in_words(late)))
    print(f"In the morning: {Command('morning', override('morning.quotes', 'quotes.csv'))}")


def _unproven(version: str, differing: list[str]) -> Refused:
    return Refused(
        "signals",
        f"version {version} has its evidence from other rules: {'; '.join(differing)}",
        "the rules of its recipe, or signals that are marked as unproven",
        Command("signals", "signals.unproven_rules=say"),
    )


def _watched(
    forecasts: Forecasts, rules: Rules, bankroll: float, listed: pd.DataFrame
) -> pd.DataFrame:
    """The best forecasts above zero that are no orders, where an order must exceed its cost."""
    if rules.min_edge_bps is not None:
        return listed.iloc[:0]
    best = orders(forecasts, rules.changed(min_edge_bps=0.0, hedge="none"), bankroll)
    return best[~best["symbol"].isin(listed["symbol"])]


def _kept(workspace: Workspace, until: pd.Timestamp) -> tuple[str, ...]:
    """Where the list is kept, and code that forecasts with the champion without this project."""
    month = workspace.snapshot_store.folder / f"{until:%Y-%m}.parquet"
    return (
        f"Kept: table signals of {workspace.store.database.name}, and {Tables.SIGNALS}.csv of run "
        f"{runs.current_run_id()}.",
        "The champion in your own code (only models of this registry: loading one can run code):",
        "  import mlflow, pandas as pd",
        f'  mlflow.set_tracking_uri("{_without_password(mlflow.get_tracking_uri())}")',
        f'  model = mlflow.pyfunc.load_model("models:/{registered.name()}@{Aliases.CHAMPION}")',
        f'  rows = pd.read_parquet("{month}")',
        '  print(rows[["session", "symbol"]].assign(forecast=model.predict(',
        "      rows[model.metadata.get_input_schema().input_names()])))",
    )


def _without_password(uri: str) -> str:
    return re.sub("//[^/@]*@", "//", uri)


def _record(summary: SignalsSummary, late: pd.Series, candidates: int, source: str) -> None:
    runs.log_table(summary.orders, Tables.SIGNALS)
    if len(late):
        runs.log_table(late.rename_axis(SYMBOL).reset_index(), Tables.STALE_SYMBOLS)
    name = f"signals {summary.session:%Y-%m-%d}, version {summary.model_version}"
    mlflow.set_tags(
        {
            MLFLOW_RUN_NAME: name,
            Tags.MODEL_VERSION: summary.model_version,
            "session": f"{summary.session:%Y-%m-%d}",
            "data_until": f"{summary.needed:%Y-%m-%d}",
            Tags.DATA_SOURCE: source,
            "moved_by_hand": str(champion_moves.moved_by_hand()).lower(),
        }
    )
    mlflow.log_metrics(
        {
            Metrics.SIGNAL_ORDERS: len(summary.orders),
            Metrics.SIGNAL_CANDIDATES: candidates,
            Metrics.SIGNAL_SYMBOLS: int(summary.forecasts.notna().sum()),
            Metrics.SIGNAL_STALE_SYMBOLS: len(late),
            Metrics.SIGNAL_BEST_FORECAST_BPS: summary.best_bps,
        }
    )


if __name__ == "__main__":
    command("signals", run)
