"""What runs only when something is wrong, or only when nothing is: both sides of each branch."""

from __future__ import annotations

import re
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.io.sources.files.spikes import BAR, REASONS
from pipeline.io.sources.protocol import EVERY_SYMBOL
from pipeline.io.sources.quality import quality
from pipeline.report.life import health_table, printed_health, printed_history
from pipeline.report.morning import printed_orders, printed_watch_list
from pipeline.report.quality_page import printed_quality, quality_page
from pipeline.report.quarantine import by_rule, printed_quarantine
from pipeline.report.survivorship import survivorship
from pipeline.schemas import BAR_FIELDS, ROW
from tests.workspaces import delivery

SESSION = pd.Timestamp("2024-03-11")
NAN = re.compile(r"(?<![\w.-])(?:nan|NaN|NaT|None|inf)(?![\w.-])")


def quarantined(count: int) -> pd.DataFrame:
    row = [SESSION, "AAB", BAR, 10.0, 11.0, 9.0, 10.0, 100.0]
    return pd.DataFrame([row] * count, columns=[*ROW, "reason", *BAR_FIELDS])


def bars(symbols: int) -> pd.DataFrame:
    index = pd.MultiIndex.from_product([[SESSION], [f"S{n}" for n in range(symbols)]], names=ROW)
    table = pd.DataFrame(dict.fromkeys(BAR_FIELDS, 10.0), index)
    return table.assign(final=True)


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("refused", [{}, {"XYZ": "two readings"}])
def test_quarantine_with_and_without_bars(count, refused) -> None:
    said = printed_quarantine(quarantined(count), refused, REASONS, 2)
    assert said.startswith(f"{count} bars of {min(count, 1)} symbols quarantined")
    assert ("data.accept=[AAB:2024-03-11" in said) == (count > 0)
    assert ("and 1 more" in said) == (count == 3)
    assert ("XYZ: two readings" in said) == bool(refused)
    assert not NAN.search(said)
    assert by_rule({}) == ""


@pytest.mark.parametrize("symbols", [0, 1, 7])
@pytest.mark.parametrize("count", [0, 1])
def test_the_quality_of_a_delivery_with_and_without_a_fault(symbols, count) -> None:
    given = replace(delivery(bars(symbols)), quarantine=quarantined(count))
    table = quality({"stocks": given, "indices": delivery(bars(0))})
    said = printed_quality(table)
    page = quality_page(table, given.bars, given.quarantine, {}, REASONS)
    assert ("quarantined" in said) == (count > 0)
    assert ("kept" in said) == (symbols + count > 0)
    assert not NAN.search(said)
    assert not NAN.search(re.sub("<[^>]*>", " ", page))
    assert EVERY_SYMBOL not in said


@pytest.mark.parametrize("late", ["", "AAB (last 2024-03-08)"])
def test_a_watch_list_without_a_symbol_and_without_anyone_late(late) -> None:
    listed = pd.DataFrame(
        {"symbol": ["S1"], "close": [10.0], "buy_below": [9.9], "gap_bps": [-9.0]}
    )
    for table, word in (
        (listed, "buy at or below"),
        (listed.iloc[:0], "No symbol would be bought"),
    ):
        said = printed_watch_list(table, SESSION, "3", late)
        assert word in said
        assert ("Left out" in said) == bool(late)


@pytest.mark.parametrize("left_out", [{}, {"AAB": "no quote", "BBC": "no quote"}])
def test_a_morning_without_orders_and_without_anyone_left_out(left_out) -> None:
    columns = ["shares", "notional", "edge_bps", "cost_bps"]
    said = printed_orders(
        pd.DataFrame(columns=columns, dtype="float64"),
        pd.Series(left_out, dtype="object"),
        session=SESSION, version="3", quoted=2, deadline="until 09:28", path="x.csv",
    )  # fmt: skip
    assert "No orders: no forecast exceeds its cost." in said
    assert ("Left out, no quote: AAB, BBC" in said) == bool(left_out)


def test_a_champion_without_an_outcome_and_none_at_all() -> None:
    nothing = health_table([])
    assert "No forecast has an outcome yet." in printed_health(nothing, 0)
    assert printed_history([]) == "champion was never moved"


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (["2024-03-11"], "0 of 1 symbols end before the last session"),
        (["2024-03-11", "2024-03-11"], "only survivors"),
        (["2024-03-11", "2023-01-03"], "1 of 2 symbols ends before"),
    ],
)
def test_survivorship_of_one_symbol_and_of_some_that_ended(last, words) -> None:
    names = [f"S{n}" for n in range(len(last))]
    assert words in survivorship(pd.Series(pd.to_datetime(last), names), left=None)
