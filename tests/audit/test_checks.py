"""Comparisons, and what the results of all checks amount to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from pipeline.audit.checks import (
    MAX_LISTED,
    CheckResult,
    combine,
    compare,
    leaks_at,
    metrics,
    refusal,
    table,
    verdict,
)
from pipeline.gates.gates import Answer
from pipeline.schemas import ROW


def rows(count: int, **columns: list) -> pd.DataFrame:
    names = [f"S{k}" for k in range(count)]
    index = pd.MultiIndex.from_product([pd.DatetimeIndex(["2024-01-02"]), names], names=ROW)
    return pd.DataFrame(columns, index)


def test_equal_values_and_missing_ones_are_no_leak() -> None:
    frame = rows(3, x=[1.0, np.nan, 3.0], word=["a", "b", None])

    same = compare(frame, frame.iloc[::-1])

    assert (same.checked, same.leaks, same.sufficient) == (6, 0, True)


def test_a_value_that_differs_in_its_last_bit_is_named_with_both() -> None:
    stored, recomputed = (
        rows(2, x=np.array([0.1, value], dtype=np.float32))
        for value in (0.5, np.nextafter(np.float32(0.5), np.float32(1)))
    )

    result = compare(stored, recomputed)

    assert result.leaks == 1
    assert result.listed.iloc[0].tolist() == ["x", "S1", "2024-01-02", "0.5", "0.50000006"]


def test_a_value_that_is_there_on_one_side_only_is_a_leak() -> None:
    result = compare(rows(1, x=[1.0]), rows(1, x=[np.nan]))

    assert result.listed[["stored", "recomputed"]].iloc[0].tolist() == ["1.0", "nan"]


def test_a_row_or_column_of_one_side_only_is_a_leak() -> None:
    result = compare(rows(2, x=[1.0, 2.0], y=[1.0, 2.0]), rows(1, x=[1.0]))

    assert result.leaks == 2
    assert result.listed.to_numpy().tolist() == [
        ["row", "S1", "2024-01-02", "True", "False"],
        ["y", "", "", "True", "False"],
    ]


def test_all_leaks_are_counted_and_the_first_of_a_column_listed() -> None:
    many = rows(50, x=[1.0] * 50, y=[1.0] * 50)

    result = combine([compare(many, many + 1), compare(many, many + 1)])

    assert result.leaks == 200
    assert result.listed["column"].value_counts().to_dict() == {"x": MAX_LISTED, "y": MAX_LISTED}


def test_nothing_compared_shows_nothing() -> None:
    assert not combine([]).sufficient
    assert not combine([CheckResult(0)]).sufficient
    assert leaks_at("x", rows(0).index, [], []).leaks == 0


def leak(*sessions: str) -> CheckResult:
    index = pd.MultiIndex.from_arrays([pd.DatetimeIndex(sessions), ["AAA"] * len(sessions)])
    return leaks_at("x", index.set_names(ROW), [1.0] * len(sessions), [2.0] * len(sessions))


CLEAN, UNCLEAR = CheckResult(9), CheckResult(9, sufficient=False, summary="IC 0.1")
OPTIONAL = replace(UNCLEAR, required=False)
LEAKING = leak("2024-01-02", "2024-01-03")


@pytest.mark.parametrize(
    ("results", "answer"),
    [
        ([CLEAN, CLEAN], Answer.PASS),
        ([CLEAN, UNCLEAR], Answer.UNKNOWN),
        ([CLEAN, UNCLEAR, LEAKING], Answer.FAIL),
        ([CLEAN, OPTIONAL], Answer.PASS),
        ([CLEAN, replace(LEAKING, required=False)], Answer.FAIL),
        ([CLEAN, replace(LEAKING, sufficient=False)], Answer.FAIL),
    ],
)
def test_one_leak_fails_and_too_few_data_of_a_required_check_do_not_pass(results, answer) -> None:
    assert verdict({str(number): result for number, result in enumerate(results)}) is answer


@pytest.mark.parametrize("results", [{}, {"reversed_time": OPTIONAL}])
def test_an_audit_that_nothing_decides_has_no_verdict(results) -> None:
    with pytest.raises(ValueError, match="at least one required check"):
        verdict(results)


def test_a_result_says_how_much_was_compared_where_it_has_no_words_of_its_own() -> None:
    assert str(CheckResult(1234, leaks=1)) == "1 leaks in 1,234 values"
    assert str(UNCLEAR) == "IC 0.1"


def test_every_check_has_its_leaks_and_numbers_among_the_metrics() -> None:
    measured = replace(CLEAN, metrics={"ic": 0.01})

    assert metrics({"labels": LEAKING, "shifted_labels": measured}) == {
        "audit/passed": 0.0,
        "audit/values_checked": 11,
        "audit/leaks": 2,
        "audit/labels_leaks": 2,
        "audit/shifted_labels_leaks": 0,
        "audit/shifted_labels_ic": 0.01,
    }


def test_the_table_has_a_line_of_each_check_and_one_of_each_leak_listed() -> None:
    everything = table({"labels": LEAKING, "folds": UNCLEAR})
    lines = everything[everything["answer"] != "not looked at"]
    unseen = everything[everything["answer"] == "not looked at"]
    assert unseen["check"].tolist() == ["universe", "prices", "attributes"]

    assert lines[
        ["check", "answer", "values", "leaks", "session", "explanation"]
    ].to_numpy().tolist() == [
        ["labels", "fail", "2", "2", "", ""],
        ["labels", "fail", "", "", "2024-01-02", ""],
        ["labels", "fail", "", "", "2024-01-03", ""],
        ["folds", "not enough evidence", "9", "0", "", "IC 0.1"],
    ]


def test_a_refusal_names_the_first_leak_of_every_check_that_has_one() -> None:
    error = refusal(
        {"folds": CLEAN, "labels": LEAKING, "startup": leak("2024-02-01"), "x": UNCLEAR}
    )

    assert error.found.split("\n    ") == [
        "3 leaks; the first of each check:",
        "labels: x of AAA on 2024-01-02: 1.0 against 2.0",
        "startup: x of AAA on 2024-02-01: 1.0 against 2.0",
    ]


def test_a_refusal_without_a_leak_names_what_was_too_little_and_required() -> None:
    error = refusal({"folds": CLEAN, "shifted_labels": UNCLEAR, "reversed_time": OPTIONAL})

    assert error.found == "no leak found, but not enough evidence in shifted_labels (IC 0.1)"
    assert "audit.holdout_days" in error.needed
