"""Who was live when, why, who decided and on which evidence."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.monitor.chain import Sealed, sealed
from pipeline.monitor.history import Event, Live, history_table, is_silent, live_at, live_in
from pipeline.report.life import printed_history
from tests.monitor.made import evening

EVENTS = [
    Event("2024-01-05T20:00:00Z", "promote", 1, None, "passed", "me", evidence="abc"),
    Event("2024-02-01T21:00:00Z", "expire", 1, 1, "old", "score"),
    Event("2024-02-10T21:00:00Z", "stop", 1, 1, "no skill", "score (me)", evidence="def"),
    Event("2024-02-12T09:00:00Z", "resume", 1, 1, "data were wrong", "ann", session="2024-02-12"),
    Event("2024-03-01T09:00:00Z", "by hand", 2, 1, "seen", "unknown"),
    Event("2024-03-02T09:00:00Z", "rollback", 1, 2, "not meant", "bob"),
    Event("2024-04-01T09:00:00Z", "by hand", None, 1, "seen", "unknown"),
]


@pytest.mark.parametrize(
    ("moment", "version", "state", "action"),
    [
        ("2024-01-01", None, "nobody", None),
        ("2024-01-06", 1, "traded", "promote"),
        ("2024-02-05", 1, "traded", "promote"),  # expired, and still trading
        ("2024-02-11", 1, "stopped", "stop"),
        ("2024-02-13", 1, "traded", "resume"),
        ("2024-03-01T12", 2, "traded", "by hand"),
        ("2024-03-05", 1, "traded", "rollback"),
        ("2024-05-01", None, "nobody", "by hand"),
    ],
)
def test_who_was_live_at_a_moment(moment, version, state, action) -> None:
    live = live_at(EVENTS, moment)
    assert (live.version, live.state) == (version, state)
    assert (live.event.action if live.event else None) == action


def test_the_words_say_why_who_and_on_which_evidence() -> None:
    said = live_at(EVENTS, "2024-02-11").in_words
    assert said == (
        "version 1, stopped: it traded nothing; stop at 2024-02-10T21:00:00Z by score (me): "
        "no skill, evidence def"
    )
    assert "nobody was live" in live_at(EVENTS, "2023-01-01").in_words


def entry(number: int, **changes) -> Sealed:
    return sealed(number, evening(**changes), pd.Series({"A": 0.1}), "")


def test_of_a_session_the_sealed_evening_says_who_was_live_whatever_was_moved_later() -> None:
    entries = [
        entry(1, session="2024-02-09", made_at="2024-02-08T21:00:00Z"),
        entry(2, session="2024-02-12", made_at="2024-02-10T22:00:00Z", state="stopped"),
        entry(3, session="2024-03-04", made_at="2024-03-01T22:00:00Z", model="2"),
        entry(4, session="2024-03-04", made_at="2024-03-09T22:00:00Z", kind="replay"),
        entry(5, session="2024-03-04", made_at="2024-03-09T22:00:00Z", model="9", role="shadow"),
        entry(6, session="2024-03-05", made_at="2024-03-09T22:00:00Z", kind="replay"),
    ]
    first, second, third = (
        live_in(entries, EVENTS, day) for day in ("2024-02-09", "2024-02-12", "2024-03-04")
    )
    assert (first.version, first.event.action) == (1, "promote")
    assert (second.version, second.state, second.event.action) == (1, "stopped", "stop")
    assert (third.version, third.event.action) == (2, "by hand")
    assert live_in(entries, EVENTS, "2024-03-05") is None  # who replays it later was not live


def test_a_stopped_version_that_comes_back_by_whatever_move_is_stopped_until_it_is_resumed() -> (
    None
):
    events = [
        *EVENTS[:3],
        Event("2024-02-20T09:00:00Z", "promote", 2, 1, "passed", "me"),
        Event("2024-02-21T09:00:00Z", "rollback", 1, 2, "not meant", "bob"),
        Event("2024-02-22T09:00:00Z", "resume", 1, 1, "data were wrong", "ann"),
    ]
    said = [live_at(events, f"2024-02-{day}T12:00:00Z") for day in (20, 21, 22)]
    assert [(live.version, live.state) for live in said] == [
        (2, "traded"), (1, "stopped"), (1, "traded"),
    ]  # fmt: skip


def test_a_session_between_kept_ones_without_forecasts_is_said_to_be_silent() -> None:
    entries = [entry(n, session=day) for n, day in enumerate(("2024-03-04", "2024-03-06"), start=1)]
    entries += [
        entry(3, session="2024-03-05", kind="replay"), entry(4, session="2024-03-08", kind="replay")
    ]  # fmt: skip
    days = [f"2024-03-0{day}" for day in range(3, 8)]
    assert [is_silent(entries, day) for day in days] == [False, False, True, False, False]
    assert not is_silent([], days[0])
    said = Live(1, "silent", EVENTS[0]).in_words
    assert said.startswith("version 1, of which no forecasts are kept; promote at ")


def test_the_table_has_a_row_an_event_and_says_until_when_each_held() -> None:
    table = history_table(EVENTS)
    assert table["version"].tolist() == ["1", "1", "1", "1", "2", "1", "none"]
    assert table["state"].tolist() == [
        "traded", "expired", "stopped", "traded", "traded", "traded", "nobody",
    ]  # fmt: skip
    assert table["until"].tolist()[0] == "2024-02-10T21:00:00Z"
    assert table["until"].tolist()[-1] == ""
    assert "7. 2024-04-01T09:00:00Z by hand: seen." in printed_history(EVENTS)
    assert printed_history([]) == "champion was never moved"
