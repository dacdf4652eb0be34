"""Every file of conf/ composes into checked settings, and says what it is."""

from __future__ import annotations

import re
from pathlib import Path

import hydra
import pytest
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException

from pipeline.config.compose import check, compose, shipped_gates
from pipeline.learning.search.proposals import distributions
from pipeline.paths import CONFIG, ROOT

CONFIGS = sorted(CONFIG.rglob("*.yaml"))
MODELS = sorted(path.stem for path in (CONFIG / "model").glob("*.yaml"))


def options() -> list[str]:
    """`group=option` of every file that is one."""
    groups = [p for p in CONFIGS if p.parent != CONFIG]
    return [f"{p.parent.relative_to(CONFIG)}={p.stem}" for p in groups if p.parent.parent == CONFIG]


@pytest.mark.parametrize("override", options())
def test_every_option_composes_into_checked_settings(override: str) -> None:
    settings = check(compose([override]))
    assert settings.model.learners.values()
    assert settings.cv.get_n_splits() >= 2


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_first_what_it_is_and_when_to_choose_it(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "@package" not in line]
    assert re.match(r"# .{20,}", lines[0])
    assert path == CONFIG / "config.yaml" or re.search(r"hoose|default", lines[0]), lines[0]


def test_a_group_option_is_named_once_for_every_group_promised() -> None:
    promised = (
        "data universe store features cv model hpo evaluation compute decision strategy backtest "
        "gates tracking experiment monitor"
    )
    assert {p.name for p in CONFIG.iterdir() if p.is_dir()} == set(promised.split())


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("for_")])
def test_every_learner_starts_inside_its_space_and_fits_with_one_thread(name: str) -> None:
    settings = check(compose([f"model={name}"]))
    assert settings.model.name == name
    for learner in settings.model.learners.values():
        assert set(distributions(learner)) == set(learner.space)
        estimator = learner.build(**learner.initial)
        assert estimator.get_params().get("n_jobs") in (None, 1)
        assert hasattr(estimator, "predict")


@pytest.mark.parametrize(
    ("overrides", "model", "objective"),
    [
        ([], "ranked", "rank_ic"),
        (["features=extended"], "ensemble", "mae"),
        (["features=classic"], "ensemble", "mae"),
        (["features=extended", "model=ranked"], "ranked", "rank_ic"),
        (["experiment=history"], "ranked", "rank_ic"),
        (["experiment=classic"], "classic_ensemble", "mae"),
        (["hpo.objective=sharpe_net"], "ranked", "sharpe_net"),
        (["model=lightgbm"], "lightgbm", "rank_ic"),
        (["model=lightgbm", "hpo=random"], "lightgbm", "rank_ic"),
        (["features=classic", "model=lightgbm"], "lightgbm", "mae"),
        (["model=lightgbm", "hpo.objective=mae"], "lightgbm", "mae"),
    ],
)
def test_features_bring_their_model_and_objective_or_a_model_brings_its_own(
    overrides: list[str], model: str, objective: str
) -> None:
    settings = check(compose(overrides))
    assert (settings.model.name, settings.hpo.objective) == (model, objective)


def test_what_hydra_has_open_stays_open() -> None:
    """A job of `-m` composes its gates once more, and Hydra goes on with the next job."""
    with hydra.initialize_config_dir(str(CONFIG), version_base="1.3"):
        opened = GlobalHydra.instance().hydra
        assert opened is not None
        assert shipped_gates("strict") == check(compose([])).gates
        with pytest.raises(HydraException):
            compose(["gates=nobody"])
        assert GlobalHydra.instance().hydra is opened
