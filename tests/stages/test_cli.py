"""The door to Hydra: what is typed, as Hydra reads it, and what is said when it cannot."""

from __future__ import annotations

import pytest
from hydra.errors import HydraException
from mlflow import MlflowClient

from pipeline.commands import Command, translate
from pipeline.config.compose import check, compose, diagnosed, unclosed
from pipeline.errors import Fault, InvalidSettings
from pipeline.io import process
from pipeline.stages._cli import _execute


def refused(*overrides: str) -> InvalidSettings:
    with pytest.raises(HydraException) as caught:
        compose(overrides)
    return diagnosed(overrides, caught.value)


def test_an_unknown_option_names_all_there_are_and_the_nearest() -> None:
    (fault,) = refused("model=lihgtgbm").faults
    assert fault.key == "model=lihgtgbm"
    assert fault.needed.endswith("; nearest: lightgbm")
    assert all(name in fault.needed for name in ("classic_ensemble", "ridge", "zero"))


def test_faults_of_values_stand_beside_those_that_hydra_found_as_objects() -> None:
    faults = refused("model=nix", "seed=-1", "gates.beats_zero.operator=about").faults
    assert {fault.key for fault in faults} == {"model=nix", "seed", "gates.beats_zero.operator"}
    assert next(fault.found for fault in faults if fault.key == "seed") == "got -1"


def test_a_quote_that_hydra_does_not_read_is_shown_as_it_would() -> None:
    (fault,) = refused("test.arguments=it's/prices").faults
    assert fault.needed == """quotes in pairs, such as test.arguments="it's/prices\""""


def test_the_value_of_a_flag_is_no_override() -> None:
    words = translate(["retrain.window_days=x", "--cfg", "job", "-c", "all"])
    assert words == ["--cfg=job", "-c=all", "retrain.window_days=x"]


def test_flags_with_their_values_come_first_from_inside_of_overrides_too() -> None:
    words = ["--date", "2024-07-01", "--overrides", "seed=1 --cfg job -m"]
    assert translate(words) == ["--cfg=job", "-m", "date=2024-07-01", "seed=1"]


def test_a_quote_never_closed_is_mended_where_it_is_an_apostrophe() -> None:
    error = unclosed("labels", ["--date", "2024-07-01", "--overrides", "a='b' c=it's"])
    assert error.next == Command("labels", "date=2024-07-01", "a=b", 'c="it\'s"')
    assert "in c=it's" in error.found


def test_what_cannot_be_mended_names_no_command() -> None:
    assert unclosed("labels", ["--overrides", "promote.reason='so it is"]).next_command == ""


def test_a_refused_value_is_a_fault_with_its_key() -> None:
    with pytest.raises(InvalidSettings) as caught:
        check(compose(["seed=-1", "hpo.n_trials=0"]))
    assert {fault.key for fault in caught.value.faults} == {"seed", "hpo.n_trials"}
    assert Fault("seed", "got -1", "Input should be greater than or equal to 0") in (
        caught.value.faults
    )


def test_a_stage_first_closes_what_dead_processes_left(mlflow_store: None) -> None:
    client = MlflowClient()
    running = process.tags()
    dead = client.create_run("0", tags=running | {"process.started": "1"}).info.run_id
    interrupted = client.create_run("0", tags={"verdict": "interrupted"}).info.run_id
    client.set_terminated(interrupted, "FAILED")
    seen: list[str] = []

    def stage(_: object) -> None:
        own = client.search_runs(["0"], "attributes.status = 'RUNNING'")
        seen.extend(run.data.tags["stage"] for run in own)
        seen.extend(client.get_run(run_id).info.status for run_id in (dead, interrupted))

    _execute("labels", stage, check(compose([])), tracked=True)
    assert seen == ["labels", "KILLED", "KILLED"]
