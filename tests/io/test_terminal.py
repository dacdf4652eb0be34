"""A log has times and levels; a long step says that it goes on; what is done is told in parts."""

from __future__ import annotations

import logging
import os
import pty
import re
import subprocess
import sys
import threading

import pytest

from pipeline.io import terminal
from tests.stages.conftest import ROOT

SCRIPT = """
import logging, time
from pipeline.io import terminal
terminal.log_lines()
with terminal.watched(), terminal.task("trials", 4) as trials:
    trials.advance()
    logging.getLogger("pipeline").info("a line")
    logging.getLogger("pipeline").warning("a warning")
    logging.getLogger("pipeline").info("word " * 30 + "\\n  next:   mlflow run . " + "x=1 " * 40)
    print("  daytrade retrain " + "word=1 " * 30 + "evaluation=walk_forward")
    time.sleep(0.5)
"""


def test_a_log_without_a_terminal_has_times_and_levels() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, text=True, capture_output=True)
    first, second, *_ = done.stdout.splitlines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d INFO a line", first)
    assert second.endswith("WARNING a warning")


def test_on_a_terminal_there_is_colour_and_live_progress() -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, stdout=theirs, stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"},
    ):  # fmt: skip
        os.close(theirs)
        said = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            said += part
    assert b"trials 1 of 4" in said
    assert b"\x1b[" in said
    assert b"a line" in said
    command = b"  daytrade retrain " + b"word=1 " * 30 + b"evaluation=walk_forward\r\n"
    assert command in said, "a command longer than a line is copied whole"
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", said.decode()).replace("\r", "\n")
    lines = [line.rstrip() for line in plain.split("\n")]
    assert ("  next:   mlflow run . " + "x=1 " * 40).rstrip() in lines, "nor is it in a log line"
    words = [line for line in lines if "word word" in line]
    assert len(words) == 2, "what is to be read is broken"
    assert max(map(len, words)) <= 100, "between words, where the terminal ends"


def test_a_long_step_says_that_it_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    ended = threading.Event()
    with caplog.at_level(logging.INFO, "pipeline"), terminal.task("refits", 7) as step:
        step.advance()
        beat = threading.Thread(target=terminal._beat, args=(ended, 0.05))
        beat.start()
        ended.wait(0.3)
        ended.set()
        beat.join()
    assert "still at: refits 1 of 7" in caplog.messages


def test_a_step_that_failed_is_no_longer_shown() -> None:
    with pytest.raises(ValueError, match="broken"), terminal.task("broken"):
        raise ValueError("broken")
    assert not terminal._open
