"""What a person sees while a command works: log lines, and on a terminal live progress.

On a terminal every step under way is a line with its time, above which log lines and tables pass
by. Elsewhere, as in a log of cron, lines carry time and level, and a long step says each minute
that it goes on.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleRenderable, Group
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text
from rich.traceback import Traceback

from pipeline.commands import WRITTEN

log = logging.getLogger("pipeline")

HEARTBEAT_SECONDS = 60.0
"""Between two lines that say what goes on, where there is no terminal."""

REPORTING = "DAYTRADE_REPORTING"
"""Variable that has a process report to the one that started it, line by line, what it is at."""

REPORT_SECONDS = 0.5
STEPS, RESULT = "steps", "result"
"""What such a line is about: the steps under way, or what the process's stage has returned."""

_MARK = "\x1f"
"""Start of such a line: a character that nobody prints."""

PLAIN = "%(asctime)s %(levelname)s %(message)s"


def is_terminal() -> bool:
    """Whether a person watches what is printed."""
    return sys.stdout.isatty()


def log_lines() -> None:
    """Send log lines to the standard output: in colour on a terminal, else with time and level."""
    if is_terminal():
        handler: logging.Handler = _LogLines(
            console=_console(), show_path=False, markup=False, log_time_format="%H:%M:%S"
        )
        handler.setFormatter(logging.Formatter("%(message)s"))
    else:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter(PLAIN, datefmt="%Y-%m-%d %H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    log.setLevel(logging.INFO)


class _Console(Console):
    """Prints a text as it is: the terminal breaks a long command, and it is copied whole."""

    def print(self, *objects: Any, **how: Any) -> None:
        """Print; of log lines, which are tables, what fits no line is not cut off."""
        is_text = all(isinstance(each, str | Text) for each in objects)
        super().print(*objects, **({"soft_wrap": True} if is_text else {"crop": False}) | how)


class _LogLines(RichHandler):
    """Breaks log lines between words; commands, which are copied, stand below in lines as typed."""

    def render(
        self,
        *,
        record: logging.LogRecord,
        traceback: Traceback | None,
        message_renderable: ConsoleRenderable,
    ) -> ConsoleRenderable:
        """The line, and its commands under it."""
        if not isinstance(message_renderable, Text):
            return super().render(
                record=record, traceback=traceback, message_renderable=message_renderable
            )
        lines = message_renderable.split("\n")
        words = Text("\n").join(line for line in lines if not holds_command(line.plain))
        commands = [line for line in lines if holds_command(line.plain)]
        for line in commands:
            line.no_wrap, line.overflow = True, "ignore"
        shown = super().render(record=record, traceback=traceback, message_renderable=words)
        return Group(shown, *commands)


def holds_command(line: str) -> bool:
    """Whether a line is for copying: what an error says to run next, or a command of a stage.

    >>> holds_command("  next:   daytrade status"), holds_command("mlflow run . -e ui")
    (True, True)
    >>> holds_command("  or, as the last resort: mlflow run . -e promote")
    True
    >>> holds_command("  needed: prices")
    False
    """
    return WRITTEN.search(line) is not None


_shared: Console | None = None
_progress: Progress | None = None
_open: list[Task] = []


def _console() -> Console:
    """One for log lines and progress, so that neither breaks the other's lines."""
    global _shared
    _shared = _shared or _Console()
    return _shared


@dataclass(eq=False)
class Task:
    """A step under way, of so many parts; ``total`` None: nobody knows."""

    name: str
    total: int | None = None
    done: int = 0
    _line: TaskID | None = field(default=None, repr=False)

    def advance(self) -> None:
        """One part more is done."""
        self.done += 1
        self._show()

    def restart(self) -> None:
        """Count from 0 again."""
        self.done = 0
        self._show()

    def say(self, name: str) -> None:
        """Go by another name from now on."""
        self.name = name
        self._show()

    @property
    def words(self) -> str:
        """Name and parts.

        >>> Task("trials", 16, 3).words, Task("ingest").words
        ('trials 3 of 16', 'ingest')
        """
        return self.name if self.total is None else f"{self.name} {self.done} of {self.total}"

    def _show(self) -> None:
        if _progress is not None and self._line is not None:
            _progress.update(self._line, completed=self.done, description=self.words)


@contextlib.contextmanager
def task(name: str, total: int | None = None) -> Iterator[Task]:
    """A step, shown while it lasts."""
    step = Task(name, total)
    _open.append(step)
    if _progress is not None:
        step._line = _progress.add_task(step.words, total=total)
    try:
        yield step
    finally:
        _open.remove(step)
        if _progress is not None and step._line is not None:
            _progress.remove_task(step._line)


@contextlib.contextmanager
def watched() -> Iterator[None]:
    """Show the open tasks while a command runs: live on a terminal, else a line a minute."""
    global _progress
    if is_terminal():
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=_console(), transient=True) as _progress:
            try:
                yield
            finally:
                _progress = None
        return
    ended = threading.Event()
    way, seconds = (_report_steps, REPORT_SECONDS) if is_reporting() else (_beat, HEARTBEAT_SECONDS)
    beat = threading.Thread(target=way, args=(ended, seconds), daemon=True)
    beat.start()
    try:
        yield
    finally:
        ended.set()


def _beat(ended: threading.Event, seconds: float) -> None:
    before: list[Task] = []
    while not ended.wait(seconds):
        now = list(_open)
        if now and now[0] in before:
            log.info("still at: %s", ", ".join(step.words for step in now))
        before = now


def is_reporting() -> bool:
    """Whether a process that started this one shows what it is at."""
    return bool(os.environ.get(REPORTING))


def report(kind: str, text: str) -> None:
    """Report to the process that shows this one's steps; nothing where there is none."""
    if is_reporting():
        sys.stdout.write(f"{_MARK}{kind} {text}\n")
        sys.stdout.flush()


def reported(line: str) -> tuple[str, str] | None:
    """Kind and text of a line that `report` wrote; None for one that is printed.

    >>> reported("\\x1fsteps retrain, trials 3 of 16\\n"), reported("done\\n")
    (('steps', 'retrain, trials 3 of 16'), None)
    """
    kind, _, text = line.removeprefix(_MARK).strip().partition(" ")
    return (kind, text) if line.startswith(_MARK) else None


def _report_steps(ended: threading.Event, seconds: float) -> None:
    before = ""
    while not ended.wait(seconds):
        now = ", ".join(step.words for step in list(_open))
        if now != before:
            report(STEPS, now)
        before = now
