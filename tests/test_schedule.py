"""The lines of docs/schedule.md are what cron and systemd read, and name real stages."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import subprocess

import pytest

from pipeline.config.compose import check, compose
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


def units() -> dict[str, configparser.ConfigParser]:
    """By the name of their file, which each block begins with."""
    parsed = {}
    for text in blocks("ini"):
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(text)
        parsed[text.splitlines()[0].rpartition("/")[2]] = parser
    return parsed


@pytest.mark.parametrize(
    ("stage", "days", "is_made_up_for"),
    [("daily", "Mon..Fri", True), ("weekly", "Sat", True), ("morning", "Mon..Fri", False)],
)
def test_units_are_what_systemd_reads(stage: str, days: str, is_made_up_for: bool) -> None:
    service, timer = (units()[f"daytrade-{stage}.{kind}"] for kind in ("service", "timer"))
    command = service["Service"]["ExecStart"]
    assert stage_of(command) == stage
    overrides = shlex.split(command)[2:]
    check(compose(overrides))
    assert service["Service"]["Type"] == "oneshot"
    assert timer["Timer"].getboolean("Persistent") == is_made_up_for
    assert timer["Install"]["WantedBy"] == "timers.target"
    when = timer["Timer"]["OnCalendar"]
    assert re.fullmatch(rf"{re.escape(days)} \d\d:\d\d America/New_York", when)
    if tool := shutil.which("systemd-analyze"):
        subprocess.run([tool, "calendar", when], check=True, capture_output=True)


def test_every_unit_has_a_service_and_a_timer() -> None:
    assert sorted(units()) == sorted(
        f"daytrade-{stage}.{kind}"
        for stage in ("daily", "weekly", "morning")
        for kind in ("service", "timer")
    )


def test_the_line_for_machines_is_the_one_that_daily_prints() -> None:
    (line,) = re.findall(r"^daily result=.*$", TEXT, re.MULTILINE)
    facts = {"result": "ok", **Evening()._asdict(), "reason": ""}
    printed = summary_line("daily", facts)
    assert re.findall(r"(\w+)=", line) == re.findall(r"(\w+)=", printed)
