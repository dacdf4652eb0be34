"""Symbols that a configuration names are known to its source, or a fault each."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.config.symbols import unknown_symbols
from pipeline.errors import InvalidSettings
from pipeline.io.store.store import Store
from tests.workspaces import listed


def settings(*overrides: str) -> Settings:
    return check(compose(list(overrides)))


@pytest.fixture
def live(tmp_path: Path) -> Settings:
    universe = tmp_path / "mine.csv"
    universe.write_text("symbol,sector\nAAPL,Tech\nBRK.B,Financials\nGONE,\n")
    return settings("data=yfinance", f"universe.path={universe}", "symbols=[aapl]")


def test_symbols_given_by_name_may_be_written_with_a_point(live: Settings) -> None:
    named = live.model_copy(update={"symbols": ("brk.b",)})
    assert build.named_symbols(named) == ("BRK-B",)
    assert unknown_symbols(named) == []


def test_each_unknown_symbol_is_a_fault() -> None:
    with pytest.raises(InvalidSettings) as caught:
        settings("symbols=[AAPL, NIXX, NOXX]")
    assert caught.value.found.startswith("2 faults")
    assert [fault.key for fault in caught.value.faults] == ["symbols", "symbols"]
    for name in ("NIXX", "NOXX"):
        assert f"symbols: unknown symbol {name!r}; sample has " in caught.value.found


def test_a_universe_of_which_the_source_has_a_part_is_no_fault_but_one_without_any_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol\nAAPL\nNIXX\n")
    chosen = settings(f"universe.path={file}")
    assert unknown_symbols(chosen) == []
    file.write_text("symbol\nNIXX\n")
    (fault,) = unknown_symbols(chosen)
    assert fault.key == "universe.path"
    assert "none of its 1 symbols" in fault.found


def test_a_store_of_the_same_version_is_asked_instead_of_the_prices(tmp_path: Path) -> None:
    chosen = settings(f"store.path={tmp_path / 's.db'}").model_copy(update={"symbols": ("MINE",)})
    store = Store.open(tmp_path / "s.db")
    store.write_symbols(listed(["MINE"]))
    assert unknown_symbols(chosen) != []  # it was not filled from the source

    version = build.source(chosen).version
    store.mark_built("ingest", store.revision(), {"source": version})
    assert unknown_symbols(chosen) == []

    store.mark_built("ingest", store.revision(), {"source": "older"})
    assert unknown_symbols(chosen) != []
    store.close()
