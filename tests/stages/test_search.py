"""The search of a retrain through the real commands: workers, kills, splitters, what is recorded.

The tests of this module share one store; the uninterrupted retrain comes first.
"""

from __future__ import annotations

import random

import numpy as np
import optuna
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipeline.contract import Artifacts, Tables
from tests.stages.conftest import Project, copied
from tests.stages.killing import SEARCH, TRIALS, assert_the_same, decided, lived


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory, sample: Project) -> Project:
    """A project after a retrain with a pruned search, on one worker."""
    made = copied(sample, tmp_path_factory.mktemp("searched"))
    made.python("retrain", *SEARCH, "compute.workers=1")
    return made


@pytest.fixture(scope="module")
def uninterrupted(searched: Project) -> Run:
    return searched.newest("retrain")


def trials_of(project: Project, run: Run) -> list[Run]:
    return project.runs("trial", f"tags.mlflow.parentRunId = '{run.info.run_id}'")


@pytest.mark.soak
def test_workers_change_no_bit_of_what_is_decided(searched: Project, uninterrupted: Run) -> None:
    searched.python("retrain", *SEARCH, "compute.workers=3", "retrain.refresh=false")

    assert decided(searched.newest("retrain")) == decided(uninterrupted)


@pytest.mark.soak
def test_killed_searches_go_on_and_end_the_same(searched: Project, uninterrupted: Run) -> None:
    lives = lived(searched, 1, uninterrupted.data.metrics["search/seconds"], random.Random(1))

    assert len(lives.killed) == 1
    assert_the_same(searched, lives, uninterrupted)


def test_every_trial_is_recorded_in_order_with_its_state(
    searched: Project, uninterrupted: Run
) -> None:
    trials = sorted(trials_of(searched, uninterrupted), key=lambda run: run.info.end_time)

    assert [run.info.run_name for run in trials] == [f"lightgbm {n}" for n in range(TRIALS)]
    for run in trials:
        folds = searched.client.get_metric_history(run.info.run_id, "fold/mae")
        complete = run.data.tags["state"] == "COMPLETE"
        assert [fold.step for fold in folds] == list(range(4 if complete else len(folds)))
        assert run.data.tags["learner"] == "lightgbm"
        assert ("cv/mae_mean" in run.data.metrics) == complete
        if complete:
            mean = np.mean([fold.value for fold in folds])
            assert run.data.metrics["cv/objective"] == pytest.approx(mean)
        else:
            assert run.data.tags["state"] == "PRUNED"
            assert 1 <= len(folds) < 4
        series = download_artifacts(
            run_id=run.info.run_id, artifact_path=Artifacts.OUT_OF_FOLD_RETURNS,
            tracking_uri=searched.uri,
        )  # fmt: skip
        assert len(pd.read_csv(series)) == 10 * len(folds)


def test_budgets_are_told_as_asked_and_spent(uninterrupted: Run) -> None:
    metrics, tags = uninterrupted.data.metrics, uninterrupted.data.tags
    assert metrics["search/trials_pruned"] > 0
    states = sum(metrics[f"search/trials_{s}"] for s in ("complete", "pruned", "failed"))

    assert metrics["search/trials_asked"] == metrics["search/trials_finished"] == states == TRIALS
    assert metrics["search/seconds"] > 0
    assert tags["search.stopped_by"] == "trials"
    assert tags["search.recorded_trials"] == f"{{lightgbm: {TRIALS}}}"
    assert "resumed_from" not in tags


def test_a_search_shows_its_picture_and_trials(searched: Project, uninterrupted: Run) -> None:
    run_id = uninterrupted.info.run_id
    kept = {file.path for file in searched.client.list_artifacts(run_id, Artifacts.SEARCHES)}
    path = f"{Tables.TRIALS}.csv"
    table = pd.read_csv(
        download_artifacts(run_id=run_id, artifact_path=path, tracking_uri=searched.uri)
    )

    assert kept == {Artifacts.SEARCH_PICTURE, Artifacts.STUDY, path}
    assert len(table) == TRIALS
    assert set(table["state"]) == {"complete", "pruned"}


def test_a_search_is_kept_as_a_study_that_optuna_opens(
    searched: Project, uninterrupted: Run
) -> None:
    path = download_artifacts(
        run_id=uninterrupted.info.run_id, artifact_path=Artifacts.STUDY, tracking_uri=searched.uri
    )
    storage = JournalStorage(JournalFileBackend(path))

    assert optuna.get_all_study_names(storage) == ["lightgbm"]
    study = optuna.load_study(study_name="lightgbm", storage=storage)
    best = uninterrupted.data.params
    assert [trial.number for trial in study.trials] == list(range(TRIALS))
    assert {trial.state.name for trial in study.trials} == {"COMPLETE", "PRUNED"}
    assert len(study.best_params) > 0
    for name, value in study.best_params.items():
        assert best[f"tuned.lightgbm.{name}"] == str(value)


def test_a_search_ended_by_time_is_reproduced_by_its_recorded_trials(searched: Project) -> None:
    """On folds of every pair of blocks: each splitter serves a retrain."""
    timed = ("model=ridge", "hpo.n_trials=12", "hpo.timeout_minutes=0.0001", "cv=combinatorial")
    searched.python("retrain", *timed, "retrain.refresh=false")
    ended = searched.newest("retrain")

    searched.python("reproduce", f"reproduce.run_id={ended.info.run_id}")

    tags, metrics = ended.data.tags, ended.data.metrics
    assert tags["search.stopped_by"] == "time"
    assert tags["search.recorded_trials"] == "{ridge: 4}"  # the batch under way
    assert (metrics["search/trials_asked"], metrics["search/trials_finished"]) == (12, 4)
    again = searched.newest("reproduce").data
    assert again.metrics["search/trials_finished"] == 4
    assert again.tags["search.stopped_by"] == "time"
    assert_folds(searched, ended, 15)


@pytest.mark.soak
def test_rolling_folds_serve_a_retrain(searched: Project) -> None:
    searched.python(
        "retrain", "experiment=quick", "model=ridge", "cv=rolling", "retrain.refresh=false"
    )
    assert_folds(searched, searched.newest("retrain"), 4)


def assert_folds(searched: Project, run: Run, folds: int) -> None:
    for trial in trials_of(searched, run):
        history = searched.client.get_metric_history(trial.info.run_id, "fold/rank_ic")
        assert len(history) == folds
    for name in ("cv/r2_mean", "cv/mae_std", "cv/rank_ic_mean", "cv/pbo", "cv/slope"):
        assert np.isfinite(run.data.metrics[name]), name


def test_early_stopping_records_and_refits_the_trees_it_found(searched: Project) -> None:
    searched.python(
        "retrain", "experiment=quick", "cv.min_train_sessions=25", "cv.folds=3",
        "hpo.max_rows=null", "hpo.early_stopping_sessions=5", "retrain.refresh=false",
    )  # fmt: skip
    run = searched.newest("retrain")

    trees = int(run.data.params["tuned.lightgbm.n_estimators"])
    assert 1 <= trees < 150
    assert str(trees) in {trial.data.params["n_estimators"] for trial in trials_of(searched, run)}
