"""A backtest on sessions the model was fitted on: refused, unless its recipe is refitted."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts
from mlflow.entities import Run

from pipeline.contract import Artifacts, Tables
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, ROW, SESSION
from tests.stages.conftest import Project, copied

REFIT = (
    "backtest.model=1",
    "backtest.refit=walk_forward",
    "evaluation.refit_every=45",
    "strategy.min_edge_bps=0",
)
SPOILED_FROM = pd.Timestamp("2010-06-10")


@pytest.fixture(scope="module")
def refitted(finished: Project) -> Run:
    finished.python("backtest", *REFIT, "end_date=2010-08-13")
    return finished.newest("backtest")


def predictions(project: Project, run: Run) -> pd.DataFrame:
    path = download_artifacts(
        run_id=run.info.run_id,
        artifact_path=Artifacts.PREDICTIONS,
        tracking_uri=project.uri,
    )
    return pd.read_parquet(path)


def test_each_refit_learns_from_earlier_sessions_and_searches_nothing(refitted: Run) -> None:
    steps = pd.read_csv(f"{refitted.info.artifact_uri}/{Tables.STEPS}.csv")
    assert (steps["development_last"] < steps["predicted_first"]).all()
    assert (steps["predicted_first"].shift(-1).dropna() > steps["predicted_last"][:-1]).all()
    assert len(steps) == 4
    assert not steps["search"].any()
    assert steps["predicted_last"].iloc[-1] == "2010-08-13"
    window = pd.to_datetime(steps["predicted_first"]) - pd.to_datetime(steps["development_first"])
    assert window.dt.days.between(85, 95).all()


def test_every_session_is_traded_on_a_forecast_by_a_model_of_earlier_ones(
    finished: Project, refitted: Run
) -> None:
    kept = predictions(finished, refitted)
    sessions = kept.index.get_level_values(SESSION)
    assert (pd.to_datetime(kept["trained_until"]).to_numpy() < sessions.to_numpy()).all()
    assert refitted.data.metrics["backtest/sessions"] == sessions.nunique() > 120
    assert refitted.data.metrics["backtest/trades"] > 500
    fitted_on = refitted.data.tags["parameters.chosen_until"]
    assert sessions.min() < pd.Timestamp(fitted_on)


def test_a_refit_registers_nothing_leaves_no_folder_and_is_no_look(
    finished: Project, refitted: Run
) -> None:
    versions = finished.client.search_model_versions("name = 'intraday_return_sample'")
    run_ids = {version.run_id for version in versions}
    assert refitted.info.run_id not in run_ids
    assert not list((finished.folder / "refits").glob("*"))
    assert refitted.data.metrics["backtest/looks"] <= 1.0 + len(finished.runs("retrain"))
    assert refitted.data.tags["stage"] == "backtest"


def test_without_it_the_sessions_are_refused_and_it_is_named(finished: Project) -> None:
    done = finished.python("backtest", "start_date=2010-03-01", "end_date=2010-08-13", code=1)
    assert "2010-03-01 the first" in done.stderr
    assert "backtest.refit=walk_forward" in done.stderr


def test_sessions_without_a_full_window_before_them_are_refused(
    finished: Project, refitted: Run
) -> None:
    earliest = predictions(finished, refitted).index.get_level_values(SESSION).min()
    done = finished.python("backtest", *REFIT, "start_date=2010-01-05", code=1)
    assert "lack the 90 days before them" in done.stderr
    assert f"sessions from {earliest:%Y-%m-%d} to " in done.stderr


def test_a_model_of_another_source_is_refused(finished: Project) -> None:
    words = ("data=files", "data.path=prices", "registry.model=intraday_return_sample")
    done = finished.python("backtest", *REFIT, *words, code=1)
    assert "was trained on data=sample" in done.stderr


def test_later_bars_change_no_earlier_forecast(
    finished: Project, refitted: Run, tmp_path: Path
) -> None:
    corrupted = corrupt(finished, tmp_path)
    for stage in ("indicators", "regimes", "features", "labels"):
        finished.python(stage, f"store.path={corrupted}")
    finished.python("backtest", *REFIT, "end_date=2010-08-13", f"store.path={corrupted}")

    before = predictions(finished, refitted)
    after = predictions(finished, finished.newest("backtest"))
    # The first bar that differs is SPOILED_FROM's: known at the open of the session after it.
    untouched = before.index.get_level_values(SESSION) <= SPOILED_FROM
    assert untouched.sum() > 20_000
    pd.testing.assert_frame_equal(
        after.loc[before.index[untouched]], before[untouched], check_exact=True
    )
    later = before.index[~untouched].intersection(after.index)
    changed = after.loc[later, "prediction"] != before.loc[later, "prediction"]
    assert changed.mean() > 0.9


def corrupt(finished: Project, folder: Path) -> Path:
    """A copy of the project's store in which all bars from one session on are others."""
    copied(finished, folder)
    store = Store.open(folder / "sample.db")
    bars = store.bars(start=SPOILED_FROM)
    rng = np.random.default_rng(3)
    factors = np.exp(rng.normal(0.0, 0.03, len(bars)))
    for field in BAR_FIELDS[:4]:
        bars[field] = bars[field] * factors
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    nothing["session"] = pd.to_datetime(nothing["session"])
    store.write_bars(Delivery(bars, nothing, nothing))
    store.close()
    return folder / "sample.db"


@pytest.mark.soak
def test_a_killed_refit_goes_on_and_ends_the_same(finished: Project, refitted: Run) -> None:
    words = (*REFIT, "end_date=2010-08-13", "compute.workers=1")
    process = finished.start("backtest", *words)
    done: list[Path] = []
    for _ in range(1200):
        done = sorted((finished.folder / "refits").glob("*/step-*.parquet"))
        if done:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = {path: path.stat().st_mtime_ns for path in done}

    again = finished.start("backtest", *words)
    while again.poll() is None:
        kept = [path.stat().st_mtime_ns == at for path, at in written.items() if path.exists()]
        assert all(kept)  # what was done is not done again
        time.sleep(0.05)

    assert written
    assert again.returncode == 0
    pd.testing.assert_frame_equal(
        predictions(finished, finished.newest("backtest")),
        predictions(finished, refitted),
        check_exact=True,
    )
