"""`reproduce` through the real commands: equal numbers, or a clear word on what differs."""

from __future__ import annotations

import shutil

import pytest

from tests.stages.conftest import Project

pytestmark = pytest.mark.xdist_group("retrained")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = Project(tmp_path_factory.mktemp("retrained"))
    made.python("retrain", "experiment=quick", "seed=11", "retrain.end=2010-06-30")
    return made


def test_every_number_of_a_retrain_comes_again(retrained: Project) -> None:
    versions = len(retrained.client.search_model_versions("name = 'intraday_return_sample'"))

    said = retrained.python("reproduce", "compute.workers=1").stdout

    run = retrained.newest("reproduce")
    assert "Reproduced: " in said
    assert run.data.metrics["reproduce/equal"] == 1
    assert run.data.metrics["reproduce/metrics"] > 60
    assert run.data.metrics["reproduce/largest_difference"] == 0
    assert run.data.metrics["reproduce/largest_prediction_difference"] == 0
    assert (
        len(retrained.client.search_model_versions("name = 'intraday_return_sample'")) == versions
    )


def test_a_reproduction_is_no_look(retrained: Project) -> None:
    run = retrained.newest("reproduce")

    assert run.data.metrics["backtest/looks"] == 1
    assert run.data.tags["reproduces"] == retrained.newest("retrain").info.run_id


def test_changed_data_is_named_and_stops_it_unless_allowed(
    retrained: Project, project: Project
) -> None:
    shutil.copytree(retrained.folder, project.folder, dirs_exist_ok=True)
    run_id = retrained.newest("retrain").info.run_id
    asked = f"reproduce.run_id={run_id}"
    selection = "universe.path=" + str(project.folder / "few.csv")
    names = ["AAPL", "IBM", "MSFT", "GE", "XOM", "KO", "PEP", "WMT", "JNJ", "PG", "CVX", "T"]
    (project.folder / "few.csv").write_text("symbol\n" + "\n".join(names))
    project.python("retrain", "experiment=quick", "seed=12", selection)
    (project.folder / "few.csv").write_text("symbol\n" + "\n".join(names[:-1]))

    refused = project.python("reproduce", code=1)
    differs = project.python("reproduce", "reproduce.data=current", code=1)

    assert "the data digest was" in refused.stderr
    assert "reproduce.data=current" in refused.stderr
    assert "What differs:" in differs.stdout
    assert "data: was" in differs.stdout
    assert "metrics differ" in differs.stderr
    assert "Reproduced" in project.python("reproduce", asked).stdout


def test_an_unknown_run_is_refused_with_the_known_ones(retrained: Project) -> None:
    done = retrained.python("reproduce", f"reproduce.run_id={'0' * 32}", code=1)

    assert retrained.newest("retrain").info.run_id in done.stderr
