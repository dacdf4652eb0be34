"""Settings are frozen, and every fault of a configuration is named, each once."""

from __future__ import annotations

import pytest
from hydra.errors import HydraException

from pipeline.config.compose import check, compose, diagnosed
from pipeline.errors import InvalidSettings


def test_settings_are_frozen() -> None:
    settings = check(compose([]))
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 3  # type: ignore[misc]


def test_a_start_date_that_is_no_date_is_one_fault_although_others_are_made_of_it() -> None:
    with pytest.raises(InvalidSettings) as caught:
        check(compose(["start_date=soon"]))
    assert caught.value.found.startswith("1 fault in")
    assert "start_date: got 'soon'" in caught.value.found


def test_target_outside_of_the_allowed_packages_is_refused() -> None:
    override = "model.learners.ridge.estimator._target_=os.system"
    with pytest.raises(InvalidSettings, match=r"must start with lightgbm\. or sklearn\."):
        check(compose(["model=ridge", override]))


def test_all_faults_are_named_although_hydra_stops_at_the_first() -> None:
    overrides = ["model=nix", "a.b=1", "seed=-1", "hpo.n_trials=0"]
    with pytest.raises(HydraException) as caught:
        compose(overrides)
    found = diagnosed(overrides, caught.value).found
    assert found.startswith("4 faults")
    for part in ("model/nix", "a.b=1", "seed: got -1", "hpo.n_trials: got 0"):
        assert part in found


@pytest.mark.parametrize(
    ("overrides", "faults"),
    [
        (
            ["cv=combinatorial", "+cv.folds=3", "cv.groups=2"],
            ["cv.folds: got 3; Extra", "cv.groups: got 2;"],
        ),
        (["+cv.groups=3"], ["cv.groups: got 3; Extra"]),
        (["cv=combinatorial", "cv.test_groups=6"], ["test_groups must be less than groups"]),
        (["cv._target_=os.system"], ["'pipeline.learning.splits.CombinatorialBySession'"]),
        (["hpo.n_trials={lightgbm: 0}"], ["hpo.n_trials.lightgbm: got 0;"]),
        (["hpo.n_trials={lightgbm: 1}"], ["learners are lightgbm, ridge"]),
        (["model=ridge", "hpo.recorded_trials={lightgbm: 1}"], ["learners are ridge"]),
        (["hpo.pruner=best"], ["hpo.pruner: got 'best'; Input should be 'median' or"]),
    ],
)
def test_keys_of_another_splitter_and_wrong_budgets_are_named(
    overrides: list[str], faults: list[str]
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        check(compose(overrides))
    assert caught.value.found.startswith(f"{len(faults)} fault")
    for fault in faults:
        assert fault in caught.value.found


def test_a_budget_is_one_for_all_learners_or_one_for_each() -> None:
    classic = check(compose(["experiment=classic"])).hpo
    assert [classic.trials(n) for n in ("random_forest", "gradient_boosting")] == [12, 9]
    assert check(compose(["experiment=classic", "hpo.n_trials=3"])).hpo.trials("any") == 3


def test_parameters_of_a_retrain_are_what_decides_it() -> None:
    told = check(compose([])).parameters
    flat = {
        f"{section}.{key}" for section, part in told.items() if section != "seed" for key in part
    }
    assert not flat & {"features.list", "retrain.refresh", "backtest.sweep", "model.learners"}
    assert {"model.name", "hpo.objective", "retrain.window_days", "backtest.bankroll"} <= flat


def test_symbols_that_do_not_narrow_a_retrain_are_named() -> None:
    narrowed = check(compose(["symbols=[AAPL,IBM]"])).cautions
    assert "universe.path" in narrowed[0]
    assert check(compose([])).cautions == []
    assert check(compose(["symbols=[AAPL,IBM]", "data=yfinance"])).cautions == []


def test_a_key_that_is_not_there_names_the_nearest_one() -> None:
    with pytest.raises(HydraException) as unknown:
        compose(["retrain.window_dyas=3"])
    told = str(diagnosed(["retrain.window_dyas=3"], unknown.value))
    assert "no setting 'retrain.window_dyas'; nearest: retrain.window_days" in told
