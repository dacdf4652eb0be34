from __future__ import annotations

from functools import partial

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import TooFewSessions
from pipeline.learning import windows

DAYS = pd.date_range("2024-01-01", "2024-03-31")  # every day: calendar counts are exact

holdout_step = partial(windows.holdout_step, gap_sessions=1, expanding=False)
refit_window = partial(windows.refit_window, expanding=False)
walk_forward_steps = partial(
    windows.walk_forward_steps, min_sessions=1, gap_sessions=1, expanding=False
)


def test_windows_are_half_open_calendar_spans_with_an_embargo_between():
    step = holdout_step(DAYS, window_days=20, holdout_days=10, gap_sessions=1)

    assert list(step.predicted) == list(pd.date_range("2024-03-22", "2024-03-31"))
    assert list(step.development) == list(pd.date_range("2024-03-02", "2024-03-20"))


def test_given_dates_are_the_first_and_the_last_day_used():
    step = holdout_step(DAYS, window_days=1, holdout_days=5, start="2024-02-01", end="2024-02-20")

    assert step.development[0] == pd.Timestamp("2024-02-01")
    assert step.development[-1] == pd.Timestamp("2024-02-14")
    assert list(step.predicted) == list(pd.date_range("2024-02-16", "2024-02-20"))


@given(st.integers(5, 60), st.integers(1, 20), st.integers(0, 3), st.data())
@settings(max_examples=50, deadline=None)
def test_no_session_is_both_learned_from_and_held_out(window, holdout, embargo, data):
    sessions = DAYS[sorted(data.draw(st.sets(st.integers(0, 90), min_size=80)))]

    step = holdout_step(
        sessions, window_days=window + 10, holdout_days=holdout + 8, gap_sessions=embargo
    )

    between = sessions[(sessions > step.development[-1]) & (sessions < step.predicted[0])]
    assert len(between) == embargo
    assert step.predicted[-1] == sessions[-1]


def test_an_empty_development_is_refused_with_numbers():
    with pytest.raises(TooFewSessions, match="0 development and 10 holdout"):
        holdout_step(DAYS[-10:], window_days=20, holdout_days=10)


def test_the_refit_window_reaches_the_newest_label():
    window = refit_window(DAYS, 20)

    assert list(window) == list(pd.date_range("2024-03-12", "2024-03-31"))


def test_a_rolling_schedule_predicts_each_session_once_from_earlier_ones():
    steps = walk_forward_steps(DAYS, window_days=30, refit_every=7, search_every=14)

    predicted = [day for step in steps for day in step.predicted]
    assert predicted == list(DAYS[31:])  # 31 sessions lie in the first full window and its edge
    assert [step.search for step in steps[:5]] == [True, False, True, False, True]
    for step in steps:
        assert step.predicted[0] - step.development[-1] == pd.Timedelta(days=2)  # embargo of one
        assert len(step.development) == 29


def test_a_rolling_schedule_starts_where_it_is_told():
    steps = walk_forward_steps(
        DAYS, window_days=30, refit_every=50, search_every=50, start="2024-03-01"
    )

    assert [step.predicted[0] for step in steps] == [pd.Timestamp("2024-03-01")]
    assert steps[0].search


def test_a_step_needs_enough_sessions_in_its_window():
    gappy = DAYS[[*range(0, 20, 4), *range(20, 91)]]

    steps = walk_forward_steps(
        gappy, window_days=20, refit_every=5, search_every=5, min_sessions=12
    )

    assert len(steps[0].development) == 12
    assert steps[0].predicted[0] > DAYS[21]


def test_an_expanding_window_always_begins_with_the_first_session():
    steps = walk_forward_steps(
        DAYS, window_days=30, refit_every=20, search_every=40, expanding=True
    )

    assert {step.development[0] for step in steps} == {DAYS[0]}
    assert [len(step.development) for step in steps] == [30, 50, 70]


def test_a_history_shorter_than_the_window_has_no_schedule():
    with pytest.raises(TooFewSessions, match="20 sessions"):
        walk_forward_steps(DAYS[:20], window_days=30, refit_every=7, search_every=14)


DAILY = pd.date_range("2024-01-01", periods=12)


def drawn(name: str, learned: pd.DatetimeIndex, predicted: pd.DatetimeIndex) -> str:
    """A line of the module's drawing."""
    marks = pd.Series("-", DAILY)
    marks[learned], marks[predicted] = "*", "p"
    marks[(marks.index > learned[-1]) & (marks.index < predicted.min())] = "."
    return f"    {name:8} {' '.join(marks)}"


def test_the_windows_are_as_the_module_draws_them():
    window = {"window_days": 6, "gap_sessions": 1, "expanding": False}
    walked = windows.walk_forward_steps(
        DAILY, refit_every=2, search_every=4, min_sessions=1, **window
    )
    newest = drawn("newest", windows.refit_window(DAILY, 6, expanding=False), DAILY[:0])
    held_out = windows.holdout_step(DAILY, holdout_days=4, **window)
    drawings = [
        [drawn("search", held_out.development, held_out.predicted), newest],
        [
            *(drawn("search" if s.search else "refit", s.development, s.predicted) for s in walked),
            newest,
        ],
    ]
    for lines in drawings:
        assert "\n".join(["", *lines, ""]) in (windows.__doc__ or "")
