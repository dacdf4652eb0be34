"""Signals: the champion's ranked trades for the next session, or a given one."""

from __future__ import annotations

import re

import mlflow
import pandas as pd
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tables, Tags
from pipeline.errors import NotReady, Refused
from pipeline.gates.proven import differing_rules
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registry, runs
from pipeline.io.tracking.recipes import recorded_content
from pipeline.recipe.books import wide
from pipeline.report.signals import SignalsSummary, described, printed_signals
from pipeline.schemas import MODEL_NAME, SYMBOL
from pipeline.serving import freshness, versions
from pipeline.stages._cli import command
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.rules import Rules
from pipeline.trading.strategy import orders
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Rank, size and store the orders of whoever holds `champion` at this moment."""
    champion_moves.settle("signals")
    champion = registry.find(Aliases.CHAMPION, who="signals")
    rules, chosen = build.rules(settings), settings.signals
    unproven = differing_rules(rules, recorded_content(champion).get("rules"))
    if unproven and chosen.unproven_rules == "refuse":
        raise _unproven(champion.version, unproven)
    with Workspace.open(settings) as workspace:
        wanted = freshness.signal_session(workspace)
        late = freshness.stale_symbols(workspace, wanted.needed, chosen.max_stale_fraction)
        sessions = pd.DatetimeIndex([wanted.session])
        predicted = versions.predicted_now(workspace, champion, sessions, "signals")
        if predicted.empty:
            day = f"{wanted.session:%Y-%m-%d}"
            raise NotReady(
                "signals", f"no snapshot for {day}", "features of that session",
                Command("features", date=day),
            )  # fmt: skip
        market = workspace.market(sessions, rules)
        forecasts = Forecasts(wide(predicted, market), market)
        listed = orders(forecasts, rules, chosen.bankroll)
        listed = listed.assign(
            regime=market.regimes.iloc[0],
            model_version=champion.version,
            data_age=freshness.ages(workspace.store, late, wanted.needed, listed["symbol"]),
        )
        with workspace.store.writer("signals"):
            workspace.store.write_signals(listed, wanted.session, champion.version)
        symbols = workspace.store.symbols("stock")
        kept = _kept(workspace, wanted.needed)
        traded = [name for name in listed["symbol"] if name in predicted.index.get_level_values(1)]
        if traded:
            parts = versions.parts_of(workspace, champion, wanted.session, traded)
            runs.log_table(parts.reset_index(SYMBOL), Tables.CONTRIBUTIONS)
    summary = SignalsSummary(
        session=wanted.session,
        needed=wanted.needed,
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
    if unproven:
        mlflow.set_tag(Tags.RULES, "unproven")
        print(f"Unproven: no evidence was measured by these rules. {'; '.join(unproven)}")


def _unproven(version: str, differing: list[str]) -> Refused:
    return Refused(
        "signals",
        f"version {version} was evidenced by other rules: {'; '.join(differing)}",
        "the rules of its recipe, or signals that are said to be unproven",
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
        f"Kept: table signals of {workspace.store.path}, and {Tables.SIGNALS}.csv of run "
        f"{runs.current_run_id()}.",
        "The champion in your own code:",
        "  import mlflow, pandas as pd",
        f'  mlflow.set_tracking_uri("{_without_password(mlflow.get_tracking_uri())}")',
        f'  model = mlflow.pyfunc.load_model("models:/{MODEL_NAME}@{Aliases.CHAMPION}")',
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
