"""Bars that were left out, as a person asks the store for them and takes them all the same."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.io.store.store import Store
from pipeline.report.quarantine import by_rule
from pipeline.stages import quarantine
from tests.io.sources.files.hand_made import HEADER, files, rows, write

DAYS = pd.bdate_range("2021-03-01", periods=20).strftime("%Y-%m-%d").tolist()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A store with one spike of AAB, one empty row of BBC, and ZZZ refused whole."""
    lines = rows(DAYS, first=100.0)
    spike = f"{DAYS[7]},1070,1080,1060,1070,100"
    write(tmp_path / "prices/AAB.csv", HEADER, *lines[:7], spike, *lines[8:])
    write(tmp_path / "prices/BBC.csv", HEADER, *lines[:3], f"{DAYS[3]},,,,,", *lines[4:])
    write(tmp_path / "prices/ZZZ.csv", HEADER, *rows(DAYS[:10], 100.0), *rows(DAYS[10:], 1000.0))
    source = files(tmp_path / "prices")
    delivery = source.bars()
    with Store.open(tmp_path / "s.db") as store:
        store.write_symbols(source.symbols())
        store.write_bars(delivery)
        store.mark_built("ingest", store.revision(), {"set_aside": dict(delivery.refused)})
        assert by_rule(store.quarantine_by_rule()).startswith("1 a bar more than")
    return tmp_path


def asked(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    given = ["data=files", f"data.path={folder / 'prices'}", f"store.path={folder / 's.db'}"]
    quarantine.run(check(compose([*given, *words])))
    return capsys.readouterr().out


def test_bars_are_shown_by_rule_with_the_words_that_take_them(folder, capsys) -> None:
    said = asked(folder, capsys)
    assert "2 bars of 2 symbols quarantined" in said
    assert f"data.accept=[AAB:{DAYS[7]}]" in said, "an empty row cannot be taken"
    assert "  ZZZ: " in said
    taken = files(folder / "prices", accept=(f"AAB:{DAYS[7]}",)).bars()
    assert taken.quarantine["symbol"].tolist() == ["BBC"]


@pytest.mark.parametrize(
    ("words", "symbols"),
    [
        (["symbols=[BBC]"], ["BBC"]), (["quarantine.rule=EMPTY"], ["BBC"]),
        ([f"start_date={DAYS[5]}"], ["AAB"]), ([f"end_date={DAYS[5]}"], ["BBC"]),
        (["quarantine.rule=nothing"], []),
    ],
)  # fmt: skip
def test_a_symbol_a_rule_and_a_range_choose_among_them(folder, capsys, words, symbols) -> None:
    out = folder / "odd.csv"
    said = asked(folder, capsys, *words, f"quarantine.path={out}")
    assert pd.read_csv(out)["symbol"].tolist() == symbols
    assert f"{len(symbols)} bars of {len(symbols)} symbols" in said
    assert ("ZZZ" in said) == (words[0] != "symbols=[BBC]")
