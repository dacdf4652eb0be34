from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from pipeline.market import fingerprints
from pipeline.market.definitions import Calculation, Definitions, Feature, Known, kept
from pipeline.market.features import FEATURE_SETS, known_before
from pipeline.market.features_classic import classic
from pipeline.market.windows import Array

NAN = np.nan

ORIGINAL = '''
SCALE = 2.0

def doubled(values):
    return values * SCALE

def gain(known, n):
    """gain over {n}"""
    return doubled(known) + n
'''

SAME = {
    "layout": ORIGINAL.replace("values * SCALE", "(\n        values*SCALE  # twice\n    )"),
    "docstring": ORIGINAL.replace("gain over", "what was gained over"),
    "annotations": ORIGINAL.replace("(known, n)", "(known: object, n: int) -> object"),
    "a constant nobody names": ORIGINAL + "\nOTHER = 1\n",
    "a constant named like an argument": ORIGINAL + "\nvalues = 1\n",
}
DIFFERENT = {
    "its own code": ORIGINAL.replace("+ n", "- n"),
    "a function it calls": ORIGINAL.replace("values * SCALE", "values / SCALE"),
    "a constant": ORIGINAL.replace("2.0", "3.0"),
}

Load = Callable[[str], ModuleType]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Code as a module of the package, each time from a file of its own."""

    def loaded(code: str) -> ModuleType:
        path = tmp_path / f"code_{len(list(tmp_path.iterdir()))}.py"
        path.write_text(code)
        spec = importlib.util.spec_from_file_location("pipeline.market.made_up", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return loaded


def gain(module: ModuleType, *n: int) -> list[Feature]:
    definitions = Definitions()
    definitions.feature("gain_{n}", n=n, lookback=lambda n: n + 1, source="nobody")(module.gain)
    return list(definitions)


def test_one_feature_is_defined_per_parameter(load: Load) -> None:
    first, second = gain(load(ORIGINAL), 1, 5)

    assert (first.name, first.lookback, first.formula) == ("gain_1", 2, "gain over 1")
    assert (second.name, second.lookback, second.formula) == ("gain_5", 6, "gain over 5")
    assert second(np.array([1.0])).tolist() == [7.0]


@pytest.mark.parametrize("code", SAME.values(), ids=SAME)
def test_the_hash_is_blind_to_what_changes_no_value(load: Load, code: str) -> None:
    assert gain(load(code), 1)[0].hash == gain(load(ORIGINAL), 1)[0].hash


@pytest.mark.parametrize("code", DIFFERENT.values(), ids=DIFFERENT)
def test_the_hash_tells_a_change_in_anything_that_makes_the_value(load: Load, code: str) -> None:
    assert gain(load(code), 1)[0].hash != gain(load(ORIGINAL), 1)[0].hash


def test_the_hash_depends_on_the_parameters(load: Load) -> None:
    first, second = gain(load(ORIGINAL), 1, 2)

    assert first.hash != second.hash


@pytest.fixture
def known(make_bars, make_inputs) -> Known:
    bars = make_bars(0, sessions=4, symbols=5)
    bars.close.iloc[1, 4] = NAN
    return known_before(make_inputs(bars), bars.sessions)


def latest(known: Known, n: int) -> Array:
    """values of s"""
    return np.array([[4.0, 1.0, NAN, 3.0, 2.0]] * 3) * n


def one(calculation: Calculation) -> Feature:
    definitions = Definitions()
    definitions.feature("one", n=(1,), lookback=1, source="nobody")(calculation)
    (feature,) = definitions
    return feature


def test_a_feature_as_rank_has_a_name_and_a_formula_of_its_own() -> None:
    feature = one(latest).as_rank()

    assert (feature.name, feature.formula) == ("rank_one", "centred rank: values of s")
    assert (feature.kind, feature.lookback, feature.known_at) == ("symbol", 1, "close of t-1")


def test_only_symbols_with_a_bar_in_the_session_have_a_rank(known: Known) -> None:
    values = one(latest).as_rank()(known)

    every, without_last = [3 / 8, -3 / 8, NAN, 1 / 8, -1 / 8], [1 / 3, -1 / 3, NAN, 0, NAN]
    np.testing.assert_allclose(values, [every, without_last, every], atol=1e-15)


@pytest.mark.parametrize("ranked", [False, True])
def test_values_since_a_row_are_those_of_all_rows_from_there_on(known: Known, ranked: bool) -> None:
    feature = one(latest).as_rank() if ranked else one(latest)

    np.testing.assert_array_equal(feature(known, 1), feature(known)[1:])


def test_static_attributes_have_no_sessions(known: Known) -> None:
    (sector,) = (feature for feature in classic if feature.name == "sector")

    assert len(sector(known, 2)) == 5


def test_the_hash_of_a_rank_is_not_that_of_the_value(load: Load) -> None:
    (feature,) = gain(load(ORIGINAL), 1)

    assert feature.as_rank().hash != feature.hash


@pytest.mark.parametrize("code", [*SAME.values(), *DIFFERENT.values()], ids=[*SAME, *DIFFERENT])
def test_the_hash_of_a_rank_covers_the_code_of_the_value(load: Load, code: str) -> None:
    same = gain(load(code), 1)[0].as_rank().hash == gain(load(ORIGINAL), 1)[0].as_rank().hash

    assert same is (code in SAME.values())


def test_the_hash_is_the_same_on_every_machine(load: Load) -> None:
    expected = "37107b2aaed91f58146bf3065b596bf1d2ad0000484bdaf2492383ceddc98eac"

    assert gain(load(ORIGINAL), 1)[0].hash == expected


def test_a_name_is_defined_once(load: Load) -> None:
    with pytest.raises(ValueError, match="gain_1 is defined twice"):
        gain(load(ORIGINAL), 1, 1)


def test_a_feature_needs_its_formula(load: Load) -> None:
    with pytest.raises(ValueError, match="needs the formula"):
        gain(load(ORIGINAL.replace('"""gain over {n}"""', "pass")), 1)


def test_definitions_can_build_on_others(load: Load) -> None:
    (first,) = gain(load(ORIGINAL), 1)

    assert list(Definitions(first)) == [first]


READER = '''
def rule(values):
    return values * 2.0

def gain(known, n):
    """gain over {n}"""
    return known.indicators["made"] + n
'''


@pytest.mark.parametrize(
    ("made", "same"),
    [(READER, True), (READER.replace("2.0", "3.0"), False)],
    ids=["the same code", "another one"],
)
def test_the_hash_covers_what_makes_the_stored_results_a_feature_reads(
    load: Load, monkeypatch: pytest.MonkeyPatch, made: str, same: bool
) -> None:
    before, changed = load(READER), load(READER)
    monkeypatch.setitem(fingerprints.MAKERS, "indicators", (load(READER).rule,))
    first = gain(before, 1)[0].hash
    monkeypatch.setitem(fingerprints.MAKERS, "indicators", (load(made).rule,))

    assert (gain(changed, 1)[0].hash == first) is same


def test_a_feature_says_which_stored_results_it_reads() -> None:
    reads = {feature.name: feature.reads for feature in classic}

    assert reads["rsi"] == {"indicators"}
    assert reads["vix_level"] == {"regimes"}
    assert reads["relative_market_5"] == {"market_return"}
    assert reads["return_5"] == set()


HELPERS = {
    "a helper": "def rsi(values):\n    return values.indicators['made']\n",
    "a kept series": "@kept\ndef rsi(known):\n    return known.indicators['made']\n",
    "a second name": "def rsi(known):\n    k = known\n    return k.indicators['made']\n",
    "a nested function": "def rsi(known):\n    return (lambda k: k.indicators['made'])(known)\n",
    "a result": "def rsi(known):\n    return same(known).indicators['made']\n",
}


@pytest.mark.parametrize("helper", HELPERS.values(), ids=HELPERS)
def test_what_a_helper_reads_under_any_name_is_read_by_the_feature(
    load: Load, monkeypatch: pytest.MonkeyPatch, helper: str
) -> None:
    maker = load(READER).rule
    monkeypatch.setitem(fingerprints.MAKERS, "indicators", (maker,))
    imports = "from pipeline.market.definitions import kept\n"
    same = "def same(values):\n    return values\n"
    feature = (
        f'{imports}{same}{helper}\ndef gain(known, n):\n    """gain"""\n    return rsi(known)\n'
    )

    (read,) = gain(load(feature), 1)

    assert read.reads == {"indicators"}


def test_a_feature_calls_what_is_known_by_that_name(load: Load) -> None:
    with pytest.raises(ValueError, match=r"gain_\{n\}: the first argument of gain is k; call it"):
        gain(load(ORIGINAL.replace("gain(known, n)", "gain(k, n)").replace("(known)", "(k)")), 1)


def test_a_shared_series_calls_what_is_known_by_that_name() -> None:
    with pytest.raises(ValueError, match="series rsi: the first argument of rsi is k; call it"):

        @kept
        def rsi(k: Known) -> Array:
            return k.indicators["rsi_14"]


class Recording(Known):
    """Notes which ready-made results are read from it, however that is written."""

    def __getattribute__(self, name: str) -> Any:
        if name in fingerprints.MAKERS:
            super().__getattribute__("kept").setdefault("read", set()).add(name)
        return super().__getattribute__(name)


def test_every_feature_of_the_sets_reads_no_stored_result_that_its_hash_does_not_cover(
    make_bars, make_inputs
) -> None:
    bars = make_bars(0, sessions=60, symbols=4)
    known = known_before(make_inputs(bars), bars.sessions)
    unnoticed = {}
    for feature in {feature.name: feature for s in FEATURE_SETS.values() for feature in s}.values():
        recording = Recording(**vars(known) | {"kept": {}})
        feature(recording)
        missing = recording.kept.get("read", set()) - feature.reads
        unnoticed |= {feature.name: missing} if missing else {}

    assert unnoticed == {}
