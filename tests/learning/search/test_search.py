from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import optuna
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin

from pipeline.errors import InvalidData, InvalidSettings, PipelineError
from pipeline.learning.learner import Learner
from pipeline.learning.pool import Threads
from pipeline.learning.search.folds import Fold, prepared_folds, validated_returns
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.proposals import distributions
from pipeline.learning.search.search import search
from pipeline.learning.search.trial_runner import TrialRunner
from pipeline.learning.search.trials import Trial, out_of_fold
from tests.learning import made

TREES = made.learner(
    made.TREES,
    "trees",
    initial={"n_estimators": 4, "max_depth": 3, "min_samples_leaf": 2, "max_features": 0.5},
    space={
        "max_depth": {"type": "int", "low": 1, "high": 6},
        "min_samples_leaf": {"type": "int", "low": 1, "high": 20, "log": True},
        "max_features": {"type": "categorical", "choices": [0.3, 0.5, 1.0]},
    },
)
RIDGE = made.learner(
    name="ridge",
    initial={"alpha": 10.0},
    space={"alpha": {"type": "float", "low": 0.1, "high": 1000.0, "log": True}},
    scale=True,
)
CONSTANT = "sklearn.dummy.DummyRegressor"


class Killed(BaseException):
    """Stands for a SIGKILL between two trials."""


@pytest.fixture
def folds(make_dataset) -> list[Fold]:
    return prepared_folds(
        make_dataset(),
        made.walk_forward(folds=3, fold_sessions=2, min_train_sessions=4),
        made.target(),
    )


def study(direction: str = "minimize", storage: object = None) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        direction=direction, storage=storage, study_name="s", load_if_exists=True
    )


def run(
    folds: list[Fold],
    learner: Learner = TREES,
    into: optuna.Study | None = None,
    **changes: object,
) -> tuple[Trial, list[Trial]]:
    trials: list[Trial] = []
    arguments = {
        "objective": "mae", "n_trials": 14, "batch_size": 4, "seed": 5, "clock": lambda: 0.0,
        "on_trial": trials.append, **changes,
    }  # fmt: skip
    return search(into or study(), learner, folds, **arguments), trials


def told(trials: list[Trial]) -> list[tuple[object, ...]]:
    return [(t.number, tuple(t.params.items()), t.state, t.value) for t in trials]


@pytest.mark.parametrize("workers", [2, 4])
def test_the_result_does_not_depend_on_the_number_of_workers(folds, workers):
    alone, trials = run(folds, pool=Threads(1))

    best, parallel = run(folds, pool=Threads(workers))

    assert told(parallel) == told(trials)
    assert best.number == alone.number
    pd.testing.assert_series_equal(best.out_of_fold, alone.out_of_fold, check_exact=True)


@pytest.mark.parametrize("killed_after", [1, 4, 6, 13])
@pytest.mark.parametrize("options", [{}, {"pruner": "median"}, {"sampler": "random"}], ids=str)
def test_a_killed_search_goes_on_to_the_result_of_an_uninterrupted_one(
    folds, killed_after, options, tmp_path
):
    whole_best, whole = run(folds, **options)
    journal = optuna.storages.journal.JournalFileBackend(str(tmp_path / "journal.log"))

    def kill(trial: Trial) -> None:
        if trial.number == killed_after - 1:
            raise Killed

    storage = optuna.storages.JournalStorage(journal)
    with pytest.raises(Killed):
        run(folds, into=study(storage=storage), on_trial=kill, **options)
    again = study(storage=optuna.storages.JournalStorage(journal))
    kept = len(again.trials)
    best, resumed = run(folds, into=again, **options)

    assert kept == killed_after
    assert repr(told(resumed)) == repr(told(whole))
    assert [trial.replayed for trial in resumed] == [n < kept for n in range(14)]
    pd.testing.assert_series_equal(best.out_of_fold, whole_best.out_of_fold, check_exact=True)
    for one, other in zip(resumed, whole, strict=True):
        assert one.metrics == other.metrics
        pd.testing.assert_series_equal(one.session_scores, other.session_scores, check_freq=False)


@pytest.mark.parametrize("pruner", ["median", "quartile"])
def test_under_random_draws_pruning_changes_no_kept_score(folds, pruner):
    _, whole = run(folds, n_trials=20, sampler="random")

    best, pruned = run(folds, n_trials=20, sampler="random", pruner=pruner)

    stopped = [trial.number for trial in pruned if trial.state == "pruned"]
    assert stopped
    assert min(stopped) >= 4  # nothing is compared within the first batch
    for kept, full in zip(pruned, whole, strict=True):
        assert kept.params == full.params
        assert kept.fold_metrics == full.fold_metrics[: len(kept.fold_metrics)]
        if kept.state == "complete":
            assert (kept.value, kept.metrics) == (full.value, full.metrics)
            pd.testing.assert_series_equal(kept.out_of_fold, full.out_of_fold, check_exact=True)
    assert best.state == "complete"
    assert best.value == min(t.value for t in pruned if t.state == "complete")


def test_under_tpe_a_kept_score_is_the_one_its_parameters_have_without_pruning(folds):
    _, trials = run(folds, n_trials=20, pruner="median")

    kept = [t for t in trials if t.state == "complete" and t.number > 8]
    assert any(trial.state == "pruned" for trial in trials)
    assert kept
    for trial in kept:
        alone, _ = run(folds, TREES.changed(initial=trial.params), n_trials=1)
        assert alone.value == trial.value
        pd.testing.assert_series_equal(alone.out_of_fold, trial.out_of_fold, check_exact=True)


def test_a_pruned_trial_was_worse_after_a_fold_than_the_median_of_earlier_batches(folds):
    _, trials = run(folds, n_trials=20, pruner="median")

    for trial in [trial for trial in trials if trial.state == "pruned"]:
        batch = trial.number // 4 * 4
        count = len(trial.fold_metrics)
        assert 1 <= count < len(folds)
        earlier = [
            np.mean([fold["mae"] for fold in other.fold_metrics[:count]])
            for other in trials[:batch]
            if other.state == "complete"
        ]
        own = np.mean([fold["mae"] for fold in trial.fold_metrics])
        assert own > np.median(earlier)
        assert np.isnan(trial.value)
        assert not trial.metrics


@pytest.mark.parametrize("workers", [2, 4])
def test_pruning_does_not_depend_on_the_number_of_workers(folds, workers):
    alone, trials = run(folds, pool=Threads(1), pruner="median", n_trials=20)

    best, parallel = run(folds, pool=Threads(workers), pruner="median", n_trials=20)

    assert "pruned" in {trial.state for trial in trials}
    assert repr(told(parallel)) == repr(told(trials))  # by repr: NaN is no equal
    pd.testing.assert_series_equal(best.out_of_fold, alone.out_of_fold, check_exact=True)


def test_failed_trials_do_not_disturb_pruning(folds):
    _, trials = run(folds, fragile(limit=8), n_trials=10, sampler="random", pruner="median")

    assert {trial.state for trial in trials} == {"complete", "failed", "pruned"}


def test_a_trial_without_a_score_is_pruned_as_the_worst(folds):
    best, trials = run(
        folds, RIDGE, study("maximize"), objective="rank_ic", pruner="median", n_trials=6
    )
    runner = TrialRunner(RIDGE, folds, OBJECTIVES["rank_ic"], None, 0, lambda: 0.0)
    flat = replace(best, fold_metrics=({"rank_ic": float("nan")}, {"rank_ic": 0.1}))

    assert runner.running(flat) == [-np.inf, -np.inf]
    assert runner.limits("median", trials[:3]) is None  # too few to compare with
    assert runner.limits(None, trials) is None


def test_random_draws_do_not_repeat_themselves_until_the_space_is_used_up(folds):
    learner = made.learner(
        CONSTANT,
        "constant",
        fixed={"strategy": "constant"},
        initial={"constant": 0.0},
        space={"constant": {"type": "int", "low": 0, "high": 5}},
    )

    _, trials = run(folds, learner, n_trials=8, sampler="random")

    drawn = [trial.params["constant"] for trial in trials]
    assert drawn[0] == 0.0
    assert sorted(drawn[:6]) == [0, 1, 2, 3, 4, 5]
    assert len(drawn) == 8


def test_random_draws_depend_on_the_seed_alone(folds):
    drawn = [t.params for t in run(folds, sampler="random")[1]]

    assert drawn == [t.params for t in run(folds, sampler="random", objective="mae_relative")[1]]
    assert drawn != [t.params for t in run(folds, sampler="random", seed=6)[1]]


def test_combinatorial_folds_give_every_row_the_mean_of_its_paths(make_dataset):
    dataset = make_dataset()
    folds = prepared_folds(
        dataset, made.combinatorial(groups=4, min_group_sessions=3), made.target()
    )

    best, _ = run(folds, RIDGE, n_trials=2, strategy_returns=daily)

    assert len(folds) == 6
    assert best.out_of_fold.index.equals(dataset.features.index)
    fitted = [RIDGE.unfitted(best.params).fit(f.train_x, f.train_y) for f in folds]
    parts = [
        pd.Series(model.predict(fold.validation_x), fold.returns.index, dtype="float64")
        for model, fold in zip(fitted, folds, strict=True)
    ]
    expected = pd.concat(parts).groupby(level=[0, 1]).mean()
    np.testing.assert_allclose(best.out_of_fold, expected, rtol=1e-12)
    paths = pd.concat([daily(part) for part in parts]).groupby(level=0).mean()
    np.testing.assert_allclose(best.strategy_returns, paths, rtol=1e-12)
    again, _ = run(folds, RIDGE, n_trials=2, strategy_returns=daily, pool=Threads(4))
    pd.testing.assert_series_equal(again.out_of_fold, best.out_of_fold, check_exact=True)


def test_an_unknown_sampler_or_pruner_is_refused(folds):
    with pytest.raises(InvalidSettings, match="sampler 'grid'"):
        run(folds, sampler="grid")
    with pytest.raises(InvalidSettings, match="pruner 'half'"):
        run(folds, pruner="half")


def test_a_longer_search_goes_on_from_a_shorter_one(folds):
    into = study()
    run(folds, into=into, n_trials=6)

    _, longer = run(folds, into=into)

    assert told(longer) == told(run(folds)[1])


def test_another_seed_or_batch_size_proposes_others(folds):
    _, trials = run(folds)

    assert told(run(folds, seed=6)[1]) != told(trials)
    assert told(run(folds, batch_size=7)[1]) != told(trials)


def test_the_seed_reaches_the_estimator(folds):
    first, second = (run(folds, n_trials=1, seed=seed)[0] for seed in (5, 6))

    assert first.params == second.params
    assert first.value != second.value


def test_batches_do_not_repeat_each_other(folds):
    _, trials = run(folds, RIDGE, n_trials=9, batch_size=3)

    assert len({trial.params["alpha"] for trial in trials}) == 9


def test_later_batches_learn_from_earlier_ones(folds):
    level = {"type": "float", "low": -1.0, "high": 1.0}
    learner = made.learner(
        CONSTANT,
        "constant",
        fixed={"strategy": "constant"},
        initial={"constant": 0.9},
        space={"constant": level},
    )

    _, trials = run(folds, learner, n_trials=40)

    away = [abs(trial.params["constant"]) for trial in trials]  # the best forecast is about 0
    assert np.median(away[20:]) < np.median(away[:12]) / 3


def test_a_study_of_another_search_is_refused(folds):
    into = study()
    run(folds, into=into)

    with pytest.raises(InvalidData, match="proposes"):
        run(folds, into=into, seed=6)


def test_the_first_trial_is_the_initial_one_and_the_best_the_lowest_error(folds):
    best, trials = run(folds, n_trials=5)

    assert trials[0].params == TREES.initial
    assert best.value == min(trial.value for trial in trials)
    assert len(trials) == 5


def test_a_learner_without_a_space_is_tried_once(folds):
    zero = made.learner(CONSTANT, "zero", fixed={"strategy": "constant", "constant": 0.0})

    best, trials = run(folds, zero)

    assert len(trials) == 1
    assert (best.out_of_fold == 0).all()
    assert best.metrics["r2_mean"] == 0.0
    assert best.value == pytest.approx(np.mean([fold.returns.abs().mean() for fold in folds]))


def test_out_of_fold_predictions_come_from_the_fit_before_their_session(folds):
    best, _ = run(folds, RIDGE, n_trials=2)

    last = folds[-1]
    fitted = RIDGE.unfitted(best.params).fit(last.train_x, last.train_y)

    np.testing.assert_array_equal(
        best.out_of_fold.iloc[-len(last.returns) :], fitted.predict(last.validation_x)
    )
    assert best.out_of_fold.index.equals(validated_returns(folds).index)


def test_what_the_learners_said_of_unseen_rows_is_a_column_each(folds):
    first, second = run(folds, RIDGE, n_trials=1)[0], run(folds, TREES, n_trials=1)[0]

    members = out_of_fold([first, second])

    assert list(members) == [RIDGE.name, TREES.name]
    pd.testing.assert_series_equal(members[TREES.name], second.out_of_fold, check_names=False)


class Fragile(RegressorMixin, BaseEstimator):
    """Fails above a limit, on the way every learner can fail."""

    def __init__(self, size: int = 1, limit: int = 5) -> None:
        self.size = size
        self.limit = limit

    def fit(self, X, y):
        if self.size > self.limit:
            raise MemoryError(f"size {self.size}")
        return self

    def predict(self, X):
        return np.full(len(X), self.size * (np.nan if self.size == self.limit else 1.0))


def fragile(limit: int) -> made.HandMade:
    space = {"size": {"type": "int", "low": 1, "high": 10}}
    return made.hand_made(Fragile, "fragile", initial={"size": 1, "limit": limit}, space=space)


def test_a_failed_trial_is_recorded_with_its_reason_and_the_search_goes_on(folds):
    into = study()

    best, trials = run(folds, fragile(limit=5), into)

    failed = [trial for trial in trials if trial.state == "failed"]
    above = [trial for trial in failed if trial.params["size"] > 5]
    assert above
    assert all(trial.error == f"MemoryError: size {trial.params['size']}" for trial in above)
    assert all("not finite" in trial.error for trial in failed if trial.params["size"] == 5)
    assert {t.number for t in failed} == {
        t.number for t in into.trials if t.state is optuna.trial.TrialState.FAIL
    }
    assert best.params["size"] == 1
    assert told(run(folds, fragile(limit=5), into)[1])[0] == told(trials)[0]


def test_when_all_trials_fail_the_first_reason_is_told(folds):
    with pytest.raises(PipelineError, match=r"all 14 trials of fragile failed.*size 1"):
        run(folds, fragile(limit=0))


def daily(predictions: pd.Series) -> pd.Series:
    return predictions.groupby(level="session").max()


def test_the_sharpe_objective_uses_the_strategy_handed_in(folds):
    best, trials = run(
        folds,
        RIDGE,
        study("maximize"),
        objective="sharpe_net",
        strategy_returns=daily,
        n_trials=3,
    )

    assert best.value == max(trial.metrics["sharpe_net_mean"] for trial in trials)
    pd.testing.assert_series_equal(
        best.strategy_returns, daily(best.out_of_fold), check_names=False
    )


def test_a_trial_that_never_trades_is_the_worst(folds):
    best, _ = run(
        folds,
        RIDGE,
        study("maximize"),
        objective="sharpe_net",
        strategy_returns=lambda predictions: daily(predictions) * 0,
        n_trials=2,
    )

    assert best.value == -np.inf
    assert np.isnan(best.metrics["sharpe_net_mean"])


def test_a_replayed_trial_keeps_its_strategy_returns(folds):
    into = study()
    before, _ = run(folds, RIDGE, into, strategy_returns=daily, n_trials=1)

    after, _ = run(folds, RIDGE, into, strategy_returns=daily, n_trials=1)

    assert after.replayed
    pd.testing.assert_series_equal(
        after.strategy_returns, before.strategy_returns, check_names=False, check_freq=False
    )
    pd.testing.assert_series_equal(after.out_of_fold, before.out_of_fold)


def test_no_batch_begins_after_the_time_budget(folds):
    ticks = iter(range(10_000))
    lock = threading.Lock()

    def clock() -> float:
        with lock:
            return float(next(ticks))

    _, trials = run(folds, RIDGE, clock=clock, timeout=1.0)

    assert len(trials) == 4
    assert all(trial.seconds > 0 for trial in trials)


def test_an_unknown_objective_and_a_wrong_direction_are_refused(folds):
    with pytest.raises(InvalidSettings, match="sharp"):
        run(folds, objective="sharp")
    with pytest.raises(InvalidSettings, match="study to minimize"):
        run(folds, objective="rank_ic")


def test_every_dimension_that_optuna_refuses_is_listed():
    learner = made.learner(
        initial={"alpha": 0.0, "tol": 0.0},
        space={
            "alpha": {"type": "float", "low": 0.0, "high": 1.0, "log": True},
            "tol": {"type": "float", "low": 0.0, "high": 1.0, "step": -1.0},
        },
    )

    with pytest.raises(InvalidSettings) as caught:
        distributions(learner)

    assert "alpha: " in caught.value.found
    assert "tol: " in caught.value.found


def test_optuna_speaks_as_loudly_as_before(folds):
    into = study()
    optuna.logging.set_verbosity(optuna.logging.ERROR)

    search(
        into, RIDGE, folds, objective="mae", n_trials=1, batch_size=1, seed=0,
        clock=lambda: 0.0,
    )  # fmt: skip

    assert optuna.logging.get_verbosity() == optuna.logging.ERROR
