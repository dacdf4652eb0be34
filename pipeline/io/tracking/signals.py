"""What signals and mornings leave on their run: orders, the watch list, what was left out."""

from __future__ import annotations

import re

import mlflow
import pandas as pd
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.contract import Aliases, Metrics, Tables, Tags
from pipeline.io.objects import Place
from pipeline.io.tracking import champion, notes, registered, runs
from pipeline.report.signals import SignalsSummary
from pipeline.schemas import SYMBOL


def record_signals(
    summary: SignalsSummary, late: pd.Series, candidates: int, data_source: str
) -> None:
    """The list, the symbols left out, and what the list was made of.

    Parameters
    ----------
    late
        Newest bar by symbol that lacks the one needed.
    candidates
        Forecasts that exceed their cost.
    """
    runs.log_table(summary.orders, Tables.SIGNALS)
    if len(late):
        runs.log_table(late.rename_axis(SYMBOL).reset_index(), Tables.STALE_SYMBOLS)
    name = f"signals {summary.session:%Y-%m-%d}, version {summary.model_version}"
    notes.set_tags(
        {
            MLFLOW_RUN_NAME: name,
            Tags.MODEL_VERSION: summary.model_version,
            Tags.SESSION: f"{summary.session:%Y-%m-%d}",
            Tags.DATA_UNTIL: f"{summary.needed:%Y-%m-%d}",
            Tags.DATA_SOURCE: data_source,
            Tags.MOVED_BY_HAND: str(champion.moved_by_hand()).lower(),
        }
    )
    notes.log_metrics(
        {
            Metrics.SIGNAL_ORDERS: len(summary.orders),
            Metrics.SIGNAL_CANDIDATES: candidates,
            Metrics.SIGNAL_SYMBOLS: int(summary.forecasts.notna().sum()),
            Metrics.SIGNAL_STALE_SYMBOLS: len(late),
            Metrics.SIGNAL_BEST_FORECAST_BPS: summary.best_bps,
        }
    )


def record_watch_list(
    listed: pd.DataFrame, session: pd.Timestamp, needed: pd.Timestamp, version: str,
    data_source: str,
) -> None:  # fmt: skip
    """The prices at which a champion that decides in the morning would buy.

    Parameters
    ----------
    listed
        One row a symbol; prices in currency per share.
    needed
        Session whose bars they were made of.
    """
    runs.log_table(listed, Tables.WATCH_LIST)
    notes.set_tags(
        {
            MLFLOW_RUN_NAME: f"watch list {session:%Y-%m-%d}, version {version}",
            Tags.MODEL_VERSION: version,
            Tags.SESSION: f"{session:%Y-%m-%d}",
            Tags.DATA_UNTIL: f"{needed:%Y-%m-%d}",
            Tags.DATA_SOURCE: data_source,
        }
    )


def record_morning(
    listed: pd.DataFrame,
    left_out: pd.Series,
    *,
    quoted: int,
    session: pd.Timestamp,
    version: str,
    data_source: str,
    seconds: float,
) -> None:
    """The orders of a morning, the symbols left out of it, and how long it took.

    Parameters
    ----------
    listed
        One row an order; prices in currency per share, known when the quotes were read.
    left_out
        Reason by symbol.
    quoted
        Symbols with a quote that was believed.
    """
    runs.log_table(listed, Tables.MORNING_ORDERS)
    if len(left_out):
        runs.log_table(left_out.rename_axis(SYMBOL).reset_index(), Tables.LEFT_OUT)
    notes.set_tags(
        {
            MLFLOW_RUN_NAME: f"morning {session:%Y-%m-%d}, version {version}",
            Tags.MODEL_VERSION: version,
            Tags.DATA_SOURCE: data_source,
            Tags.SESSION: f"{session:%Y-%m-%d}",
        }
    )
    notes.log_metrics(
        {
            Metrics.MORNING_ORDERS: int((listed["shares"] > 0).sum()),
            Metrics.MORNING_QUOTED: quoted,
            Metrics.MORNING_SECONDS: seconds,
        }
    )


def where_kept(database: str, snapshots: Place, until: pd.Timestamp) -> tuple[str, ...]:
    """Where the list is kept, and code that forecasts with the champion without this project.

    Parameters
    ----------
    database
        Name of the store's.
    snapshots
        Folder of the months.
    until
        Session of the newest bars.
    """
    month, uri = snapshots / f"{until:%Y-%m}.parquet", mlflow.get_tracking_uri()
    return (
        f"Kept: table signals of {database}, and {Tables.SIGNALS}.csv of run "
        f"{runs.current_run_id()}.",
        "The champion in your own code (only models of this registry: loading one can run code):",
        "",
        "import mlflow, pandas as pd",
        f'mlflow.set_tracking_uri("{_without_password(uri)}")',
        f'model = mlflow.pyfunc.load_model("models:/{registered.name()}@{Aliases.CHAMPION}")',
        f'rows = pd.read_parquet("{month}")',
        "columns = model.metadata.get_input_schema().input_names()",
        'print(rows[["session", "symbol"]].assign(forecast=model.predict(rows[columns])))',
        "",
    )


def _without_password(uri: str) -> str:
    return re.sub("//[^/@]*@", "//", uri)
