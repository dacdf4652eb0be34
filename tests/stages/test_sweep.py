"""What the command of a sweep logs, and what it refuses."""

from __future__ import annotations

import base64
import json
import zlib

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import load_text
from mlflow.entities import Run

from tests.stages.conftest import Project

FIRST, TRADES = "backtest.model=1", "strategy.min_edge_bps=0"
SWEPT = "backtest.sweep={strategy.max_positions:[5,10],strategy.slippage_bps:[0,2.5]}"


@pytest.fixture(scope="module")
def swept(finished: Project) -> Run:
    """The parent run of a sweep by `mlflow run`, the mapping unquoted inside the one string."""
    finished.mlflow_run("backtest", f"{FIRST} {TRADES} {SWEPT}")
    return finished.newest("backtest")


def children(project: Project, parent: Run) -> dict[tuple[str, str], Run]:
    found = project.runs("sweep child", f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    keys = ("strategy.max_positions", "strategy.slippage_bps")
    return {(run.data.params[keys[0]], run.data.params[keys[1]]): run for run in found}


def test_each_combination_is_a_finished_run_under_one_parent(finished: Project, swept: Run) -> None:
    found = children(finished, swept)
    assert set(found) == {("5", "0"), ("5", "2.5"), ("10", "0"), ("10", "2.5")}
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert swept.data.tags["stage"] == "backtest"
    assert swept.data.metrics["sweep/settings"] == 4
    best = max(run.data.metrics["backtest/sharpe"] for run in found.values())
    assert swept.data.metrics["sweep/best_sharpe"] == best


#: What depends on how many strategies were tried before, not on the trades.
OF_LOOKS = {"backtest/looks", "backtest/deflated_sharpe", "backtest/residual_deflated_sharpe"}


def test_parent_and_children_have_the_numbers_of_backtests_alone(
    finished: Project, swept: Run
) -> None:
    finished.python("backtest", FIRST, TRADES)
    plain = finished.newest("backtest").data.metrics
    finished.python(
        "backtest", FIRST, TRADES, "strategy.max_positions=5", "strategy.slippage_bps=2.5"
    )
    alone = finished.newest("backtest").data.metrics
    child = children(finished, swept)["5", "2.5"].data.metrics
    assert child["backtest/trades"] > 50
    np.testing.assert_equal(child, {name: alone[name] for name in child})
    own = {name for name in plain if name.startswith(("backtest/", "benchmark/"))}
    assert len(own) > 20
    for name in own - OF_LOOKS:
        np.testing.assert_equal(swept.data.metrics[name], plain[name])


def test_a_sweep_leaves_its_table_and_its_picture(finished: Project, swept: Run) -> None:
    written = pd.read_csv(f"{swept.info.artifact_uri}/backtest/sweep.csv")
    assert written["strategy.max_positions"].tolist() == [5, 5, 10, 10]
    assert written["strategy.slippage_bps"].tolist() == [0.0, 2.5, 0.0, 2.5]
    ids = {run.info.run_id for run in children(finished, swept).values()}
    assert set(written["run_id"]) == ids
    paths = {file.path for file in finished.client.list_artifacts(swept.info.run_id, "backtest")}
    assert paths == {
        f"backtest/{name}"
        for name in ("ledger.parquet", "sweep.png", "sweep.csv", "capacity.png", "capacity.csv")
    }


def test_the_shared_view_of_sweeps_lists_their_settings_best_first(
    finished: Project, swept: Run
) -> None:
    tags = finished.client.get_experiment("0").tags
    shared = json.loads(tags["mlflow.sharedViewState.sweeps"])
    packed = base64.b64decode(shared["state"].removeprefix("deflate;"))
    view = json.loads(zlib.decompress(packed))
    order = f"{view['orderByKey']} DESC"
    listed = finished.client.search_runs(["0"], view["searchFilter"], order_by=[order])
    sharpes = [run.data.metrics["backtest/sharpe"] for run in listed]
    assert {run.data.tags["stage"] for run in listed} == {"sweep child"}
    assert sharpes == sorted(sharpes, reverse=True)
    known = {f"metrics.`{m}`" for m in listed[0].data.metrics}
    assert {c for c in view["selectedColumns"] if c.startswith("metrics.")} <= known


def test_every_strategy_of_a_sweep_is_a_look(finished: Project, swept: Run) -> None:
    before = swept.data.metrics["backtest/looks"]
    finished.python(
        "backtest", TRADES, "backtest=sweep", "backtest.sweep={backtest.bankroll:[1e5]}"
    )
    finished.python("backtest")
    after = finished.newest("backtest")
    assert len(finished.runs("sweep child")) >= 4 + 12
    assert after.data.metrics["backtest/looks"] > before


def test_a_wrong_sweep_is_refused_before_any_work(finished: Project) -> None:
    before = len(finished.runs("backtest"))
    done = finished.python("backtest", "backtest.sweep={strategy.impact:[x]}", code=1)
    assert "backtest.sweep: strategy.impact: got 'x';" in done.stderr
    assert len(finished.runs("backtest")) == before


def test_the_configuration_of_a_sweep_is_logged_as_it_was_asked_for(swept: Run) -> None:
    text = load_text(f"{swept.info.artifact_uri}/config/config.yaml")
    assert "strategy.max_positions:" in text
    assert swept.data.params["backtest.sweep.strategy.slippage_bps"] == "[0, 2.5]"
