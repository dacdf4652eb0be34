"""The shipped model configurations describe learners that can be built and searched."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
import yaml

from pipeline.learning.models import Learner, Target
from pipeline.learning.search import distributions

FILES = sorted((Path(__file__).parents[2] / "conf" / "model").glob("*.yaml"))


def learners(path: Path) -> list[Learner]:
    chosen = yaml.safe_load(path.read_text())
    found = []
    for name, given in chosen["learners"].items():
        fixed = dict(given["estimator"])
        module, _, kind = fixed.pop("_target_").rpartition(".")
        build = getattr(import_module(module), kind)
        initial = {**fixed, **given["initial"]}
        found.append(Learner(name, build, initial, given["space"], given["scale"]))
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_learner_builds_from_its_initial_values_inside_its_space(path):
    for learner in learners(path):
        assert set(distributions(learner)) == set(learner.space)
        assert hasattr(learner.estimator(seed=1), "predict")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_file_says_what_it_is_and_is_named_after_itself(path):
    chosen = yaml.safe_load(path.read_text())

    assert path.read_text().startswith("# ")
    assert chosen["name"] == path.stem
    assert Target(**chosen["target"]).winsorise < 0.5


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_learner_fits_with_one_thread(path):
    for learner in learners(path):
        assert learner.build(**learner.initial).get_params().get("n_jobs") in (None, 1)
