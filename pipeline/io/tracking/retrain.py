"""What a retrain records before it is published: inputs, looks, result, refit."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.contract import Artifacts, Tables, Tags
from pipeline.gates.gates import in_words
from pipeline.gates.judge import Result
from pipeline.io import process
from pipeline.io.tracking import (
    later,
    looks,
    notes,
    run_files,
    runs,
)
from pipeline.io.tracking.identity import data_identity, log_identity
from pipeline.learning.dataset import digest
from pipeline.learning.drivers import Driver
from pipeline.paths import ROOT
from pipeline.recipe.data import RetrainData
from pipeline.recipe.evaluate import (
    OutOfSample,
)
from pipeline.recipe.fit import weight_metrics
from pipeline.recipe.recipe import Recipe
from pipeline.report.headlines import headlines_first
from pipeline.trading.market import Market
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.retrain")


def record_inputs(recipe: Recipe, data: RetrainData, tags: Mapping[str, str]) -> None:
    """What the open run learns from: recipe, windows, rows, code and versions.

    Parameters
    ----------
    tags
        Of the data: its source, universe, feature set and version.
    """
    judged = data.judged.sessions
    development = data.windows.development
    run_files.log_text(json.dumps(recipe.content, indent=2, default=str), Artifacts.RECIPE)
    later.log_later(data.metrics)
    notes.set_tags(
        {
            **process.git_state(ROOT),
            **process.environment(ROOT),
            **tags,
            Tags.RECIPE: recipe.hash,
            Tags.EVALUATION: recipe.windows.evaluation.name,
            Tags.DATA_DIGEST: data.digest,
            Tags.WINDOW_START: f"{development[0]:%Y-%m-%d}",
            Tags.WINDOW_END: f"{development[-1]:%Y-%m-%d}",
            Tags.HOLDOUT_START: f"{judged[0]:%Y-%m-%d}",
            Tags.HOLDOUT_END: f"{judged[-1]:%Y-%m-%d}",
        }
    )
    digests = {"development": digest(data.development), "holdout": digest(data.judged)}
    notes.log_datasets(tags[Tags.DATA_SOURCE], digests)


def record_overridden_gates(overridden: Mapping[str, str]) -> None:
    """Gates that are not those of their file: a promotion asks for a reason.

    Parameters
    ----------
    overridden
        Of ``Gates.overridden``.
    """
    if overridden:
        log.warning("gates that differ from their file: %s; `promote` asks for a reason",
                    in_words(overridden))  # fmt: skip
        notes.set_tags({Tags.OVERRIDDEN_GATES: in_words(overridden)})


def record_look(
    recipe: Recipe, workspace: Workspace, data: RetrainData, outcome: OutOfSample, market: Market
) -> dict[str, float]:
    """Keep that these predictions are looked at, and on what data, before a figure of them is seen.

    Parameters
    ----------
    market
        Of the judged sessions.

    Returns
    -------
    dict
        Earlier looks at these sessions, by run id with the part they cover.
    """
    shown = looks.look(
        workspace, runs.current_run_id(), recipe.hash, outcome.predictions, recipe.rules,
        recipe.bankroll,
    )  # fmt: skip
    earlier = looks.earlier_looks(workspace, shown, data.judged.sessions)
    log_identity(data_identity(workspace, data, market))
    looks.record_look(workspace, shown)
    return earlier


def record_result(result: Result) -> None:
    """Verdict, metrics, looks, tables and predictions of a judged recipe.

    The tags first: a run that is killed between them and its figures counts as a look.
    """
    notes.set_tags({Tags.PREDICTIONS: result.digest, Tags.VERDICT: result.verdict})
    later.log_result(headlines_first(result.metrics))
    looks.log_looks(result.looks)
    for name, table in result.tables.items():
        runs.log_table(table, name)
    runs.log_frame(result.stored, Artifacts.PREDICTIONS)


def record_weights(weights: Mapping[str, float]) -> None:
    """Weights of the learners in the model to serve; before it is logged, which writes them."""
    later.log_result(weight_metrics(weights))


def record_drivers(drivers: Sequence[Driver]) -> None:
    """What drives the forecasts of the model to serve."""
    runs.log_table(pd.DataFrame(drivers), Tables.DRIVERS)
