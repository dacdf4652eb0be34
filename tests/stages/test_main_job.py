"""The main job through the real commands: prices to a promoted model and tomorrow's signals.

The tests of this module share one finished project and stay in this order: each moves it on.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from mlflow.artifacts import download_artifacts, load_text
from mlflow.entities import Run

from pipeline.contract import Artifacts
from tests.stages.conftest import Project

pytestmark = pytest.mark.xdist_group("finished")

CONTRACT = [
    "cv/r2_mean", "cv/r2_std", "cv/mae_mean", "cv/mae_std", "cv/rank_ic_mean",
    "cv/rank_ic_std", "test/r2", "test/mae", "test/rmse", "test/rank_ic", "test/rank_ic_ir",
    "test/rank_ic_t", "test/hit_rate", "test/spa_pvalue", "test/r2_vs_train_mean",
    "test/r2_relative", "baseline/zero_r2", "baseline/zero_mae", "baseline/mean_r2",
    "baseline/mean_mae", "baseline/ridge_r2", "baseline/ridge_mae", "baseline/ridge_rank_ic",
    "backtest/sharpe", "backtest/max_drawdown", "backtest/annualized_return",
    "backtest/total_return", "backtest/win_rate", "backtest/trades", "backtest/turnover",
    "backtest/cost_share", "backtest/break_even_bps", "backtest/exposure",
    "cv/deflated_sharpe", "cv/pbo", "cv/trials",
    "backtest/sharpe_ci_low", "backtest/sharpe_ci_high", "backtest/probabilistic_sharpe",
    "backtest/deflated_sharpe", "backtest/looks", "backtest/sessions", "backtest/gross_sharpe",
    "benchmark/sharpe", "benchmark/total_return", "backtest/equity", "backtest/drawdown",
    "data/rows", "data/sessions", "data/symbols", "data/dropped_rows",
]  # fmt: skip
TAGS = [
    "stage", "recipe", "feature_set", "feature_version", "data_source", "data_digest",
    "window.start", "window.end", "holdout.start", "holdout.end", "verdict",
]  # fmt: skip


def comparable(metrics: dict[str, float]) -> dict[str, float]:
    spent = ("time/", "search/seconds")
    return {name: value for name, value in metrics.items() if not name.startswith(spent)}


def tear_sheet(run: Run) -> str:
    return str(load_text(f"{run.info.artifact_uri}/{Artifacts.TEAR_SHEET}"))


def test_main_runs_every_stage_as_a_nested_run(finished: Project) -> None:
    parent = finished.newest("main")
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    children = finished.client.search_runs(["0"], query)
    by_stage = {run.data.tags["stage"]: run for run in children}
    assert parent.info.status == "FINISHED"
    done = {stage for stage, run in by_stage.items() if run.info.status == "FINISHED"}
    assert done == {
        "ingest", "indicators", "regimes", "features", "labels", "retrain", "backtest",
    }  # fmt: skip
    assert by_stage["signals"].info.status == "FAILED"
    assert by_stage["signals"].data.tags["verdict"] == "not ready"


def test_a_retrain_keeps_the_run_contract(finished: Project) -> None:
    run = finished.newest("retrain")
    assert not set(CONTRACT) - set(run.data.metrics)
    assert not set(TAGS) - set(run.data.tags)
    assert run.data.tags["verdict"] == "not enough evidence"
    assert {i.tags[0].value for i in run.inputs.dataset_inputs} == {"development", "holdout"}
    assert run.data.metrics["backtest/sessions"] == 21


def test_every_trial_is_a_nested_run_with_its_folds(finished: Project) -> None:
    parent = finished.newest("retrain")
    trials = finished.runs("trial", f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert len(trials) == parent.data.metrics["cv/trials"] == 2
    for trial in trials:
        folds = finished.client.get_metric_history(trial.info.run_id, "fold/mae")
        mean = np.mean([fold.value for fold in folds])
        assert [fold.step for fold in folds] == [0, 1, 2, 3]
        assert trial.data.metrics["cv/mae_mean"] == pytest.approx(mean)
        assert trial.data.metrics["cv/objective"] == pytest.approx(mean)
        series = download_artifacts(
            run_id=trial.info.run_id, artifact_path=Artifacts.OUT_OF_FOLD_RETURNS,
            tracking_uri=finished.uri,
        )  # fmt: skip
        assert len(pd.read_csv(series)) == 40


def test_the_first_point_of_the_equity_curve_is_the_bankroll(finished: Project) -> None:
    run = finished.newest("retrain")
    points = finished.client.get_metric_history(run.info.run_id, "backtest/equity")
    assert len(points) == run.data.metrics["backtest/sessions"] + 1
    assert min(points, key=lambda point: point.step).value == 100_000


def registered(project: Project) -> set[str]:
    found = project.client.search_model_versions("name = 'intraday_return_sample'")
    return {version.version for version in found}


def test_a_second_retrain_computes_no_data_and_repeats_every_number(finished: Project) -> None:
    before = finished.runs("retrain")[-1]  # of the main job
    versions = registered(finished)
    said = finished.python("retrain", "experiment=quick", "compute.workers=1").stdout
    after = finished.newest("retrain")
    for stage in ("ingest", "indicators", "regimes", "features", "labels"):
        assert f"{stage}: up to date" in said
        assert finished.newest(stage).data.metrics[f"{stage}/rows"] == 0
    assert before.info.run_id != after.info.run_id
    assert "intraday_return_sample version 1 (an equal model, registered before)" in said
    assert before.data.tags["model_version"] == after.data.tags["model_version"] == "1"
    assert registered(finished) == versions
    np.testing.assert_equal(comparable(before.data.metrics), comparable(after.data.metrics))
    assert before.data.tags["predictions"] == after.data.tags["predictions"]
    assert tear_sheet(before) == tear_sheet(after)


def test_the_challenger_loads_without_this_project_and_repeats_its_numbers(
    finished: Project,
) -> None:
    script = """
import sys
sys.modules["pipeline"] = None  # importing it fails, also for MLflow's plugins
import mlflow, numpy as np, pandas as pd
uri = sys.argv[1]
mlflow.set_tracking_uri(uri)
model = mlflow.pyfunc.load_model("models:/intraday_return_sample@challenger")
get = lambda path: pd.read_parquet(
    mlflow.artifacts.download_artifacts(run_id=model.metadata.run_id, artifact_path=path))
inputs, expected = get("model/check_inputs.parquet"), get("model/check_predictions.parquet")
assert len(inputs) == 1000 and np.array_equal(model.predict(inputs), expected["prediction"])
assert not [name for name in sys.modules if name.startswith("pipeline.")]
print("equal")
"""
    done = subprocess.run(
        [sys.executable, "-I", "-c", script, finished.uri],
        cwd=finished.folder, text=True, capture_output=True,
    )  # fmt: skip
    assert done.stdout.strip().endswith("equal"), done.stderr


def test_the_backtest_of_the_challenger_repeats_the_retrain(finished: Project) -> None:
    finished.python("backtest")
    retrained, tested = finished.newest("retrain"), finished.newest("backtest")
    for name in ("backtest/total_return", "backtest/trades", "backtest/looks", "backtest/sharpe"):
        np.testing.assert_equal(tested.data.metrics[name], retrained.data.metrics[name])


def test_what_mlflow_run_was_not_given_is_no_parameter(finished: Project) -> None:
    given = finished.newest("main").data.params
    assert "overrides" in given
    assert not {"start_date", "end_date"} & set(given)


def test_retrain_and_backtest_log_a_tear_sheet_and_its_pictures(finished: Project) -> None:
    for stage, title in (("retrain", "Retrain of lightgbm until"), ("backtest", "Backtest of")):
        run = finished.newest(stage)
        assert f"<h1>{title} " in tear_sheet(run)
        listed = finished.client.list_artifacts(run.info.run_id)
        folders_first = sorted(listed, key=lambda file: (not file.is_dir, file.path))
        assert Artifacts.TEAR_SHEET.startswith(f"{folders_first[0].path}/")
        assert "Gates: not enough evidence" in tear_sheet(run)
        pictures = finished.client.list_artifacts(run.info.run_id, "pictures")
        assert {picture.path for picture in pictures} >= {
            "pictures/equity.png", "pictures/rank_ic.png", "pictures/deciles.png",
        }  # fmt: skip


def test_a_backtest_refuses_sessions_the_model_was_fitted_on(finished: Project) -> None:
    done = finished.python("backtest", "start_date=2010-07-01", "end_date=2010-08-20", code=1)
    assert "no out-of-sample prediction of" in done.stderr
    assert "2010-07-01 the first" in done.stderr
    assert finished.newest("backtest").data.tags["verdict"] == "refused"


def test_an_audit_finds_no_leak_in_the_sample_and_its_challenger(finished: Project) -> None:
    said = finished.python(
        "audit", "model=ridge", "audit.permutations=1", "audit.dates=3", "audit.symbols=1",
        "audit.sessions=2", "audit.model=challenger",
    )  # fmt: skip
    metrics = finished.newest("audit").data.metrics
    version = finished.client.get_model_version_by_alias("intraday_return_sample", "challenger")
    assert "truncation        pass" in said.stdout + said.stderr
    assert (metrics["audit/passed"], metrics["audit/leaks"]) == (1.0, 0.0)
    assert version.tags["audit"] == "passed"
    assert finished.client.get_run(version.run_id).data.metrics["audit/passed"] == 1.0


def test_signals_need_a_champion_and_name_the_promote_command(finished: Project) -> None:
    done = finished.python("signals", code=1)
    assert "no model 'champion'" in done.stderr
    assert "python -m pipeline.stages.promote" in done.stderr


def test_a_promotion_without_evidence_is_refused_with_every_gate(finished: Project) -> None:
    done = finished.python("promote", code=1)
    assert "not enough evidence" in done.stdout
    assert "deflated_sharpe" in done.stdout
    assert "21 sessions are less than 60" in done.stdout
    run = finished.newest("promote")
    assert (run.info.status, run.data.tags["verdict"]) == ("FAILED", "refused")


def test_force_needs_a_reason_and_records_it(finished: Project) -> None:
    finished.python("promote", "promote.force=true", code=1)
    finished.mlflow_run("promote", "promote.force=true promote.reason=\"'to try, it = 1'\"")
    version = finished.client.get_model_version_by_alias("intraday_return_sample", "champion")
    assert version.tags["champion.reason"] == "to try, it = 1"
    assert version.tags["champion.forced"] == "True"
    assert finished.newest("promote").data.tags["verdict"] == "forced"


def test_signals_list_trades_or_say_why_there_are_none(finished: Project) -> None:
    said = finished.python("signals", "strategy.min_edge_bps=0").stdout
    run = finished.newest("signals")
    assert "Session 2010-08-23, champion version" in said
    assert run.data.metrics["signals/symbols"] > 400
    orders = pd.read_csv(f"{run.info.artifact_uri}/orders/signals.csv")
    assert orders.columns[:3].tolist() == ["rank", "symbol", "name"]
    assert len(orders) == run.data.metrics["signals/orders"]
    code = said.partition("The champion in your own code")[2].split("\n\n")[1]
    pasted = [sys.executable, "-I", "-c", code]
    done = subprocess.run(pasted, cwd=finished.folder, text=True, capture_output=True)
    assert "forecast" in done.stdout, done.stderr


@pytest.mark.parametrize("model", [pytest.param("ridge", marks=pytest.mark.soak), "zero"])
def test_every_small_model_can_be_trained_logged_and_loaded(finished: Project, model: str) -> None:
    challenger = finished.client.get_model_version_by_alias
    said = finished.python("retrain", f"model={model}", "hpo=none", "retrain.refresh=false").stdout
    run = finished.newest("retrain")
    version = run.data.tags["model_version"]
    assert run.data.params["model.name"] == model
    assert run.info.status == "FINISHED"
    assert f"intraday_return_sample version {version} is the challenger" in said
    assert str(challenger("intraday_return_sample", "challenger").version) == version


def test_a_quick_retrain_and_the_jobs_of_a_multirun_leave_the_challenger(finished: Project) -> None:
    before = finished.client.get_model_version_by_alias("intraday_return_sample", "challenger")
    said = finished.python(
        "retrain", "-m", "model=ridge", "hpo=none", "retrain.refresh=false", "seed=7,8"
    ).stdout
    assert "Best of 2: Sharpe" in said
    said += finished.python(
        "retrain", "experiment=quick", "model=ridge", "retrain.refresh=false"
    ).stdout
    after = finished.client.get_model_version_by_alias("intraday_return_sample", "challenger")
    assert " ".join(said.split()).count("leaves challenger as it is") == 3
    assert str(before.version) == str(after.version)


def test_the_page_of_a_run_links_to_its_version_and_the_model_page_tells_of_aliases(
    finished: Project,
) -> None:
    name = "intraday_return_sample"
    version = finished.client.get_model_version(name, "1")
    model = finished.client.get_logged_model(version.source.removeprefix("models:/"))
    [link] = json.loads(model.tags["mlflow.modelVersions"])
    assert (link["name"], str(link["version"])) == (name, "1")
    assert version.run_id == model.source_run_id
    assert version.description.startswith("Not enough evidence.\n")
    page = finished.client.get_registered_model(name).description
    held = finished.client.get_model_version_by_alias(name, "challenger")
    assert f"| challenger | {held.version} |" in page
    assert "moved by hand" not in page.splitlines()[-1]
    assert page.count("| promote") >= 1


def champion(project: Project) -> int:
    return int(
        project.client.get_model_version_by_alias("intraday_return_sample", "champion").version
    )


def test_an_alias_moved_by_hand_is_obeyed_and_shown(finished: Project) -> None:
    other = 1 if champion(finished) != 1 else 2
    finished.client.set_registered_model_alias("intraday_return_sample", "champion", str(other))
    assert f"champion version {other}," in finished.python("signals").stdout
    assert "moved by hand" in finished.python("status").stdout


def test_rollback_returns_champion_to_its_previous_holder(finished: Project) -> None:
    finished.python(
        "promote", "promote.version=1", "promote.force=true", "promote.reason=first", code=None
    )
    finished.python(
        "promote", "promote.version=2", "promote.force=true", "promote.reason=second", code=None
    )
    assert champion(finished) == 2
    assert "champion: version 1" in finished.python("rollback").stdout
    assert champion(finished) == 1
    assert "second" in finished.python("promote", "promote.history=true").stdout


def test_status_as_json_is_ready_and_names_one_next_command(finished: Project) -> None:
    said = finished.python("status", "status.json=true").stdout
    status = json.loads(said[said.index("{") :])
    lines = {line["name"]: line for line in status["lines"]}
    assert status["ready"] is True
    assert status["next"].startswith("python -m pipeline.stages.")
    assert lines["features"]["there"]
    assert "100%" in lines["features"]["text"]


def configuration(project: Project) -> dict[str, Any]:
    text = load_text(f"{project.newest('labels').info.artifact_uri}/{Artifacts.CONFIG}")
    return dict(yaml.safe_load(text))


OVERRIDES = "promote.reason=\"'two words, a=b [1]'\" symbols=[AAPL,MSFT] universe.name=x"


def test_both_routes_compose_the_same_configuration(finished: Project) -> None:
    """Quotes, lists and spaces included; a named parameter loses against `overrides`."""
    finished.mlflow_run(
        "labels", f"{OVERRIDES} end_date=2010-03-05", start_date="2010-03-01", end_date="2010-03-09"
    )
    by_mlflow = configuration(finished)
    finished.python(
        "labels", "promote.reason='two words, a=b [1]'", "symbols=[AAPL,MSFT]", "universe.name=x",
        "start_date=2010-03-01", "end_date=2010-03-05",
    )  # fmt: skip
    direct = configuration(finished)
    assert by_mlflow == direct
    assert direct["promote"]["reason"] == "two words, a=b [1]"
    assert direct["symbols"] == ["AAPL", "MSFT"]
    assert direct["end_date"] == "2010-03-05"


def test_overwriting_features_of_some_symbols_changes_nothing(finished: Project) -> None:
    where = finished.folder / "snapshots"
    before = {p.name: pd.read_parquet(p) for p in where.rglob("*.parquet")}
    finished.python("features", "symbols=[AAPL,MSFT]", "features.overwrite=true")
    after = {p.name: pd.read_parquet(p) for p in where.rglob("*.parquet")}
    assert before.keys() == after.keys()
    for name, rows in before.items():
        pd.testing.assert_frame_equal(rows, after[name], check_exact=True)


@pytest.mark.parametrize(
    ("routine", "last"),
    [("daily", "signals"), pytest.param("weekly", "promote", marks=pytest.mark.soak)],
)
def test_a_routine_is_safe_to_run_twice(finished: Project, routine: str, last: str) -> None:
    """Its last stage may answer no; that fails neither the routine nor the next one."""
    for _ in range(2):
        finished.python(routine, "experiment=quick")
        parent = finished.newest(routine)
        children = finished.client.search_runs(
            ["0"], f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
        )
        assert parent.info.status == "FINISHED"
        assert last in {child.data.tags["stage"] for child in children}
