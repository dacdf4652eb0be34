"""Out-of-sample predictions: what each step learns from, predicts, and what is said on the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import TooFewSessions
from pipeline.gates.champion import at_sessions
from pipeline.learning.metrics import rank_ic
from pipeline.learning.pool import HERE, Pool, Threads
from pipeline.learning.predicted_step import PredictedStep
from pipeline.learning.search.trials import Trial
from pipeline.recipe.data import RetrainData, retrain_data
from pipeline.recipe.evaluate import (
    Observer,
    OutOfSample,
    learning_curve,
    out_of_sample,
    searches_table,
)
from pipeline.recipe.fit import fitted, refitted, weight_metrics
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.search import Chosen, refitted_weights
from pipeline.recipe.windows import Step
from tests.learning import made as learning
from tests.learning.made_steps import predicted_step
from tests.recipe import made
from tests.recipe.history import ForgetfulJournal, History, history

RIDGE = learning.learner(
    name="ridge",
    initial={"alpha": 1.0},
    space={"alpha": {"type": "float", "low": 0.1, "high": 10.0}},
)
FIXED = learning.learner(name="fixed", initial={"alpha": 5.0})


@pytest.fixture(scope="module")
def world() -> History:
    return history()


def walking(**changes: Any) -> Recipe:
    """Refits every 10 sessions, searches every 20, from a window of 40 days."""
    evaluation = made.evaluation(
        name="walk_forward", refit_every=10, search_every=20, learning_curve=(0.5,)
    )
    plain = {
        "learners": (RIDGE, FIXED),
        "weights": "stacked",
        "splitter": learning.walk_forward(folds=2, fold_sessions=5, min_train_sessions=10),
        "windows": made.windows(
            window=made.window(window_days=40), evaluation=evaluation, min_sessions=21
        ),
    }
    return made.recipe(**plain | changes)


class Recording(Observer):
    def __init__(self) -> None:
        self.trials: list[Trial] = []
        self.searches: list[tuple[int, int, pd.Timestamp]] = []
        self.steps = 0

    def on_trial(self, trial: Trial) -> None:
        self.trials.append(trial)

    def on_search(self, number: int, chosen: Chosen, trials: int, until: pd.Timestamp) -> None:
        self.searches.append((number, trials, until))

    def on_step(self) -> None:
        self.steps += 1


def evaluated(
    recipe: Recipe, world: History, observer: Observer | None = None, pool: Pool = HERE
) -> tuple[RetrainData, OutOfSample]:
    data = retrain_data(recipe, world, world.sessions)
    ticks = count()
    outcome = out_of_sample(
        recipe, data.dataset, data.windows.steps, world, ForgetfulJournal(),
        clock=lambda: float(next(ticks)), pool=pool, observer=observer,
    )  # fmt: skip
    return data, outcome


@pytest.fixture(scope="module")
def walked(world: History) -> tuple[RetrainData, OutOfSample, Recording]:
    observer = Recording()
    return *evaluated(walking(), world, observer), observer


def test_every_snapshot_of_the_predicted_sessions_is_predicted_once(
    world: History, walked: tuple[RetrainData, OutOfSample, Recording]
) -> None:
    data, outcome, _ = walked
    due = world.snapshots(data.windows.predicted, ["signal"])
    assert outcome.predicted.index.sort_values().equals(due.index.sort_values())
    assert len(due) > len(data.judged.returns)  # those without a label, too
    assert list(outcome.predicted.columns[:4]) == ["prediction", "zero", "mean", "ridge"]


def test_each_model_learned_from_earlier_sessions_alone(
    world: History, walked: tuple[RetrainData, OutOfSample, Recording]
) -> None:
    data, outcome, _ = walked
    sessions = outcome.predicted.index.get_level_values("session")
    assert (outcome.predicted["trained_until"] < sessions).all()
    for step in data.windows.steps:
        rows = outcome.predicted[sessions.isin(step.predicted)]
        assert set(rows["trained_until"]) == {step.development[-1]}
    assert outcome.steps["development_last"].lt(outcome.steps["predicted_first"]).all()


def test_what_comes_later_changes_no_earlier_forecast(world: History) -> None:
    _, before = evaluated(walking(), world)
    cut = world.sessions[60]
    labels = world.labels.copy()
    later = labels.index.get_level_values("session") >= cut
    labels.loc[later] = -labels.loc[later] + 0.05
    _, after = evaluated(walking(), replace(world, labels=labels))

    same = before.predicted["trained_until"] < cut
    pd.testing.assert_frame_equal(before.predicted[same], after.predicted[same], check_exact=True)
    assert not before.predicted[~same].equals(after.predicted[~same])


def test_a_step_without_a_search_has_the_parameters_of_the_one_before(
    walked: tuple[RetrainData, OutOfSample, Recording],
) -> None:
    data, outcome, observer = walked
    searches = [step.search for step in data.windows.steps]
    assert outcome.steps["search"].tolist() == searches
    assert searches == [n % 2 == 0 for n in range(len(searches))]
    assert len(outcome.searches) == sum(searches)
    assert outcome.chosen is outcome.searches[-1]
    assert [number for number, _, _ in observer.searches] == list(range(sum(searches)))
    table = searches_table(outcome, (RIDGE, FIXED))
    assert table["predicted_first"].tolist() == (
        outcome.steps.loc[outcome.steps["search"], "predicted_first"].tolist()
    )
    assert table["ridge.alpha"].tolist() == [
        chosen.params["ridge"]["alpha"] for chosen in outcome.searches
    ]


def test_a_step_without_a_search_weighs_the_learners_by_its_own_window(
    walked: tuple[RetrainData, OutOfSample, Recording],
) -> None:
    data, outcome, _ = walked
    names = ["weight_ridge", "weight_fixed"]
    searched, following = outcome.steps[names].iloc[0], outcome.steps[names].iloc[1]
    chosen = outcome.searches[0]
    assert searched.tolist() == [chosen.weights["ridge"], chosen.weights["fixed"]]
    window = data.dataset.at(data.windows.steps[1].development)
    due = refitted_weights(walking(), window, chosen)
    assert following.tolist() == [due["ridge"], due["fixed"]]
    assert following.tolist() != searched.tolist()


@dataclass
class FirstKept(ForgetfulJournal):
    """Keeps what the first step predicted."""

    part: PredictedStep | None = None

    def stored(self, step: Step) -> PredictedStep | None:
        assert self.part is not None
        is_first = self.part.rows.index[0][0] == step.predicted[0]
        return self.part if is_first else None


def test_a_step_that_is_kept_is_not_predicted_again(
    world: History, walked: tuple[RetrainData, OutOfSample, Recording]
) -> None:
    data, before, _ = walked
    steps = data.windows.steps
    kept = at_sessions(before.predicted, steps[0].predicted).assign(prediction=9.0)
    journal = FirstKept(part=predicted_step(kept))
    ticks = count()
    outcome = out_of_sample(
        walking(), data.dataset, steps, world, journal, clock=lambda: float(next(ticks))
    )

    assert journal.predicted == [step.predicted[0] for step in steps[1:]]
    others = [session for step in steps[1:] for session in step.predicted]
    assert (at_sessions(outcome.predicted, steps[0].predicted)["prediction"] == 9.0).all()
    pd.testing.assert_frame_equal(
        at_sessions(outcome.predicted, pd.DatetimeIndex(others)),
        at_sessions(before.predicted, pd.DatetimeIndex(others)),
        check_exact=True,
    )


def test_an_observer_hears_of_every_trial_search_and_step(
    walked: tuple[RetrainData, OutOfSample, Recording],
) -> None:
    data, outcome, observer = walked
    assert observer.steps == len(data.windows.steps)
    assert len(observer.trials) == outcome.trials == 3 * len(outcome.searches)
    assert [trials for _, trials, _ in observer.searches] == [
        3 * (n + 1) for n in range(len(outcome.searches))
    ]
    searched = [step for step in data.windows.steps if step.search]
    assert [until for _, _, until in observer.searches] == [s.development[-1] for s in searched]
    assert outcome.metrics["cv/trials"] == outcome.trials
    assert outcome.metrics["cv/slope"] == sum(outcome.chosen.weights.values())


def test_workers_change_no_number(
    world: History, walked: tuple[RetrainData, OutOfSample, Recording]
) -> None:
    _, several = evaluated(walking(), world, pool=Threads(3))
    pd.testing.assert_frame_equal(several.predicted, walked[1].predicted, check_exact=True)
    pd.testing.assert_frame_equal(several.steps, walked[1].steps, check_exact=True)


def test_shorter_windows_are_compared_on_the_sessions_after_a_search(
    walked: tuple[RetrainData, OutOfSample, Recording],
) -> None:
    data, outcome, _ = walked
    returns = data.judged.returns
    curve = learning_curve(outcome, returns).set_index("window_percent")
    assert list(curve.index) == [50, 100]
    searched = [s for step in data.windows.steps if step.search for s in step.predicted]
    rows = returns[returns.index.get_level_values("session").isin(searched)]
    scores = rank_ic(rows, outcome.predictions[rows.index])
    assert curve.loc[100, "rank_ic"] == scores.mean()
    assert set(curve["sessions"]) == {int(scores.count())}


def test_without_shorter_windows_there_is_no_curve(world: History) -> None:
    data, outcome = evaluated(holding_out(), world)
    assert learning_curve(outcome, data.judged.returns).empty


def holding_out(**changes: Any) -> Recipe:
    plain = {
        "learners": (FIXED,),
        "weights": "stacked",
        "splitter": learning.walk_forward(folds=2, fold_sessions=5, min_train_sessions=10),
        "windows": made.windows(window=made.window(window_days=60, holdout_days=20)),
    }
    return made.recipe(**plain | changes)


def test_a_holdout_is_predicted_by_one_model_with_the_searched_weights(world: History) -> None:
    data, outcome = evaluated(holding_out(), world)
    (step,) = data.windows.steps
    assert outcome.predicted.index.unique("session").equals(step.predicted)
    assert outcome.steps["weight_fixed"].tolist() == [outcome.chosen.weights["fixed"]]
    model = fitted(holding_out(), outcome.chosen.params, data.development, outcome.chosen.weights)
    features = world.snapshots(step.predicted, ["signal", "noise"])
    expected = model.predict(features.astype("float64"))
    np.testing.assert_allclose(outcome.predictions, expected, rtol=1e-12)


def test_the_refit_has_the_parameters_chosen_and_weights_of_the_newest_window(
    world: History,
) -> None:
    recipe = holding_out()
    data, outcome = evaluated(recipe, world)
    model, weights = refitted(recipe, outcome.chosen, data.newest)
    same = fitted(recipe, outcome.chosen.params, data.newest, weights)
    rows = data.newest.features.astype("float64")
    assert (model.predict(rows) == same.predict(rows)).all()
    assert weights != outcome.chosen.weights
    assert weight_metrics(weights) == {
        "refit/slope": weights["fixed"], "refit/weight_fixed": weights["fixed"],
    }  # fmt: skip


# ---- the rows of a retrain ----


def test_data_are_named_by_recipe_rows_and_evaluation(world: History) -> None:
    recipe = holding_out()
    data = retrain_data(recipe, world, world.sessions)
    name = data.name_of(recipe)
    assert name == f"{recipe.hash}-{data.digest[:12]}-holdout"
    changed = world.labels * 2
    other = retrain_data(recipe, replace(world, labels=changed), world.sessions)
    assert other.name_of(recipe) != name
    assert data.name_of(holding_out(seed=8)) != name


def test_data_are_counted_by_development_rows(world: History) -> None:
    data = retrain_data(holding_out(), world, world.sessions)
    development = data.dataset.at(data.windows.development)
    assert data.metrics == {
        "data/rows": len(development.returns),
        "data/sessions": len(data.windows.development),
        "data/symbols": 6,
        "data/dropped_rows": data.dataset.dropped["no label"],
        "data/dropped/no label": data.dataset.dropped["no label"],
    }
    assert data.metrics["data/dropped_rows"] > 0


def test_a_walk_forward_begins_with_the_first_session_that_has_rows(world: History) -> None:
    earlier = world.bars.sessions
    data = retrain_data(walking(), world, earlier)
    assert data.windows.steps[0].development[0] >= world.sessions[0]


@pytest.mark.parametrize(
    ("recipe", "part"),
    [
        (holding_out(windows=made.windows(window=made.window(window_days=20))), "development"),
        (walking(splitter=learning.walk_forward(folds=9, fold_sessions=9)), "the refit window"),
    ],
)
def test_windows_with_too_few_rows_for_the_folds_are_refused_by_name(
    world: History, recipe: Recipe, part: str
) -> None:
    with pytest.raises(TooFewSessions, match=f"retrain: {part} has"):
        retrain_data(recipe, world, world.sessions)
