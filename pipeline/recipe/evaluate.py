"""Out-of-sample predictions: the recipe at each step, by models that saw earlier sessions only.

A holdout evaluation is one step. A walk-forward repeats the whole recipe, search included, over
the history. What a step predicted is kept by a journal until the retrain has ended, so that a
killed one goes on with the step it was at.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import pandas as pd

from pipeline.learning.baselines import baselines
from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import rank_ic
from pipeline.learning.models import predictions
from pipeline.learning.search.trials import Trial
from pipeline.learning.threads import fit_workers
from pipeline.learning.windows import Step
from pipeline.recipe.books import net_returns
from pipeline.recipe.decision import Opens
from pipeline.recipe.fit import fitted
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, Clock, Studies, refitted_weights, searched
from pipeline.recipe.seen import seen
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

PREDICTION = "prediction"
TRAINED_UNTIL = "trained_until"
"""Column of stored predictions: the last session that the model of each one learned from."""

BASELINES = ["zero", "mean", "ridge"]


class History(Opens, Protocol):
    """What an evaluation reads of the sessions it is at."""

    def snapshots(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
        """Features of every snapshot of these sessions, labelled or not."""
        ...

    def market(self, sessions: pd.DatetimeIndex, rules: Rules) -> Market:
        """Prices and all that rules need to trade these sessions."""
        ...


class Journal(Protocol):
    """What is kept of an evaluation under way."""

    def search(self, step: Step) -> AbstractContextManager[Studies]:
        """The studies of the search at a step, for one process at a time."""
        ...

    def step(self, step: Step, predict: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """What a step predicted: kept from before, or predicted now and kept."""
        ...


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
    workers: int = 1,
    observer: Observer | None = None,
) -> OutOfSample:
    """Search where a step asks for it, fit, and predict the sessions after.

    Parameters
    ----------
    dataset
        Labelled rows of all development sessions.
    clock
        Seconds; for a time budget alone.
    workers
        Threads; decides nothing but the time it takes.
    """
    observer = observer or Observer()
    parts: list[pd.DataFrame] = []
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
                workers=workers,
                on_trial=observer.on_trial,
            )
        searches.append(chosen)
        trials = sum(len(search.trials) for search in searches)
        observer.on_search(number, chosen, trials, development.sessions[-1])
        for part in predicted_steps(recipe, dataset, block, chosen, history, journal, workers):
            parts.append(part)
            observer.on_step()
    predicted, table = joined_steps(parts)
    return OutOfSample(predicted, searches, table)


def joined_steps(parts: Sequence[pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What all steps predicted, and one row a step."""
    table = pd.DataFrame([part.attrs["step"] for part in parts])
    for part in parts:
        part.attrs = {}
    return pd.concat(parts), table


def predicted_steps(
    recipe: Recipe,
    dataset: Dataset,
    block: Sequence[Step],
    chosen: Chosen,
    history: History,
    journal: Journal,
    workers: int = 1,
) -> Iterator[pd.DataFrame]:
    """What the steps of one search predict, side by side; in order.

    Each part has the columns of `OutOfSample.predicted`, and its row of ``steps`` in ``attrs``. A
    step without a search uses the parameters alone and calibrates their slope again.
    """

    def part(step: Step) -> pd.DataFrame:
        return journal.step(step, lambda: _predicted(recipe, dataset, step, chosen, history))

    with fit_workers(min(workers, len(block))) as pool:
        yield from pool.map(part, block)


def _predicted(
    recipe: Recipe, dataset: Dataset, step: Step, chosen: Chosen, history: History
) -> pd.DataFrame:
    development = dataset.at(step.development)
    weights = chosen.weights if step.search else refitted_weights(recipe, development, chosen)
    model = fitted(recipe, chosen.params, development, weights)
    snapshots = history.snapshots(step.predicted, recipe.columns)
    features, told = seen(recipe, model, snapshots, step.predicted, history)
    part = baselines(development, features, recipe.target)
    part = pd.concat([told, part], axis=1)
    part[TRAINED_UNTIL] = development.sessions[-1]
    if step.search:
        for share in recipe.windows.evaluation.learning_curve:
            recent = development.sessions[-round(share * len(development.sessions)) :]
            shorter = fitted(recipe, chosen.params, dataset.at(recent), weights)
            part[f"window_{round(100 * share)}"] = predictions(shorter, features)
    part.attrs["step"] = {
        "search": step.search,
        "development_first": f"{development.sessions[0]:%Y-%m-%d}",
        "development_last": f"{development.sessions[-1]:%Y-%m-%d}",
        "predicted_first": f"{step.predicted[0]:%Y-%m-%d}",
        "predicted_last": f"{step.predicted[-1]:%Y-%m-%d}",
        "sessions": len(development.sessions),
        "rows": len(development.returns),
        **{f"weight_{name}": weight for name, weight in weights.items()},
    }
    return part


def _blocks(steps: Sequence[Step]) -> list[list[Step]]:
    """Each search step with the steps that use its parameters."""
    blocks: list[list[Step]] = []
    for step in steps:
        if step.search or not blocks:
            blocks.append([])
        blocks[-1].append(step)
    return blocks


def searches_table(outcome: OutOfSample) -> pd.DataFrame:
    """Parameters, weights and scores of every search: how stable the choices are."""
    first = outcome.steps.loc[outcome.steps["search"], "predicted_first"].tolist()
    return pd.DataFrame(
        {
            "predicted_first": day,
            "weights": json.dumps(chosen.weights),
            "cv_rank_ic": chosen.metrics["cv/rank_ic_mean"],
            **{name: json.dumps(best, default=str) for name, best in chosen.params.items()},
        }
        for day, chosen in zip(first, outcome.searches, strict=True)
    )


def learning_curve(outcome: OutOfSample, returns: pd.Series) -> pd.DataFrame:
    """Rank IC by length of the window, all on the same sessions: those after a search.

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
