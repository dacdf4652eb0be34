"""Sweeps: what they ask for, what they refuse, what they show, and what the command logs."""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import load_text
from mlflow.entities import Run

from pipeline.errors import InvalidSettings
from pipeline.settings import Settings
from pipeline.stages import _sweep, _sweep_report
from pipeline.stages._runner import check, compose
from tests.stages.conftest import Project


def composed(*overrides: str) -> Settings:
    return check(compose(list(overrides)))


def changes(*overrides: str) -> list[Any]:
    return [dict(setting.changes) for setting in _sweep.settings_of(composed(*overrides))]


def test_every_combination_is_a_setting_and_the_last_key_changes_first() -> None:
    asked = composed("backtest.sweep={strategy.sides:[long,long_short],backtest.bankroll:[1,2]}")
    several = _sweep.settings_of(asked)
    got = [(s.settings.strategy.sides, s.settings.backtest.bankroll) for s in several]
    assert got == [("long", 1.0), ("long", 2.0), ("long_short", 1.0), ("long_short", 2.0)]
    assert several[3].name == "sides long_short, bankroll 2"
    assert several[0].settings.strategy.slippage_bps == asked.strategy.slippage_bps


@pytest.mark.parametrize("key", ["strategy.max_positions", "backtest.max_positions"])
def test_both_names_of_the_number_of_positions_change_what_is_traded(key: str) -> None:
    several = _sweep.settings_of(composed(f"backtest.sweep={{{key}:[3,4]}}"))
    assert [setting.settings.backtest.max_positions for setting in several] == [3, 4]


def test_keys_of_a_file_are_joined_taken_out_and_given_one_by_one() -> None:
    whole = changes("backtest=sweep")
    assert len(whole) == 36
    fewer = changes("backtest=sweep", "backtest.sweep={backtest.bankroll:null}")
    assert len(fewer) == 12
    assert set(fewer[0]) == {"strategy.max_positions", "strategy.slippage_bps"}
    more = changes("backtest=sweep", "+backtest.sweep.strategy.impact=[0,1]")
    assert len(more) == 72
    assert more[1]["strategy.impact"] == 1


def test_nothing_is_swept_by_default() -> None:
    assert composed().backtest.grid == {}
    assert composed("backtest.sweep={}").backtest.grid == {}


@pytest.mark.parametrize(
    ("swept", "faults"),
    [
        (
            "{strategy.max_positions:[0,5],strategy.fee:[1],seed:[1],strategy.weights:[equal,big]}",
            [
                "strategy.fee: no key of a sweep; those are every key of strategy, and",
                "seed: no key of a sweep",
                "strategy.max_positions: got 0; Input should be greater than or equal to 1",
                "strategy.weights: got 'big'; Input should be 'equal', 'edge' or",
            ],
        ),
        (
            "{strategy.slippage_bps:[-1,much],backtest.bankroll:[0]}",
            ["slippage_bps: got -1;", "slippage_bps: got 'much';", "backtest.bankroll: got 0;"],
        ),
        # Each value alone is allowed.
        (
            "{strategy.sides:[long,long_short],strategy.min_edge_bps:[-5,0]}".replace("-5", "null"),
            [],
        ),
        (
            "{strategy.sides:[long,long_short],strategy.max_positions:[1,2]}",
            ["sides=long_short needs max_positions of 2 or more"],
        ),
        (
            "{strategy.max_positions:[5],backtest.max_positions:[5]}",
            ["strategy.max_positions and backtest.max_positions are one number"],
        ),
        ("{strategy.regime_positions:[{FOG:1}]}", ["regime_positions names 'FOG', not one of"]),
        ("{strategy.impact:[]}", ["backtest.sweep.strategy.impact"]),
        ("{strategy.impact:3}", ["backtest.sweep.strategy.impact: got 3;"]),
    ],
)
def test_wrong_keys_and_values_stop_in_one_message_that_names_each(
    swept: str, faults: list[str]
) -> None:
    if not faults:
        composed(f"backtest.sweep={swept}")
        return
    with pytest.raises(InvalidSettings) as caught:
        composed(f"backtest.sweep={swept}")
    assert caught.value.found.startswith(f"{len(faults)} fault")
    for fault in faults:
        assert fault in caught.value.found


def test_faults_of_a_sweep_stand_beside_all_others() -> None:
    with pytest.raises(InvalidSettings, match="2 faults") as caught:
        composed("hpo.n_trials=0", "backtest.sweep={strategy.impact:[-1]}")
    assert "backtest.sweep: strategy.impact: got -1;" in caught.value.found


def test_too_many_combinations_are_refused() -> None:
    many = ",".join(str(number) for number in range(1, 41))
    with pytest.raises(InvalidSettings, match="1,600 combinations; at most 1,000"):
        composed(f"backtest.sweep={{strategy.impact:[{many}],strategy.slippage_bps:[{many}]}}")


def table(*lengths: int) -> tuple[pd.DataFrame, dict[str, list[Any]]]:
    """A made-up sweep over keys k0, k1, ...; its first setting did not trade."""
    grid = {f"k{place}": list(range(count)) for place, count in enumerate(lengths)}
    values = np.arange(float(np.prod(lengths)))
    values[0] = np.nan
    return pd.DataFrame({"sharpe": values, "annualized_return": values / 100.0}), grid


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_two_keys_make_one_map_of_each_measure() -> None:
    first, second = _sweep_report.picture(*table(2, 3)).axes
    assert texts(first) == ["no trades", "1.00", "2.00", "3.00", "4.00", "5.00"]
    assert texts(second)[1:] == ["1.0%", "2.0%", "3.0%", "4.0%", "5.0%"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("k1", "k0")


def test_three_keys_make_a_map_for_each_value_of_the_first() -> None:
    axes = _sweep_report.picture(*table(4, 2, 3)).axes
    assert len(axes) == 8
    assert texts(axes[3]) == ["18.00", "19.00", "20.00", "21.00", "22.00", "23.00"]
    assert axes[3].get_title().endswith("k0 3")


@pytest.mark.parametrize(("lengths", "drawn"), [((5,), 1), ((2, 2, 2, 2), 4)])
def test_one_key_or_many_make_lines(lengths: tuple[int, ...], drawn: int) -> None:
    axes = _sweep_report.picture(*table(*lengths)).axes
    assert len(axes) == 2 * drawn
    assert {a.get_xlabel() for a in axes} == {f"k{place}" for place in range(drawn)}


def test_a_key_with_one_value_is_no_axis() -> None:
    assert len(_sweep_report.picture(*table(3, 1, 2)).axes) == 2


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
    for name in own:
        np.testing.assert_equal(swept.data.metrics[name], plain[name])


def test_a_sweep_leaves_its_table_and_its_picture(finished: Project, swept: Run) -> None:
    written = pd.read_csv(f"{swept.info.artifact_uri}/sweep.csv")
    assert written["strategy.max_positions"].tolist() == [5, 5, 10, 10]
    assert written["strategy.slippage_bps"].tolist() == [0.0, 2.5, 0.0, 2.5]
    ids = {run.info.run_id for run in children(finished, swept).values()}
    assert set(written["run_id"]) == ids
    paths = {file.path for file in finished.client.list_artifacts(swept.info.run_id)}
    assert {"sweep.png", "sweep.json", "capacity.png", "capacity.csv"} <= paths


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


def test_sweeps_are_no_looks(finished: Project, swept: Run) -> None:
    before = swept.data.metrics["backtest/looks"]
    finished.python(
        "backtest", TRADES, "backtest=sweep", "backtest.sweep={backtest.bankroll:[1e5]}"
    )
    finished.python("backtest")
    after = finished.newest("backtest")
    assert len(finished.runs("sweep child")) >= 4 + 12
    assert after.data.metrics["backtest/looks"] == before


def test_a_wrong_sweep_is_refused_before_any_work(finished: Project) -> None:
    done = finished.python("backtest", "backtest.sweep={strategy.impact:[x]}", code=2)
    assert "backtest.sweep: strategy.impact: got 'x';" in done.stderr
    run = finished.newest("backtest")
    assert run.info.status == "FAILED"
    assert "config.yaml" not in {f.path for f in finished.client.list_artifacts(run.info.run_id)}
    assert "strategy.impact" in str(run.data.tags["mlflow.note.content"])


def test_the_configuration_of_a_sweep_is_logged_as_it_was_asked_for(swept: Run) -> None:
    text = load_text(f"{swept.info.artifact_uri}/config.yaml")
    assert "strategy.max_positions:" in text
    assert swept.data.params["backtest.sweep.strategy.slippage_bps"] == "[0, 2.5]"
