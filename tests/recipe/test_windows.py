"""Which sessions a retrain reads, learns from, is judged on and is fitted on in the end."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.errors import TooFewSessions
from pipeline.learning.dataset import Dataset
from pipeline.recipe.windows import DateRange, WindowPlan
from pipeline.schemas import SESSION, SYMBOL
from tests.recipe import made

DAYS = pd.date_range("2024-01-01", "2024-04-30", name=SESSION, unit="us")
"""Every day: calendar counts are exact."""


def plan(walks: bool = False, *, first: date | None = None, **window: Any) -> WindowPlan:
    """20 days to learn from, 10 to be judged on, a gap of one."""
    evaluation = made.evaluation(name="walk_forward" if walks else "holdout", start=first)
    lengths = {"window_days": 20, "holdout_days": 10} | window
    return made.windows(window=made.window(**lengths), evaluation=evaluation, min_sessions=5)


def span(sessions: pd.DatetimeIndex) -> tuple[str, str, int]:
    return f"{sessions[0]:%m-%d}", f"{sessions[-1]:%m-%d}", len(sessions)


# ---- lengths ----


@pytest.mark.parametrize(
    ("chosen", "days"),
    [
        (plan(), 20),
        (plan(start="2024-01-09"), 20),
        (plan(end="2024-03-31"), 20),
        (made.windows(window=made.window(start="2024-02-01", end="2024-03-31")), 59 - 30),
        (plan(walks=True, end="2024-03-31"), 20),
    ],
)
def test_the_window_is_as_long_as_config_or_both_its_ends_say(
    chosen: WindowPlan, days: int
) -> None:
    assert chosen.window_days == days


def test_both_ends_of_a_walk_forward_bound_the_history_not_the_window() -> None:
    ends = {"start": "2024-02-01", "end": "2024-03-31"}
    assert plan(**ends).window_days == 59 - 10
    assert plan(walks=True, **ends).window_days == 20


def test_sessions_to_expect_are_five_in_seven_days() -> None:
    assert plan(window_days=365).window_sessions == 252
    assert plan(window_days=90).window_sessions == 62


# ---- of ----


def test_a_holdout_is_one_step_and_the_refit_reaches_the_newest_label() -> None:
    windows = plan().of(DAYS)
    assert len(windows.steps) == 1
    assert span(windows.development) == ("04-01", "04-19", 19)
    assert span(windows.predicted) == ("04-21", "04-30", 10)
    assert span(windows.newest) == ("04-11", "04-30", 20)


def test_given_ends_are_those_of_the_holdout_and_the_refit() -> None:
    windows = plan(start="2024-02-01", end="2024-03-15").of(DAYS)
    assert span(windows.development) == ("02-01", "03-04", 33)
    assert span(windows.predicted) == ("03-06", "03-15", 10)
    assert span(windows.newest) == ("02-25", "03-15", 20)


def test_expanding_windows_begin_with_the_first_session() -> None:
    windows = plan(expanding=True).of(DAYS)
    assert windows.development[0] == windows.newest[0] == DAYS[0]
    assert span(windows.newest)[2] == len(DAYS)


def test_a_walk_forward_predicts_each_session_once_and_searches_every_so_often() -> None:
    windows = plan(walks=True).of(DAYS)
    assert windows.predicted.equals(DAYS[21:])
    assert span(windows.steps[0].development) == ("01-02", "01-20", 19)
    assert [step.search for step in windows.steps[:5]] == [True, False, True, False, True]
    assert windows.development.equals(windows.steps[-1].development)
    assert all(len(step.predicted) <= 5 for step in windows.steps)
    assert span(windows.newest) == ("04-11", "04-30", 20)


def test_a_walk_forward_may_begin_later_by_config_or_by_who_calls_it() -> None:
    later = plan(walks=True, first=date(2024, 3, 1))
    assert later.of(DAYS).predicted[0] == pd.Timestamp("2024-03-01")
    steps = later.walk_forward(DAYS, start=pd.Timestamp("2024-04-01"))
    assert steps[0].predicted[0] == pd.Timestamp("2024-04-01")


def test_a_walk_forward_ends_where_the_window_ends() -> None:
    assert plan(walks=True, end="2024-03-15").of(DAYS).predicted[-1] == pd.Timestamp("2024-03-15")


@pytest.mark.parametrize("walks", [False, True])
def test_too_few_sessions_are_refused(walks: bool) -> None:
    with pytest.raises(TooFewSessions):
        plan(walks).of(DAYS[:8])


# ---- readable ----


def test_a_holdout_reads_its_windows_and_no_session_more() -> None:
    assert span(plan().readable(DAYS)) == ("04-01", "04-30", 30)
    short = plan(window_days=5).readable(DAYS)
    assert span(short) == ("04-16", "04-30", 14)
    assert pd.Timestamp("2024-04-20") not in short  # the gap


def test_a_refit_window_before_development_is_read_too() -> None:
    chosen = plan(start="2024-04-15", end="2024-04-30", window_days=60)
    readable = chosen.readable(DAYS)
    assert readable[0] == chosen.of(DAYS).newest[0] == pd.Timestamp("2024-03-02")


def test_a_walk_forward_reads_all_history_within_its_ends() -> None:
    assert plan(walks=True).readable(DAYS).equals(DAYS)
    cut = plan(walks=True, end="2024-03-15").readable(DAYS)
    assert span(cut) == ("01-01", "03-15", 75)
    both = plan(walks=True, start="2024-02-01", end="2024-03-15").readable(DAYS)
    assert span(both) == ("02-01", "03-15", 44)


# ---- what is judged ----


def dataset(days: pd.DatetimeIndex, symbols: int = 2) -> Dataset:
    names = pd.Index([f"S{k}" for k in range(symbols)], name=SYMBOL)
    rows = pd.MultiIndex.from_product([days, names])
    return Dataset(pd.DataFrame({"x": 0.0}, rows), pd.Series(0.0, rows), {})


def test_only_predicted_sessions_with_rows_are_judged() -> None:
    windows = plan().of(DAYS)
    rows = dataset(DAYS[:-3])
    assert windows.judged(rows).equals(windows.predicted[:-3])


def test_windows_in_words_name_their_sessions_and_rows() -> None:
    words = plan().of(DAYS).sentence(dataset(DAYS[:-3]))
    assert words == (
        "development 2024-04-01..2024-04-19 (19 sessions, 38 rows), "
        "holdout 2024-04-21..2024-04-27 (7 sessions, 14 rows)"
    )
    walked = plan(walks=True, first=date(2024, 4, 21)).of(DAYS).sentence(dataset(DAYS))
    assert walked == (
        "newest development 2024-04-06..2024-04-24 (19 sessions, 38 rows), "
        "walked forward over 2024-04-21..2024-04-30 (10 sessions, 20 rows), 2 refits"
    )


# ---- ranges ----


def test_a_range_that_ends_before_it_starts_is_refused() -> None:
    with pytest.raises(ValidationError, match="start 2024-02-02 lies after end 2024-02-01"):
        DateRange(start=date(2024, 2, 2), end=date(2024, 2, 1))
    one = DateRange(start=date(2024, 2, 1), end=date(2024, 2, 1))
    assert (one.first, one.last) == (pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-01"))
    assert (DateRange(start=None, end=None).first, one.changed(end=None).last) == (None, None)
