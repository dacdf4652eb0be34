"""What a report says of symbols that are no more."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.report.survivorship import survivorship


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (["2024-03-25", "2024-02-24"], "0 of 2 symbols end before the last session"),
        (["2024-03-25", "2024-02-23"], "1 of 2 symbols ends before the last session"),
        (["2024-03-25", "2020-01-02", "2021-01-04"], "2 of 3 symbols end before"),
    ],
)
def test_a_symbol_has_ended_when_a_month_is_missing_at_its_end(last: list[str], words: str) -> None:
    assert survivorship(pd.Series(pd.to_datetime(last)), left=1).startswith(words)


def test_only_survivors_and_members_of_one_day_are_said_to_be_so() -> None:
    alive = pd.Series(pd.to_datetime(["2024-03-25", "2024-03-22"]))
    ended = pd.Series(pd.to_datetime(["2024-03-25", "2020-03-25"]))
    assert "only survivors: results are too good" in survivorship(alive, left=None)
    assert "survivors" not in survivorship(ended, left=None)
    assert "survivors" not in survivorship(alive[:1], left=None)  # one symbol chose itself
    assert "membership is known of one day only" in survivorship(alive, left=None)
    assert "membership is known of each session, 0 have left; only" in survivorship(alive, left=0)
    assert survivorship(alive, left=1).endswith("of each session, 1 has left")
