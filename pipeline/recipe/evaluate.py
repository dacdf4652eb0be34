"""Out-of-sample predictions: the recipe at each step, by models that saw earlier sessions only.

A holdout evaluation is one step. A walk-forward repeats the whole recipe, search included, over
the history. What a step predicted is kept by a journal until the retrain has ended, so that a
killed one goes on with the step it was at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import pandas as pd

from pipeline.learning.dataset import Dataset
from pipeline.learning.learner import Learner
from pipeline.learning.metrics import rank_ic
from pipeline.learning.pool import HERE, Pool
from pipeline.learning.predicted_step import PredictedStep
from pipeline.learning.search.trials import Trial
from pipeline.learning.windows import Step
from pipeline.recipe.books import net_returns
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, Clock, searched
from pipeline.recipe.steps import PREDICTION, History, Journal, joined_steps, predicted_steps

BASELINES = ["zero", "mean", "ridge"]


class Observer:
    """Hears of an evaluation as it goes on; this one does nothing."""

    def on_resume(self, left_by: str) -> None:
        """Hear that a search goes on which another run began."""

    def on_trial(self, trial: Trial) -> None:
        """Hear of a trial, in order."""

    def on_search(self, number: int, chosen: Chosen, trials: int, until: pd.Timestamp) -> None:
        """Hear of a search: its number, all trials so far, the last session it learned from."""

    def on_step(self) -> None:
        """Hear that a step's sessions are predicted."""


@dataclass(frozen=True)
class OutOfSample:
    """What the steps predicted, and how.

    Attributes
    ----------
    predicted
        Every snapshot of the predicted sessions: whether a symbol will trade is not known before
        the open. Columns prediction, zero, mean, ridge, trained_until, and ``window_<percent>``
        for the shorter windows of the learning curve (at search steps).
    searches
        What each search decided, oldest first.
    steps
        One row a step: first and last session of development and prediction, rows, the
        weight of each learner.
    """

    predicted: pd.DataFrame
    searches: list[Chosen]
    steps: pd.DataFrame

    @property
    def chosen(self) -> Chosen:
        """The newest decision: what the final refit uses."""
        return self.searches[-1]

    @property
    def predictions(self) -> pd.Series:
        """Forecast return by (session, symbol)."""
        return self.predicted[PREDICTION]

    @property
    def trials(self) -> int:
        """Trials of all searches."""
        return sum(len(search.trials) for search in self.searches)

    @property
    def metrics(self) -> dict[str, float]:
        """Scores of the newest search; the trials of all."""
        return {**self.chosen.metrics, "cv/trials": float(self.trials)}


def out_of_sample(
    recipe: Recipe,
    dataset: Dataset,
    steps: Sequence[Step],
    history: History,
    journal: Journal,
    *,
    clock: Clock,
    pool: Pool = HERE,
    observer: Observer | None = None,
) -> OutOfSample:
    """Search where a step asks for it, fit, and predict the sessions after.

    Parameters
    ----------
    dataset
        Labelled rows of all development sessions.
    clock
        Seconds; for a time budget alone.
    pool
        Where fits run; decides nothing but the time they take.
    """
    observer = observer or Observer()
    parts: list[PredictedStep] = []
    searches: list[Chosen] = []
    for number, block in enumerate(_blocks(steps)):
        development = dataset.at(block[0].development)
        recipe.require_rows(
            "retrain", f"the window before {block[0].predicted[0]:%Y-%m-%d}", development
        )
        market = history.market(development.sessions, recipe.rules)
        with journal.search(block[0]) as studies:
            if studies.left_by:
                observer.on_resume(studies.left_by)
            chosen = searched(
                recipe,
                development,
                studies,
                strategy_returns=partial(net_returns, recipe.rules, recipe.bankroll, market),
                clock=clock,
                pool=pool,
                on_trial=observer.on_trial,
            )
        searches.append(chosen)
        trials = sum(len(search.trials) for search in searches)
        observer.on_search(number, chosen, trials, development.sessions[-1])
        for part in predicted_steps(recipe, dataset, block, chosen, history, journal, pool):
            parts.append(part)
            observer.on_step()
    predicted, table = joined_steps(parts)
    return OutOfSample(predicted, searches, table)


def _blocks(steps: Sequence[Step]) -> list[list[Step]]:
    """Each search step with the steps that use its parameters."""
    blocks: list[list[Step]] = []
    for step in steps:
        if step.search or not blocks:
            blocks.append([])
        blocks[-1].append(step)
    return blocks


def searches_table(outcome: OutOfSample, learners: Sequence[Learner]) -> pd.DataFrame:
    """Scores, weights and parameters of every search: how stable the choices are.

    Returns
    -------
    DataFrame
        One row a search: predicted_first (a session), cv_rank_ic, ``weight.<learner>``, and
        ``<learner>.<parameter>`` of what was searched or differs between searches.
    """
    first = outcome.steps.loc[outcome.steps["search"], "predicted_first"].tolist()
    table = pd.DataFrame(
        {
            "predicted_first": day,
            "cv_rank_ic": chosen.metrics["cv/rank_ic_mean"],
            **{f"weight.{name}": weight for name, weight in chosen.weights.items()},
            **{
                f"{name}.{key}": v
                for name, best in chosen.params.items()
                for key, v in best.items()
            },
        }
        for day, chosen in zip(first, outcome.searches, strict=True)
    )
    searched = {f"{learner.name}.{key}" for learner in learners for key in learner.space}
    always = {"predicted_first", "cv_rank_ic", *(f"weight.{learner.name}" for learner in learners)}
    differ = {name for name in table if len(set(table[name].astype(str))) > 1}
    return table[[name for name in table if name in searched | always | differ]]


def learning_curve(outcome: OutOfSample, returns: pd.Series) -> pd.DataFrame:
    """Rank IC by length of the window, all on the same sessions: those after a search.

    Parameters
    ----------
    returns
        Fractions by (session, symbol), of all predicted rows with a label.

    Returns
    -------
    DataFrame
        One row a length: window_percent, rank_ic, sessions; none without shorter windows.
    """
    shorter = [name for name in outcome.predicted if str(name).startswith("window_")]
    rows = outcome.predicted.loc[returns.index].dropna(subset=shorter) if shorter else None
    if rows is None or rows.empty:
        return pd.DataFrame(columns=["window_percent", "rank_ic", "sessions"])
    percents = {name: int(str(name).removeprefix("window_")) for name in shorter}
    scores = {
        percent: rank_ic(returns[rows.index], rows[name])
        for name, percent in {**percents, PREDICTION: 100}.items()
    }
    return pd.DataFrame(
        {"window_percent": percent, "rank_ic": score.mean(), "sessions": int(score.count())}
        for percent, score in sorted(scores.items())
    )
