"""The lines of docs/schedule.md are what cron and systemd read, and name real stages."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess

from pipeline.paths import ROOT
from pipeline.report.life import summary_line
from pipeline.serving.routine import Evening
from pipeline.stages.console import stages

TEXT = (ROOT / "docs" / "schedule.md").read_text()
RANGES = [(0, 59), (0, 23), (1, 31), (1, 12), (0, 7)]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def stage_of(command: str) -> str:
    words = shlex.split(command.split(">>")[0])
    return words[next(i for i, word in enumerate(words) if word.endswith("/daytrade")) + 1]


def test_cron_lines_have_five_fields_in_range_and_a_stage() -> None:
    (block,) = blocks("cron")
    lines = block.splitlines()
    assert lines[0] == "CRON_TZ=America/New_York"
    jobs = [line for line in lines if not re.match(r"[A-Z_]+=", line)]
    assert len(jobs) == 3
    for job in jobs:
        *fields, command = job.split(" ", 5)
        for field, (low, high) in zip(fields, RANGES, strict=True):
            assert re.fullmatch(r"\*|\d+(-\d+)?", field)
            assert all(low <= int(number) <= high for number in re.findall(r"\d+", field))
        assert "%" not in command  # cron takes it for a new line
        assert stage_of(command.partition("&& ")[2]) in stages()


def test_units_are_what_systemd_reads() -> None:
    service, timer = blocks("ini")
    parsed = [configparser.ConfigParser(interpolation=None) for _ in "ab"]
    for parser, text in zip(parsed, (service, timer), strict=True):
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
    assert stage_of(parsed[0]["Service"]["ExecStart"]) == "daily"
    assert parsed[0]["Service"]["Type"] == "oneshot"
    when = parsed[1]["Timer"]["OnCalendar"]
    assert re.fullmatch(r"Mon\.\.Fri \d\d:\d\d America/New_York", when)
    if tool := shutil.which("systemd-analyze"):
        subprocess.run([tool, "calendar", when], check=True, capture_output=True)


def test_the_line_for_machines_is_the_one_that_daily_prints() -> None:
    (line,) = re.findall(r"^daily result=.*$", TEXT, re.MULTILINE)
    facts = {"result": "ok", **Evening()._asdict(), "reason": ""}
    printed = summary_line("daily", facts)
    assert re.findall(r"(\w+)=", line) == re.findall(r"(\w+)=", printed)
