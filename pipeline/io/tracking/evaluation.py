"""An evaluation as MLflow sees it while it goes on: trials as nested runs, searches, steps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any, Self

import pandas as pd

from pipeline.contract import Artifacts, Metrics, Parameters, Tables, Tags
from pipeline.io import terminal
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.tracking import later, notes, runs, uploads
from pipeline.io.tracking.study_file import log_study
from pipeline.io.tracking.trials import recorded
from pipeline.learning.learner import Learner
from pipeline.learning.pool import Pool
from pipeline.learning.search.trials import Trial
from pipeline.recipe.data import RetrainData
from pipeline.recipe.evaluate import Observer, OutOfSample, out_of_sample, searches_table
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, Clock, planned_trials
from pipeline.recipe.steps import History
from pipeline.report.numbers import count

log = logging.getLogger("pipeline.retrain")


class RetrainRecorder(Observer):
    """Records an evaluation on a run as it goes on: trials as nested runs, searches, progress.

    Parameters
    ----------
    run_id
        Of the parent of the trials.
    steps
        How many steps there are.
    """

    def __init__(self, run_id: str, recipe: Recipe, steps: int) -> None:
        self._run_id, self._recipe, self._resumed = run_id, recipe, ""
        self._closing = ExitStack()
        self._steps = self._closing.enter_context(terminal.task("steps", steps))
        trials = planned_trials(recipe)
        self._trials = self._closing.enter_context(terminal.task("trials of a search", trials))
        self._record = self._closing.enter_context(recorded(run_id, recipe.plan.objective))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: Any) -> None:
        self._closing.__exit__(*error)

    def on_resume(self, left_by: str) -> None:
        """Say and tag whose search goes on."""
        if self._resumed != left_by:  # each search of a walk asks
            log.info("retrain: the search goes on where run %s left it", left_by)
        self._resumed = left_by
        self._tag_once(Tags.RESUMED_FROM, left_by)

    def on_trial(self, trial: Trial) -> None:
        """Record a trial as a nested run."""
        self._record(trial)
        self._trials.advance()

    def on_search(self, number: int, chosen: Chosen, trials: int, until: pd.Timestamp) -> None:
        """Log the scores of a search, what ended it, its picture and its study."""
        metrics = {**chosen.metrics, Metrics.CV_TRIALS: float(trials)}
        metrics[f"{Metrics.TIME}search_seconds"] = chosen.metrics[Metrics.SEARCH_SECONDS]
        later.log_later(metrics, step=number)
        done = ", ".join(f"{name}: {n}" for name, n in chosen.trials_by_learner.items())
        notes.set_tags({Tags.RECORDED_TRIALS: f"{{{done}}}"})
        if chosen.stopped_by == "time":
            notes.set_tags({Tags.STOPPED_BY: "time"})
        else:
            self._tag_once(Tags.STOPPED_BY, "trials")
        self._record_search(chosen, until)
        self._trials.restart()

    def on_step(self) -> None:
        """Move the bar of steps."""
        self._steps.advance()

    def _tag_once(self, name: str, value: str) -> None:
        """Leave what an earlier search of the run logged: a later one may speak of older runs."""
        if not notes.has_tag(notes.open_run(), name):
            notes.set_tags({name: value})

    def _record_search(self, chosen: Chosen, until: pd.Timestamp) -> None:
        """Its picture, the study as a file, and a word where a best value is an end of its space.

        A walk-forward has one of each search, named by the last session it learned from.
        """
        from pipeline.report.search_figure import search_figure
        from pipeline.report.spaces import ends_of_spaces

        learners, objective = self._recipe.learners, self._recipe.plan.objective
        figure = search_figure(learners, chosen.trials, objective)
        if figure is None:
            return
        walks = self._recipe.windows.evaluation.is_walk_forward
        named = f"{Artifacts.SEARCHES}/{until:%Y-%m-%d}"
        uploads.send_figure(f"{named}.png" if walks else Artifacts.SEARCH_PICTURE, figure)
        log_study(learners, chosen.trials, objective, f"{named}.log" if walks else Artifacts.STUDY)
        for line in ends_of_spaces(learners, chosen.params):
            log.info("retrain: %s", line)


def recorded_evaluation(
    recipe: Recipe,
    data: RetrainData,
    history: History,
    journal: EvaluationJournal,
    *,
    clock: Clock,
    pool: Pool,
) -> OutOfSample:
    """`recipe.evaluate.out_of_sample`, recorded on the open run as it goes on."""
    steps, run_id = data.windows.steps, runs.current_run_id()
    if journal.steps_done:
        log.info("retrain: goes on, %d of %d steps are done", journal.steps_done, len(steps))
    with runs.timed("evaluate"), RetrainRecorder(run_id, recipe, len(steps)) as recorder:
        outcome = out_of_sample(
            recipe, data.dataset, steps, history, journal,
            clock=clock, pool=pool, observer=recorder,
        )  # fmt: skip
    _record_outcome(outcome, recipe.learners)
    return outcome


def _record_outcome(outcome: OutOfSample, learners: Sequence[Learner]) -> None:
    """The parameters chosen at last, and what each step and search did."""
    chosen = outcome.chosen
    notes.log_params(
        {
            f"{Parameters.CHOSEN}{name}.{key}": value
            for name, best in chosen.params.items()
            for key, value in best.items()
        }
    )
    runs.log_table(outcome.steps, Tables.STEPS)
    if len(outcome.searches) > 1:
        runs.log_table(searches_table(outcome, learners), Tables.SEARCHES)
    weights = " + ".join(f"{weight:.3f} x {name}" for name, weight in chosen.weights.items())
    shrunk = ", shrunk to what held out of fold" if sum(chosen.weights.values()) < 1.0 else ""
    log.info("%s; the forecast is %s%s", count(outcome.trials, "trial"), weights, shrunk)
