"""Feature sets that an installed package brings."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipeline.config import installed
from pipeline.errors import InvalidSettings
from pipeline.market.definitions import Definitions, Feature
from pipeline.market.features import FEATURE_SETS, FeatureInputs, snapshots
from pipeline.schemas import BarPanel
from tests.market import conftest as panels

FEATURES = '''
from pipeline.market import history
from pipeline.market.definitions import Definitions
from pipeline.market.features_classic import classic
from {package} import parts

definitions = Definitions(*classic)

@definitions.feature("range_{{n}}", n=(5,), lookback=lambda n: n, source="Parkinson (1980)")
def mean_range(known, n):
    """mean of high(s) / low(s) - 1 over {{n}}"""
    return history.mean(known, n, parts.daily_range)
'''
PARTS = "def daily_range(known):\n    return known.high / known.low - 1\n"
Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Put a package where `pip install` would, its features under a name."""
    names: list[str] = []

    def put(package: str, name: str = "mine", features: str = FEATURES, parts: str = PARTS) -> None:
        folder, metadata = tmp_path / package, tmp_path / f"{package}-1.dist-info"
        folder.mkdir()
        metadata.mkdir()
        (folder / "__init__.py").write_text(features.format(package=package))
        (folder / "parts.py").write_text(parts)
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        lines = f"[{installed.GROUP}]\n{name} = {package}:definitions\n"
        (metadata / "entry_points.txt").write_text(lines)
        names.append(package)

    monkeypatch.syspath_prepend(tmp_path)
    yield put
    for module in [each for each in sys.modules if each.partition(".")[0] in names]:
        del sys.modules[module]


def own(name: str = "mine") -> Feature:
    return {feature.name: feature for feature in installed.feature_set(name)}["range_5"]


make_bars, make_inputs = panels.make_bars, panels.make_inputs


def test_its_features_are_the_columns_of_snapshots(
    install: Install,
    make_bars: panels.MakeBars,
    make_inputs: Callable[[BarPanel], FeatureInputs],
) -> None:
    install("my_features")
    bars = make_bars(0, sessions=60, symbols=3)
    limits = {"min_history": 5, "min_price": 0.0, "min_dollar_volume": 0.0}

    made = snapshots(
        installed.feature_set("mine"), make_inputs(bars), bars.sessions[-1:], **limits
    ).rows

    daily = bars.high.iloc[-6:-1] / bars.low.iloc[-6:-1] - 1
    assert made["range_5"].tolist() == pytest.approx(daily.mean().tolist(), rel=1e-6)
    assert set(made) == {*(feature.name for feature in FEATURE_SETS["classic"]), "range_5"}


def test_the_hash_covers_the_package_s_own_code(install: Install) -> None:
    install("first_features", "first")
    install("same_features", "same")
    install("other_features", "other", parts=PARTS.replace("- 1", "- 2"))

    first, same, other = (own(name).hash for name in ("first", "same", "other"))
    assert first == same
    assert first != other


def test_an_unknown_set_names_those_installed(install: Install) -> None:
    install("my_features")
    with pytest.raises(InvalidSettings) as caught:
        installed.feature_set("main")
    assert caught.value.needed == "one of: classic, extended, ranked, mine"


@pytest.mark.parametrize(
    ("features", "found"),
    [
        ("import no_such_module", "'mine' cannot be loaded: ModuleNotFoundError: No module named"),
        ("definitions = 3", "holds no features"),
        ("definitions = []", "holds no features"),
        ("definitions = ['range']", "holds no features"),
    ],
)
def test_a_package_that_does_not_work_is_named(install: Install, features: str, found: str) -> None:
    install("my_features", features=features)
    with pytest.raises(InvalidSettings) as caught:
        installed.feature_set("mine")
    assert found in caught.value.found
    assert "my_features:definitions of my_features 1" in caught.value.needed


def test_two_packages_of_one_name_are_refused(install: Install) -> None:
    install("my_features")
    install("your_features")
    with pytest.raises(InvalidSettings, match="'mine' is of my_features 1, your_features 1"):
        installed.feature_set("mine")


def test_a_shipped_set_cannot_be_replaced(install: Install) -> None:
    install("my_features", "classic")
    assert installed.feature_set("classic") == FEATURE_SETS["classic"]
    assert isinstance(Definitions(*installed.feature_set("classic")), Definitions)
