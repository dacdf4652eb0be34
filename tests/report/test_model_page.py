"""The page of a registered model tells its aliases and who was champion when and why."""

from __future__ import annotations

from pipeline.report.model_page import model_page

FIRST = {"version": 2, "previous": None, "reason": "passed every gate of 12", "forced": False,
         "by": "ann", "at": "2026-11-01T20:00:00Z", "action": "promote"}  # fmt: skip
BACK = {"version": 1, "previous": 2, "reason": "bad\nfills | twice", "forced": True, "by": "bob",
        "at": "2026-11-02T20:00:00Z", "action": "rollback"}  # fmt: skip


def test_the_page_tells_what_an_alias_means_and_who_holds_it() -> None:
    page = model_page("returns_sample", {"champion": None, "challenger": 3}, [])
    assert '"models:/returns_sample@champion"' in page
    assert "| champion | none | the deployed version" in page
    assert "| challenger | 3 | the newest candidate" in page
    assert page.endswith("There was none yet.")


def test_the_champions_history_is_a_table_newest_first() -> None:
    lines = model_page("x", {"champion": 1}, [FIRST, BACK]).splitlines()
    assert lines[-2:] == [
        "| 2026-11-02T20:00:00Z | 1 | 2 | rollback, forced | bob | bad fills \\| twice |",
        "| 2026-11-01T20:00:00Z | 2 | none | promote | ann | passed every gate of 12 |",
    ]
