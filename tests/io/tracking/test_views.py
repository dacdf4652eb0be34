"""Shared views: the columns that decide come first, and an older store gets the newest views."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

from pipeline.contract import Metrics, Tags
from pipeline.io.tracking import notes, runs, views
from pipeline.paths import CONFIG


def state(view: views.View) -> dict[str, object]:
    return views.unpacked(views.shared(view))


def test_the_leaderboard_has_finished_retrains_and_opens_with_what_decides() -> None:
    shown = state(views.RETRAINS)
    assert shown["searchFilter"] == "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
    columns = list(shown["selectedColumns"])  # type: ignore[call-overload]
    assert columns[:5] == [
        f"metrics.`{Metrics.RANK_IC}`", f"metrics.`{Metrics.RANK_IC_T}`",
        f"metrics.`{Metrics.SHARPE}`", f"metrics.`{Metrics.MAX_DRAWDOWN}`", "tags.`verdict`",
    ]  # fmt: skip
    for name in (Metrics.R2, Metrics.MAE, Metrics.GROSS_SHARPE, Metrics.DEFLATED_SHARPE,
                 Metrics.LOOKS, Metrics.SESSIONS):  # fmt: skip
        assert f"metrics.`{name}`" in columns


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.key)
def test_columns_stand_in_the_order_of_their_weight_and_five_fit_1280_pixels(
    view: views.View,
) -> None:
    """MLflow would sort them by name; beside its own columns 620 pixels are left."""
    shown = state(view)
    assert shown["columnOrder"] == shown["selectedColumns"] == list(view.columns)
    widths = shown["columnWidths"]
    assert isinstance(widths, dict)
    assert sum(widths[name] for name in view.columns[:5]) <= 620


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.key)
def test_no_view_is_ordered_by_start_since_mlflow_then_hides_nested_runs(view: views.View) -> None:
    assert "start_time" not in view.order


def test_trials_and_sweeps_open_with_the_best() -> None:
    assert state(views.TRIALS)["orderByKey"] == f"metrics.`{Metrics.CV_SCORE}`"
    assert state(views.SWEEPS)["orderByAsc"] is False


LEARNERS = sorted((CONFIG / "model" / "learner").glob("*.yaml"))


@pytest.mark.parametrize("file", LEARNERS, ids=lambda file: file.stem)
def test_trials_of_each_learner_have_a_chart_of_their_parameters(file: Path) -> None:
    """A chart shows the trials that have each of its parameters: all of a space, in its order."""
    space = [*(yaml.safe_load(file.read_text())["space"] or {})]
    charts = state(views.TRIALS)["compareRunCharts"]
    assert isinstance(charts, list)
    shown = [chart["selectedParams"] for chart in charts]
    assert space in shown or not space
    assert all(chart["selectedMetrics"] == [Metrics.CV_SCORE] for chart in charts)
    sections = state(views.TRIALS)["compareRunSections"]
    assert isinstance(sections, list)
    assert [chart["metricSectionId"] for chart in charts] == [each["uuid"] for each in sections]


@pytest.mark.parametrize("view", views.VIEWS, ids=lambda view: view.key)
def test_every_filter_is_one_that_mlflow_understands(view: views.View, store: MlflowClient) -> None:
    assert store.search_runs(["0"], view.where, order_by=[f"{view.order} DESC"]) == []


def test_an_older_view_is_replaced_and_an_equal_one_left_alone(store: MlflowClient) -> None:
    key = f"{views.PREFIX}{views.RETRAINS.key}"
    older = views.shared(views.RETRAINS._replace(columns=["attributes.`Models`"]))
    store.set_experiment_tag("0", key, older)
    views.refresh("0")
    made = store.get_experiment("0").tags[key]
    assert views.unpacked(made) == state(views.RETRAINS)
    marked = json.dumps(json.loads(made) | {"createdAt": 1})
    store.set_experiment_tag("0", key, marked)
    views.refresh("0")
    assert store.get_experiment("0").tags[key] == marked


def test_routine_runs_can_be_left_out_and_say_what_was_typed(store: MlflowClient) -> None:
    for stage in ("ingest", "retrain"):
        with runs.stage_run(stage):
            pass
    left = store.search_runs(["0"], f"tags.{Tags.ROUTINE} != 'true'")
    assert [run.data.tags[Tags.STAGE] for run in left] in ([], ["retrain"])
    routine = store.search_runs(["0"], f"tags.{Tags.ROUTINE} = 'true'")
    assert [run.data.tags[Tags.STAGE] for run in routine] == ["ingest"]


def test_a_parameter_without_a_value_is_none(store: MlflowClient) -> None:
    with runs.stage_run("retrain") as run:
        notes.log_settings({"retrain": {"start": None, "window_days": 90}})
    params = store.get_run(run.info.run_id).data.params
    assert params == {"retrain.window_days": "90"}
