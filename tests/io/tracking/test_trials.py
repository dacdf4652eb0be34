"""Trials as nested runs."""

from __future__ import annotations

import threading

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException

from pipeline.io.tracking import trials as recording
from pipeline.io.tracking.trials import recorded
from pipeline.learning.search.trials import Trial
from tests.learning import made

RIDGE = made.learner(
    name="ridge",
    initial={"alpha": 10.0, "solver": "svd", "positive": False},
    space={
        "alpha": {"type": "float", "low": 0.1, "high": 1000.0, "log": True},
        "solver": {"type": "categorical", "choices": ["svd", "cholesky", None]},
    },
)
DAYS = pd.bdate_range("2024-01-01", periods=4, name="session")


def trial(number: int, state: str = "complete", value: float = np.nan, **changes) -> Trial:
    params = {"alpha": 0.1 * 10 ** (number % 5), "solver": "svd", "positive": False}
    return Trial(number, "ridge", params, state, value, **changes)


def test_trials_are_recorded_in_order_with_state_folds_series_and_reason(store) -> None:
    parent = store.create_run("0").info.run_id
    folds = ({"mae": 0.2}, {"mae": 0.4})
    returns = pd.Series([0.1, 0.0, -0.1, 0.2], DAYS)
    trials = [
        trial(0, value=0.3, fold_metrics=folds, metrics={"mae_mean": 0.3}, seconds=1.5,
              strategy_returns=returns),
        trial(1, "pruned", fold_metrics=folds[:1], strategy_returns=returns[:2]),
        trial(2, "failed", error="MemoryError: no"),
    ]  # fmt: skip

    with recorded(parent, "mae") as record:
        for own in trials:
            record(own)

    runs = store.search_runs(["0"], f"tags.mlflow.parentRunId = '{parent}'")[::-1]
    assert [run.info.run_name for run in runs] == ["ridge 0", "ridge 1", "ridge 2"]
    assert [run.data.tags["state"] for run in runs] == ["COMPLETE", "PRUNED", "FAILED"]
    assert [run.info.status for run in runs] == ["FINISHED", "FINISHED", "FAILED"]
    assert [run.data.tags.get("error") for run in runs] == [None, None, "MemoryError: no"]
    assert {run.data.tags["learner"] for run in runs} == {"ridge"}
    assert runs[0].data.params == {"alpha": "0.1", "solver": "svd", "positive": "False"}
    points = store.get_metric_history(runs[0].info.run_id, "fold/mae")
    assert [(point.step, point.value) for point in points] == [(0, 0.2), (1, 0.4)]
    assert runs[0].data.metrics["cv/objective"] == runs[0].data.metrics["cv/mae_mean"] == 0.3
    assert runs[0].data.metrics["cv/score"] == -0.3
    for run, count in zip(runs[:2], (4, 2), strict=True):
        path = store.download_artifacts(run.info.run_id, "search/out_of_fold_returns.csv")
        assert pd.read_csv(path)["net_return"].tolist() == returns[:count].tolist()


def test_a_store_that_refuses_ends_the_search(store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "404")

    with pytest.raises(MlflowException, match="404"), recorded("nobody", "mae") as record:
        record(trial(0, value=0.1))


def test_all_that_was_handed_over_is_recorded_when_the_search_fails(store) -> None:
    parent = store.create_run("0").info.run_id

    def interrupted() -> None:
        with recorded(parent, "mae") as record:
            for number in range(5):
                record(trial(number, value=0.1))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()

    assert len(store.search_runs(["0"], f"tags.mlflow.parentRunId = '{parent}'")) == 5


def test_a_server_is_given_several_trials_at_a_time_and_a_file_one(
    store, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work, most, lock = 0, [0], threading.Lock()
    together = threading.Barrier(3)

    def slow(*_: object) -> None:
        nonlocal at_work
        with lock:
            at_work += 1
            most[-1] = max(most[-1], at_work)
        if len(most) == 1:
            together.wait(timeout=10)
        with lock:
            at_work -= 1

    monkeypatch.setattr(recording, "_log", slow)
    with monkeypatch.context() as served:
        served.setattr(mlflow, "get_tracking_uri", lambda: "http://127.0.0.1:1")
        with recorded("parent", "mae") as record:
            for number in range(3):
                record(trial(number))
    most.append(0)
    with recorded("parent", "mae") as record:
        for number in range(3):
            record(trial(number))
    assert most == [3, 1]
