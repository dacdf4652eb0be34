"""Predictions of sessions that a model was fitted on: its recipe, refitted as of earlier dates.

Every fit sees sessions before those it predicts, and no others. The parameters are the version's:
they were chosen on later sessions, which flatters the result; a walk-forward retrain chooses them
again as of each date.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

import pandas as pd

from pipeline.commands import Command
from pipeline.contract import Artifacts, Tables, Tags
from pipeline.errors import Refused
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.tracking import notes, runs
from pipeline.io.tracking.chosen import chosen_parameters
from pipeline.io.tracking.values import ModelVersion
from pipeline.learning.dataset import Dataset, digest
from pipeline.learning.pool import Pool
from pipeline.learning.windows import Step
from pipeline.recipe.data import decided
from pipeline.recipe.decision import forecast_columns
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen
from pipeline.recipe.steps import TRAINED_UNTIL, joined_steps, predicted_steps
from pipeline.serving import versions
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.backtest")


@dataclass(frozen=True)
class Refits:
    """Refits of a version's recipe over a range of sessions.

    Attributes
    ----------
    steps
        One a refit date, none of them a search.
    dataset
        Labelled rows up to the last session.
    """

    recipe: Recipe
    steps: list[Step]
    dataset: Dataset

    def predicted(
        self,
        params: Mapping[str, dict[str, object]],
        workspace: Workspace,
        journal: EvaluationJournal,
        pool: Pool,
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Forecasts by (session, symbol) with columns prediction and trained_until; a row a step.

        A command that was killed goes on with the refit it was at.
        """
        chosen = Chosen(dict(params), weights={}, metrics={}, trials=[])
        parts = predicted_steps(
            self.recipe, self.dataset, self.steps, chosen, workspace, journal, pool
        )
        joined, table = joined_steps(list(parts))
        return joined[[*forecast_columns(joined), TRAINED_UNTIL]], table

    def journal(self, workspace: Workspace, version: str, run_id: str) -> EvaluationJournal:
        """The refits done so far; another one for other data, dates or versions."""
        first, last = self.steps[0].predicted[0], self.steps[-1].predicted[-1]
        every = self.recipe.windows.evaluation.refit_every
        name = f"v{version}-{digest(self.dataset)[:12]}-{first:%Y%m%d}-{last:%Y%m%d}-{every}"
        return EvaluationJournal(workspace.folder / "refits" / name, run_id)


def refitted(
    recipe: Recipe,
    workspace: Workspace,
    version: ModelVersion,
    first: pd.Timestamp | None,
    opened: AbstractContextManager[Pool],
) -> pd.DataFrame:
    """Forecasts by a version's recipe, refitted as of each date with its parameters; logged.

    Parameters
    ----------
    recipe
        Of the version.
    first
        Default: the first session that can be predicted.
    opened
        What the fits run on, opened once there is something to fit.

    Returns
    -------
    DataFrame
        By (session, symbol), columns of ``recipe.decision.forecast_columns``.

    Raises
    ------
    Refused
        The version does not serve here, or sessions without a full window before them are asked
        for.
    """
    versions.check_serves(workspace, version, "backtest")
    planned = refits(recipe, workspace, first, "backtest")
    workspace.require_current("backtest", planned.dataset.sessions, labels=True)
    until = runs.tags_of(version.run_id)[Tags.WINDOW_END]
    count = len(planned.steps)
    log.info("backtest: %d refits with the parameters chosen until %s", count, until)
    notes.set_tags({Tags.REFIT: "walk_forward", Tags.CHOSEN_UNTIL: until})
    journal = planned.journal(workspace, version.version, runs.current_run_id())
    with runs.timed("refits"):
        params = chosen_parameters(version.run_id, [learner.name for learner in recipe.learners])
        with opened as pool:
            predicted, steps = planned.predicted(params, workspace, journal, pool)
    runs.log_table(steps, Tables.STEPS)
    runs.log_frame(predicted, Artifacts.PREDICTIONS)
    journal.remove()
    return forecast_columns(predicted)


def refits(recipe: Recipe, workspace: Workspace, first: pd.Timestamp | None, who: str) -> Refits:
    """The refits that predict the sessions from a day on, by default all that can be.

    Raises
    ------
    Refused
        Sessions without a full window before them are requested.
    """
    ready, last = workspace.store.label_ready_sessions(), recipe.windows.window.last
    sessions = ready if last is None else ready[ready <= last]
    dataset = decided(recipe, workspace.dataset(sessions, recipe.columns), workspace)
    steps = recipe.windows.walk_forward(dataset.sessions)
    if first is not None:
        _require_window(recipe, dataset, first, steps[0].predicted[0], who)
        steps = recipe.windows.walk_forward(dataset.sessions, start=first)
    return Refits(recipe, [replace(step, search=False) for step in steps], dataset)


def _require_window(
    recipe: Recipe, dataset: Dataset, first: pd.Timestamp, earliest: pd.Timestamp, who: str
) -> None:
    requested = dataset.sessions[dataset.sessions >= first]
    if requested.empty or requested[0] < earliest:
        raise Refused(
            who,
            f"{(requested < earliest).sum()} of {len(requested)} sessions, "
            f"{first:%Y-%m-%d} the first, lack the {recipe.windows.window.window_days} days before "
            "them that the recipe learns from",
            f"sessions from {earliest:%Y-%m-%d} to {dataset.sessions[-1]:%Y-%m-%d}",
            Command(who, "backtest.refit=walk_forward", start_date=f"{earliest:%Y-%m-%d}"),
        )
