"""The table of `status` fits a terminal."""

from __future__ import annotations

import json

from pipeline.report.readiness import Line, Readiness
from pipeline.report.text_tables import TERMINAL

LONG = "2 different results on sessions 2010-07-22 to 2010-08-20; " + "word " * 30


def test_a_long_line_is_continued_below_its_own_words() -> None:
    lines = [Line("looks", True, LONG, None), Line("challenger", True, "version 1", None)]
    shown = Readiness(lines).printed([]).splitlines()
    assert max(map(len, shown)) <= TERMINAL
    first, second, third, fourth = shown[1:5]
    assert first.startswith("yes  looks       2 different results on sessions 2010-07-22 to")
    assert second.startswith(" " * 17 + "word")
    assert third.startswith(" " * 17 + "word")
    assert fourth == "yes  challenger  version 1"
    assert json.loads(Readiness(lines).as_json())["lines"][0]["text"] == LONG
