"""What tests compose by a copy is what Hydra composes."""

from __future__ import annotations

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra.errors import HydraException
from omegaconf import OmegaConf

from pipeline.config.compose import compose
from tests import compositions

WORDS = [
    ["features=ranked", "experiment=open", "cv.folds=3"],
    ["data=files", "data.path=prices", "strategy.regime_positions={}"],
    ["model=none_such"],
    ["cv.none_such=1"],
]


def composed(words: list[str]) -> str:
    try:
        return OmegaConf.to_yaml(compose(words))
    except HydraException as error:
        return str(error)


@pytest.mark.parametrize("words", WORDS)
def test_a_copy_is_what_hydra_composes_each_time(words: list[str]) -> None:
    first, other, again = composed(words), composed(["seed=5", *words]), composed(words)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ConfigRepository, "load_config", compositions.read)
        patched.setattr(ConfigLoaderImpl, "_compose_config_from_defaults_list", compositions.merged)
        assert (first, other) == (composed(words), composed(["seed=5", *words]))
    assert again == first
