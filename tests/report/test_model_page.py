"""The page of a registered model tells its aliases and who was live when and why."""

from __future__ import annotations

from pipeline.monitor.history import Event
from pipeline.report.model_page import PAGE_CHARACTERS, model_page

EVENTS = [
    Event("2026-11-01T20:00:00Z", "promote", 2, None, "passed every gate of 12", "ann",
          evidence="abc"),
    Event("2026-11-02T20:00:00Z", "rollback", 1, 2, "bad\nfills | twice", "bob", forced=True),
    Event("2026-11-03T20:00:00Z", "expire", 1, 1, "old", "score (ann)", evidence="def"),
    Event("2026-11-04T20:00:00Z", "stop", 1, 1, "no skill", "score (ann)", evidence="def"),
    Event("2026-11-05T20:00:00Z", "resume", 1, 1, "data were wrong", "bob"),
]  # fmt: skip


def test_the_page_tells_what_an_alias_means_and_who_holds_it() -> None:
    page = model_page("returns_sample", {"champion": None, "challenger": 3}, [])
    assert '"models:/returns_sample@champion"' in page
    assert "| champion | none | the deployed version" in page
    assert "| challenger | 3 | the newest candidate" in page
    assert page.endswith("Nobody yet.")


def test_the_history_is_a_table_newest_first_with_what_moves_no_alias() -> None:
    lines = model_page("x", {"champion": 1}, EVENTS).splitlines()
    assert lines[-5:] == [
        "| 2026-11-05T20:00:00Z | 1 | traded | resume | bob | data were wrong |  |",
        "| 2026-11-04T20:00:00Z | 1 | stopped | stop | score (ann) | no skill | def |",
        "| 2026-11-03T20:00:00Z | 1 | expired | expire | score (ann) | old | def |",
        "| 2026-11-02T20:00:00Z | 1 | traded | rollback, forced | bob | bad fills \\| twice |  |",
        "| 2026-11-01T20:00:00Z | 2 | traded | promote | ann | passed every gate of 12 | abc |",
    ]


def test_a_long_history_fits_a_servers_column_and_keeps_the_newest() -> None:
    many = [
        Event(f"2026-11-{day:02d}T20:00:00Z", "promote", day, day - 1, "long reason " * 100, "ann")
        for day in range(1, 29)
    ]
    page = model_page("x", {"champion": 28}, many)
    assert len(page) <= PAGE_CHARACTERS
    assert "| 28 | traded |" in page
    assert "| 1 | traded |" not in page
    assert page.endswith(" older ones: `promote promote.history=true` prints all.")
