"""Shared views of the experiment: which runs people compare, by which columns.

The format is MLflow's own and undocumented: look at every view in the UI after a change of version.
"""

from __future__ import annotations

import base64
import json
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mlflow import MlflowClient

from pipeline.contract import Metrics, Stages, Tags

PREFIX = "mlflow.sharedViewState."
LETTER, PADDING, SORTS, WORDS, NUMBER = 6.2, 24, 16, 124, 98
"""Pixels of a column: a letter of its head, what stands around it, the arrow of the one that sorts,
a tag in words, and a number that sets runs apart."""
FIRST, ROOM = 5, 620
"""Columns that a window of 1280 shows, and the pixels it has for them beside a run's name."""


class View(NamedTuple):
    """A shared view of runs, largest first by what orders them.

    Attributes
    ----------
    where
        MLflow's search filter.
    order
        Key of the column that sorts.
    columns
        Keys of the columns, in the order they are shown after MLflow's own.
    is_ascending
        Smallest first.
    coordinates
        Charts of parallel coordinates: parameters by title; what orders is their last axis.
        Each shows the runs that have all of its parameters.
    """

    name: str
    where: str
    order: str
    columns: Sequence[str]
    is_ascending: bool = False
    coordinates: Mapping[str, Sequence[str]] = {}

    @property
    def key(self) -> str:
        """What its address calls it."""
        return self.name.lower().replace(" ", "_")


def widths(view: View) -> dict[str, int]:
    """Pixels that show the head of each column whole; equal ones where five would not fit.

    >>> list(widths(RETRAINS).values())[:5]
    [98, 126, 117, 154, 124]
    """
    whole = {column: _width(column, sorts=column == view.order) for column in view.columns}
    if sum(list(whole.values())[:FIRST]) <= ROOM:
        return whole
    return {column: min(pixels, ROOM // FIRST) for column, pixels in whole.items()}


def _width(column: str, *, sorts: bool) -> int:
    kind, _, name = column.partition(".")
    head = PADDING + int(LETTER * len(name.strip("`"))) + SORTS * sorts
    return max(head, {"tags": WORDS, "metrics": NUMBER}.get(kind, 0))


def _metrics(*names: str) -> list[str]:
    return [f"metrics.`{name}`" for name in names]


RETRAINS = View(
    name="Retrains",
    where="attributes.status = 'FINISHED' and tags.stage = 'retrain'",
    order=f"metrics.`{Metrics.RANK_IC_T}`",  # by start MLflow hides what is nested under `main`
    columns=[
        *_metrics(Metrics.RANK_IC, Metrics.RANK_IC_T, Metrics.SHARPE, Metrics.MAX_DRAWDOWN),
        f"tags.`{Tags.VERDICT}`",
        *_metrics(
            Metrics.R2, Metrics.MAE, Metrics.GROSS_SHARPE, Metrics.DEFLATED_SHARPE, Metrics.LOOKS,
            Metrics.SESSIONS, Metrics.SELECTIVE_TRADES,
        ),
        "params.`model.name`",
        "params.`retrain.window_days`",
        f"tags.`{Tags.DATA_SOURCE}`",
    ],
)  # fmt: skip

TRIALS = View(
    name="Trials",
    where=f"tags.stage = '{Stages.TRIAL}'",
    order=f"metrics.`{Metrics.CV_SCORE}`",
    columns=[
        *_metrics(Metrics.CV_SCORE),
        f"tags.`{Tags.LEARNER}`",
        f"tags.`{Tags.STATE}`",
        *_metrics(Metrics.CV_RANK_IC_MEAN),
        f"tags.`{Tags.OBJECTIVE}`",
    ],
    coordinates={
        "LightGBM": [
            "n_estimators", "learning_rate", "num_leaves", "min_child_samples",
            "colsample_bytree", "subsample", "reg_lambda",
        ],
        "Ridge": ["alpha"],
        "HistGradientBoosting": [
            "max_iter", "learning_rate", "max_leaf_nodes", "min_samples_leaf", "max_features",
            "l2_regularization",
        ],
        "ExtraTrees": [
            "n_estimators", "max_depth", "max_features", "min_samples_leaf", "max_samples",
        ],
        "RandomForest": ["n_estimators", "max_depth", "min_samples_split"],
        "GradientBoosting": ["n_estimators", "learning_rate", "max_depth", "subsample"],
        "classic HistGradientBoosting": [
            "max_depth", "learning_rate", "min_samples_leaf", "l2_regularization",
        ],
    },
)  # fmt: skip

SWEEPS = View(
    name="Sweeps",
    where=f"tags.stage = '{Stages.SWEEP_CHILD}'",
    order=f"metrics.`{Metrics.SHARPE}`",
    columns=[
        *_metrics(
            Metrics.SHARPE, Metrics.TOTAL_RETURN, Metrics.MAX_DRAWDOWN, Metrics.BREAK_EVEN_BPS
        ),
        "params.`backtest.bankroll`",
        "params.`strategy.max_positions`",
        "params.`strategy.open_bps`",
        "params.`strategy.close_bps`",
    ],
)

SIGNALS = View(
    name="Signals and monitoring",
    where="tags.stage = 'signals'",
    order=f"metrics.`{Metrics.SIGNAL_BEST_FORECAST_BPS}`",
    columns=[
        "tags.`session`",
        f"tags.`{Tags.MODEL_VERSION}`",
        *_metrics(
            Metrics.SIGNAL_ORDERS, Metrics.SIGNAL_BEST_FORECAST_BPS, Metrics.SIGNAL_STALE_SYMBOLS
        ),
        f"tags.`{Tags.VERDICT}`",
    ],
)

VIEWS = (RETRAINS, TRIALS, SWEEPS, SIGNALS)

NOTE = (
    "Retrains of the open-to-close return. **Views > Retrains** is the leaderboard, **Views > "
    "Trials** the searches, **Views > Sweeps** the settings of swept backtests, **Views > Signals "
    "and monitoring** what was proposed. Runs of the data stages and of `status` have the tag "
    f"`{Tags.ROUTINE}`: leave them out by ``tags.{Tags.ROUTINE} != 'true'``."
)


def experiment_tags() -> dict[str, str]:
    """A kind, a note and the shared views."""
    return {
        "mlflow.experimentKind": "custom_model_development",
        "mlflow.note.content": NOTE,
        **{f"{PREFIX}{view.key}": shared(view) for view in VIEWS},
    }


def refresh(experiment_id: str) -> None:
    """Share the views of this version of the project in a store that has those of an older one."""
    client = MlflowClient()
    have = client.get_experiment(experiment_id).tags
    for key, value in experiment_tags().items():
        if key not in have or _state(have[key]) != _state(value):
            client.set_experiment_tag(experiment_id, key, value)


def shared(view: View) -> str:
    """The tag's value."""
    state = {
        "searchFilter": view.where,
        "orderByKey": view.order,
        "orderByAsc": view.is_ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": list(view.columns),
        "columnOrder": list(view.columns),
        "columnWidths": widths(view),
        **(_charts(view) if view.coordinates else {}),
    }
    packed = base64.b64encode(zlib.compress(json.dumps(state).encode())).decode()
    now = int(time.time() * 1000)
    content = {"name": view.name, "createdAt": now, "updatedAt": now, "state": f"deflate;{packed}"}
    return json.dumps(content)


def _charts(view: View) -> dict[str, Any]:
    """Charts of all runs of the view, shown by the button beside the table's; empty ones hidden.

    Each stands in a section of its own, whose name is its title: MLflow gives all of them one.
    """
    sections = {f"{view.key}-{place}": title for place, title in enumerate(view.coordinates)}
    score = view.order.partition(".")[2].strip("`")
    return {
        "compareRunCharts": [
            {
                "uuid": f"{section}-chart", "metricSectionId": section, "type": "PARALLEL",
                "selectedParams": list(view.coordinates[title]), "selectedMetrics": [score],
                "showAllRuns": True, "runsCountToCompare": 100, "deleted": False,
                "isGenerated": False,
            }
            for section, title in sections.items()
        ],
        "compareRunSections": [
            {
                "uuid": section, "name": f"parameters of {title}", "columns": 1, "display": True,
                "isReordered": False, "deleted": False, "isGenerated": False,
            }
            for section, title in sections.items()
        ],
        "isAccordionReordered": True,  # else sections stand in the order of their names
        "hideEmptyCharts": True,
    }  # fmt: skip


def unpacked(value: str) -> dict[str, Any]:
    """The state inside of a tag's value."""
    packed = json.loads(value)["state"].removeprefix("deflate;")
    state: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(packed)))
    return state


def _state(value: str) -> Any:
    """A tag's value without its times."""
    return unpacked(value) if '"deflate;' in value else value
