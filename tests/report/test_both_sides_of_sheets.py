"""Sections of a tear sheet with and without what they are about; the rest of a report likewise."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import Refused
from pipeline.report.doubts import BY_ERROR, BY_PART, BY_YEAR, printed_doubts
from pipeline.report.quarantine import by_rule, printed_quarantine
from pipeline.report.reproduction import Reproduction
from pipeline.report.tear_sheet.sections import sections
from pipeline.schemas import BAR_FIELDS, ROW
from tests.report.made_sheet import SEARCHES, sheet

FIXED = SEARCHES[["predicted_first", "lightgbm.objective"]].assign(cv_rank_ic=0.02)
"""Searches of one score that chose no number."""


@pytest.fixture(scope="module")
def full():
    return sheet(70, 30, searches=SEARCHES)


def section(some, name: str):
    return next(each for each in sections(some) if each.name == name)


@pytest.mark.parametrize("name", ["gates", "drivers", "searches"])
def test_a_section_with_and_without_what_it_shows(full, name) -> None:
    assert not section(full, name).missing
    empty = replace(full, **{name: getattr(full, name).iloc[:0]})
    assert section(empty, name).missing
    assert "nan" not in section(empty, name).missing


def test_searches_that_chose_no_number_have_a_table_and_no_curve(full) -> None:
    assert section(full, "searches").draw is not None
    fixed = section(replace(full, searches=FIXED), "searches")
    assert fixed.draw is None
    assert len(fixed.tables) == 1


def test_a_run_done_again_elsewhere_that_came_to_others_numbers() -> None:
    was = {"a": 1.0, "b": 2.0}
    elsewhere = Reproduction.of(was, {"a": 1.1, "b": 2.0}, 0.0, {"environment": "Python 3.12"})
    assert elsewhere.printed().startswith("What differs:\n  environment: Python 3.12\n")
    assert "Reproduced" not in elsewhere.printed()
    with pytest.raises(Refused) as caught:
        elsewhere.require_equal()
    assert "nothing else differs" not in str(caught.value)
    assert [fault.key for fault in caught.value.faults] == ["a"]


def test_rules_of_the_quarantine_all_and_the_first_and_bars_that_nobody_may_accept() -> None:
    counts = {"empty row": 3, "price missing": 12, "no session": 3}
    assert by_rule(counts) == "12 price missing, 3 empty row, 3 no session"
    assert by_rule(counts, shown=2) == "12 price missing, 3 empty row, 1 more rules"
    row = [pd.Timestamp("2024-03-11"), "AAB", "empty row", *[np.nan] * len(BAR_FIELDS)]
    bars = pd.DataFrame([row], columns=[*ROW, "reason", *BAR_FIELDS])
    assert "data.accept" not in printed_quarantine(bars, {}, (), 5)
    assert "data.accept=[AAB:2024-03-11]" in printed_quarantine(bars, {}, ("empty row",), 5)


@pytest.mark.parametrize("parts", [0, 1])
def test_doubts_are_printed_with_parts_where_something_was_traded(parts) -> None:
    assert printed_doubts({}, {}) == ""
    figures = ("rank_ic", "rank_ic_t", "gross_sharpe", "sharpe", "sharpe_5bp", "sharpe_10bp",
               "sharpe_20bp", "break_even_bps", "trades")  # fmt: skip
    errors = pd.DataFrame({"error_bps": [5.0], **dict.fromkeys(figures, 1.0), "gates": "fail"})
    years = pd.DataFrame({"error_bps": [5.0], "year": 2021, "rank_ic": 0.1, "sharpe": 1.0})
    part = pd.DataFrame({"by": ["side"], "part": "long", "trades": 3, "net_bps": 1.0,
                         "net_pnl": 5.0, "sharpe": 1.0})  # fmt: skip
    metrics = {"doubt/sharpe_fill_5bp": 1.0, "doubt/sharpe_fill_10bp": 1.0,
               "doubt/largest_error_bps": 5.0, "doubt/bad_opens_stale": 2.0}  # fmt: skip
    tables = {BY_ERROR: errors, BY_YEAR: years, BY_PART: part.iloc[:parts]}
    said = printed_doubts(tables, metrics)
    assert ("long" in said) == (parts == 1)
    assert "2 stale" in said
