"""What comes next after a retrain: evidence first, promotion when it is there, force last."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.learning.windows import Step
from pipeline.recipe.expected import expected
from pipeline.report.next_steps import (
    after_earlier_evidence,
    after_evidence,
    after_quick_retrain,
    forced,
    history_command,
    is_longer_window_worth_it,
    walk_forward_command,
)

FILES = ("data=files", "data.path=prices", "model=ridge")
QUICK = {"seconds": 130.0, "refits": 7, "sessions": 140, "years": 13.0, "longer": False}


def test_after_a_quick_retrain_comes_a_walk_forward_of_the_same_recipe_with_its_time() -> None:
    lines = after_quick_retrain([*FILES, "retrain.end=2010-01-01"], **QUICK)
    assert "7 refits over 140 sessions, about 3 min here:" in lines[0]
    assert lines[1].endswith('data=files data.path=prices model=ridge evaluation=walk_forward"')
    assert len(lines) == 2
    unknown = after_quick_retrain(FILES, **{**QUICK, "seconds": None})
    assert "140 sessions:" in unknown[0]


def test_too_little_history_is_named_instead_of_a_walk_forward_that_would_fail() -> None:
    lines = after_quick_retrain(FILES, **{**QUICK, "refits": 0})
    assert "too few sessions" in lines[0]
    assert "walk_forward" not in lines[1]


def test_years_in_the_store_are_said_to_be_worth_more_on_the_same_data() -> None:
    lines = after_quick_retrain(FILES, **{**QUICK, "longer": True})
    assert "13 years" in lines[2]
    assert "experiment=history data=files data.path=prices" in lines[3]
    assert "model=ridge" not in lines[3]


@pytest.mark.parametrize(
    ("years", "window_days", "expanding", "worth"),
    [(13.0, 90, False, True), (2.9, 90, False, False), (13.0, 1826, False, False),
     (13.0, 90, True, False)],
)  # fmt: skip
def test_a_longer_window_is_named_where_there_are_years_and_months_are_used(
    years: float, window_days: int, expanding: bool, worth: bool
) -> None:
    assert is_longer_window_worth_it(years, window_days, expanding=expanding) is worth


def test_neither_command_loses_the_data_that_was_chosen() -> None:
    for command in (walk_forward_command(FILES), history_command(FILES)):
        assert {"data=files", "data.path=prices"} <= set(command.overrides)


def test_force_is_never_the_next_step() -> None:
    reasons = ["sharpe: fail: too low."]
    texts = [after_evidence(FILES, "accepted", ()), after_evidence(FILES, "rejected", reasons),
             after_earlier_evidence(FILES), after_quick_retrain(FILES, **QUICK)]  # fmt: skip
    for text in texts:
        assert "force" not in "\n".join(text)
    assert "promote" in texts[0][1]
    assert texts[1][0].endswith("sharpe: fail: too low.")
    assert "promote.force=true" in str(forced(3))


def test_after_a_rejection_comes_another_recipe_never_the_one_that_was_tried() -> None:
    reasons = ["sharpe: fail: too low."]
    for given in (FILES, (*FILES, "features=extended"), ("features=extended", "model=ridge")):
        for lines in (
            after_evidence(given, "rejected", reasons), after_earlier_evidence(given, rejected=True)
        ):  # fmt: skip
            (command,) = (line for line in lines if line.startswith("  "))
            assert "evaluation=walk_forward" in command
            assert "another" in lines[-2]
            tried = [word for word in ("features=extended", "model=ridge") if word in given]
            assert not [word for word in tried if word in command]
            assert ("data.path=prices" in command) == ("data=files" in given)


def test_what_only_an_audit_keeps_from_promotion_is_promoted_next() -> None:
    lines = after_evidence(FILES, "rejected", ["no_leak_in_t: fail."], only_audit=True)
    assert lines[0] == "In the way of a promotion: no_leak_in_t: fail."
    assert lines[1] == "Next: a promotion, which audits it first:"
    assert "-e promote" in lines[2]
    assert "data=files data.path=prices" in lines[2]


def test_the_expected_time_counts_every_search_and_every_fit() -> None:
    few = pd.bdate_range("2010-01-04", periods=3)
    steps = [Step(few, few, search) for search in (True, False, True)]
    assert expected(steps, search_seconds=10.0, fit_seconds=1.0) == (23.0, 3, 9)
