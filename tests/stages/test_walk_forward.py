"""A walk-forward through the real commands: honest, resumable, and evidence for its recipe."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts

from pipeline.contract import Artifacts, Tables
from tests.stages.conftest import Project, copied

WALK = ("experiment=quick", "model=ridge", "evaluation=walk_forward", "evaluation.refit_every=30",
        "evaluation.search_every=60")  # fmt: skip


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory, sample: Project) -> Project:
    made = copied(sample, tmp_path_factory.mktemp("walked"))
    made.python("retrain", *WALK, "compute.workers=1")
    return made


def predictions(project: Project, run_id: str) -> pd.DataFrame:
    path = Artifacts.PREDICTIONS
    return pd.read_parquet(
        download_artifacts(run_id=run_id, artifact_path=path, tracking_uri=project.uri)
    )


def table(project: Project, run_id: str, name: str) -> pd.DataFrame:
    return pd.read_csv(
        download_artifacts(run_id=run_id, artifact_path=f"{name}.csv", tracking_uri=project.uri)
    )


def comparable(metrics: dict[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if not k.startswith(("time/", "system/", "search/"))}


def test_each_session_is_predicted_once_by_a_model_of_earlier_sessions(walked: Project) -> None:
    run = walked.runs("retrain")[0]
    steps = table(walked, run.info.run_id, Tables.STEPS)
    kept = predictions(walked, run.info.run_id)

    assert (steps["development_last"] < steps["predicted_first"]).all()
    assert (steps["predicted_first"].shift(-1).dropna() > steps["predicted_last"][:-1]).all()
    assert steps["search"].tolist() == [True, False, True, False, True][: len(steps)]
    assert kept.index.is_unique
    labelled = kept.dropna().index.get_level_values("session").nunique()
    assert labelled == run.data.metrics["backtest/sessions"] > 100


def test_what_it_shows_comes_as_tables(walked: Project) -> None:
    run = walked.runs("retrain")[0]
    metrics = run.data.metrics
    by_year, by_regime, curve, searches = (
        table(walked, run.info.run_id, name)
        for name in (Tables.BY_YEAR, Tables.BY_REGIME, Tables.LEARNING_CURVE, Tables.SEARCHES)
    )

    assert by_year["year"].tolist() == [2010]
    assert by_year["rank_ic"].item() == pytest.approx(metrics["test/rank_ic"])
    assert by_year["r2"].item() == pytest.approx(metrics["test/r2"])
    assert by_regime["sessions"].sum() == metrics["backtest/sessions"]
    assert curve["window_percent"].tolist() == [50, 100]
    assert len(searches) == 3
    assert {"robustness/ic_1_old", "robustness/ic_overnight", "robustness/return_10bp"} <= set(
        metrics
    )


@pytest.mark.soak
def test_less_history_after_a_session_changes_no_prediction_of_it(
    walked: Project, with_sample: Project
) -> None:
    whole = predictions(walked, walked.runs("retrain")[0].info.run_id)["prediction"]

    with_sample.python("retrain", *WALK, "retrain.end=2010-06-10")

    cut = predictions(with_sample, with_sample.newest("retrain").info.run_id)["prediction"]
    assert cut.index.get_level_values("session").max() == pd.Timestamp("2010-06-10")
    pd.testing.assert_series_equal(cut, whole.loc[cut.index])


@pytest.mark.soak
def test_a_killed_walk_goes_on_and_ends_the_same(walked: Project, with_sample: Project) -> None:
    project = with_sample
    process = project.start("retrain", *WALK)
    steps = wait_for_steps(project.folder / "retrains", 2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = {path: path.stat().st_mtime_ns for path in steps}

    again = project.start("retrain", *WALK)
    while again.poll() is None:
        unchanged = [path.stat().st_mtime_ns == t for path, t in before.items() if path.exists()]
        assert all(unchanged)  # what was done is not done again
        time.sleep(0.05)

    assert again.returncode == 0
    own, other = project.runs("retrain")[0], walked.runs("retrain")[0]
    np.testing.assert_equal(comparable(own.data.metrics), comparable(other.data.metrics))
    assert own.data.tags["predictions"] == other.data.tags["predictions"]
    assert not list((project.folder / "retrains").glob("*"))


def wait_for_steps(folder: Path, count: int) -> list[Path]:
    for _ in range(2400):
        found = sorted(folder.glob("*/step-*.parquet"))
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError("no step was finished within two minutes")


@pytest.mark.soak
def test_a_walk_is_reproduced_to_the_last_bit_by_more_workers(walked: Project) -> None:
    run = next(r for r in walked.runs("retrain") if r.data.tags["evaluation"] == "walk_forward")

    walked.python("reproduce", f"reproduce.run_id={run.info.run_id}", "compute.workers=4")

    found = walked.newest("reproduce").data.metrics
    assert found["reproduce/equal"] == 1
    assert found["reproduce/metrics"] > 60
    assert found["reproduce/largest_difference"] == 0
    assert found["reproduce/largest_prediction_difference"] == 0


def test_a_later_quick_refit_of_the_recipe_is_judged_by_the_walk(walked: Project) -> None:
    walked.python("retrain", *[word for word in WALK if "walk_forward" not in word])
    quick, walk = walked.runs("retrain")[:2]
    assert quick.data.tags["recipe"] == walk.data.tags["recipe"]

    refused = walked.python(
        "promote", f"promote.version={quick.data.tags['model_version']}", code=1
    )

    sessions = int(walk.data.metrics["backtest/sessions"])
    assert f"{sessions} sessions out of sample" in refused.stdout
