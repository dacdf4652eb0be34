"""`reproduce` through the real commands: equal numbers, or a clear word on what differs."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from pipeline.contract import Artifacts, Tags
from pipeline.io.tracking.run_files import _digest, recorded
from tests.stages.conftest import Project, copied

pytestmark = pytest.mark.xdist_group("retrained")


@pytest.fixture(scope="module")
def retrained(tmp_path_factory: pytest.TempPathFactory, sample: Project) -> Project:
    made = copied(sample, tmp_path_factory.mktemp("retrained"))
    made.python("retrain", "experiment=quick", "seed=11", "retrain.end=2010-06-30")
    return made


def test_every_number_of_a_retrain_comes_again(retrained: Project) -> None:
    original = retrained.newest("retrain").info.run_id
    versions = len(retrained.client.search_model_versions("name = 'intraday_return_sample'"))

    said = retrained.python("reproduce", f"reproduce.run_id={original}", "compute.workers=1").stdout

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
    selection = "universe.path=" + str(project.folder / "few.csv")
    names = ["AAPL", "IBM", "MSFT", "GE", "XOM", "KO", "PEP", "WMT", "JNJ", "PG", "CVX", "T"]
    (project.folder / "few.csv").write_text("symbol\n" + "\n".join(names))
    project.python("retrain", "experiment=quick", "model=ridge", "seed=12", selection)
    (project.folder / "few.csv").write_text("symbol\n" + "\n".join(names[:-1]))

    refused = project.python("reproduce", code=1)
    differs = project.python("reproduce", "reproduce.data=current", code=1)

    assert "the data digest was" in refused.stderr
    assert "reproduce.data=current" in refused.stderr
    assert "What differs:" in differs.stdout
    assert "data: was" in differs.stdout
    assert "metrics differ" in differs.stderr


FOREIGN = "sklearn.utils.parallel.joblib.externals.loky.backend.context.subprocess.Popen"
"""A class that runs a command, reached through a library that is allowed."""


def test_a_runs_configuration_that_names_a_foreign_class_runs_nothing(
    retrained: Project, project: Project
) -> None:
    """Edited by somebody who may write the store too, and so changes the digest with it."""
    shutil.copytree(retrained.folder, project.folder, dirs_exist_ok=True)
    run, proof = retrained.newest("retrain"), project.folder / "proof"
    file = next(project.folder.glob(f"mlruns/**/{run.info.run_id}/artifacts/config/config.yaml"))
    config = yaml.safe_load(file.read_text())
    for learner in config["model"]["learners"].values():
        learner["estimator"] = {"_target_": FOREIGN, "args": ["touch", str(proof)]}
        learner |= {"initial": {}, "space": {}}
    file.write_text(yaml.safe_dump(config, sort_keys=False))
    refit = ("backtest.model=1", "backtest.refit=walk_forward", "end_date=2010-06-30")
    stages: tuple[tuple[str, ...], ...] = (("reproduce",), ("backtest", *refit))
    for stage, *words in stages:
        assert "config.yaml" in project.python(stage, *words, code=2).stderr

    digests = recorded(run) | {Artifacts.CONFIG: _digest(file.read_bytes())}
    assert digests != recorded(run)
    tags = [key for key in run.data.tags if key.startswith(Tags.FILES)]
    for key in tags:
        project.client.set_tag(run.info.run_id, key, json.dumps(digests if key == tags[0] else {}))
    for stage, *words in stages:
        done = project.python(stage, *words, code=None)
        assert done.returncode in (1, 2)
        assert FOREIGN in done.stderr
        assert "needed: a regressor of scikit-learn or LightGBM" in done.stderr
    assert not proof.exists()


def test_an_unknown_run_is_refused_with_the_known_ones(retrained: Project) -> None:
    done = retrained.python("reproduce", f"reproduce.run_id={'0' * 32}", code=1)

    assert retrained.newest("retrain").info.run_id in done.stderr
