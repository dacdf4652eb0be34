"""Jobs of a sweep side by side: each a process of its own, all on one cluster, under one view."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NoReturn

from pipeline import commands
from pipeline.commands import RUN_ID, Command, Form
from pipeline.errors import Fault, PipelineError
from pipeline.io import terminal

SWEEP_RUN = "DAYTRADE_SWEEP_RUN"
"""Variable with the run of the sweep that a process is a job of."""

ADDRESS = "DAYTRADE_CLUSTER"
"""Variable with the address of the cluster that the sweep has opened for its jobs."""

FORM = "DAYTRADE_FORM"
"""Variable with the form that the jobs print commands in: that of the sweep."""

PATIENCE_SECONDS = 24 * 3600.0
"""That jobs wait for one another's writes to the store."""

END_SECONDS = 30.0
"""That a job may take to end by itself once it is to; then it is killed."""

STANDARD_INPUT = 0


def sweep_run() -> str | None:
    """Run of the sweep that this process is a job of; None: of none."""
    return os.environ.get(SWEEP_RUN)


def form() -> Form | None:
    """The form of commands that the sweep wants of this job; None: this process is none."""
    return Form(os.environ[FORM]) if FORM in os.environ else None


def lock_timeout(configured: float) -> float:
    """Seconds to wait for a writer of the store: jobs of one sweep expect each other."""
    return max(configured, PATIENCE_SECONDS) if sweep_run() else configured


def end_with_the_sweep() -> None:
    """Have this process, a job of a sweep, end when the sweep does, in whatever way that ends.

    The sweep alone holds the other end of a job's standard input, which the system closes with the
    last process that has it open: after a SIGKILL too.
    """
    threading.Thread(target=_end_at_its_end, args=(STANDARD_INPUT,), daemon=True).start()


def _end_at_its_end(descriptor: int) -> NoReturn:
    while os.read(descriptor, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # the command's own way to end: its run says KILLED
    time.sleep(END_SECONDS)
    os._exit(128 + signal.SIGTERM)


@dataclass(frozen=True)
class Ended:
    """A job that has ended.

    Attributes
    ----------
    words
        Its overrides.
    code
        Of its exit.
    result
        The line that it reported of what its stage returned; empty where it reported none.
    """

    words: tuple[str, ...]
    code: int
    result: str


@dataclass(eq=False)
class _Jobs:
    """Jobs of one stage under way."""

    stage: str
    environment: dict[str, str]
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    printing: threading.Lock = field(default_factory=threading.Lock)
    stopped: bool = False

    def run(self, number: int, words: tuple[str, ...]) -> Ended:
        """One job from start to end; what it printed is shown when it has ended, in one piece."""
        name = f"job {number}: {' '.join(words)}"
        result, lines = "", []
        with terminal.task(name) as shown:
            process = subprocess.Popen(
                [sys.executable, "-m", f"pipeline.stages.{self.stage}", *words],
                env=self.environment, text=True, encoding="utf-8", errors="replace",
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            )  # fmt: skip
            self.processes.append(process)
            if self.stopped:
                process.kill()  # it has not begun
            assert process.stdout is not None
            for line in process.stdout:
                reported = terminal.reported(line)
                if reported is None:
                    lines.append(line)
                elif reported[0] == terminal.RESULT:
                    result = reported[1]
                else:
                    shown.say(f"{name}: {reported[1]}")
            code = process.wait()
        with self.printing:
            print(f"\n{name}\n{''.join(lines).rstrip()}", flush=True)
        return Ended(words, code, result)

    def stop(self) -> None:
        """End those that are still at work: as a person would, then by force."""
        self.stopped = True
        until = time.monotonic() + END_SECONDS
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(max(until - time.monotonic(), 0.0))
            except subprocess.TimeoutExpired:
                process.kill()


def side_by_side(
    stage: str, jobs: Sequence[tuple[str, ...]], *, at_a_time: int, sweep: str, address: str
) -> list[Ended]:
    """Run the jobs of a sweep, so many at a time; in their order.

    Parameters
    ----------
    sweep
        The run they are nested in.
    address
        Of the cluster that all of them send their fits to.
    """
    changes = {
        SWEEP_RUN: sweep, ADDRESS: address, FORM: commands.form().value, terminal.REPORTING: "1",
        "PYTHONIOENCODING": "utf-8",
    }  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != RUN_ID} | changes
    started = _Jobs(stage, environment)
    with (
        terminal.task("jobs", len(jobs)) as shown,
        ThreadPoolExecutor(max_workers=at_a_time) as threads,
    ):
        try:
            futures = [threads.submit(started.run, n, words) for n, words in enumerate(jobs)]
            for future in futures:
                future.add_done_callback(lambda _: shown.advance())
            return [future.result() for future in futures]
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            started.stop()
            raise


class JobsFailed(PipelineError):
    """Some jobs of a sweep did not end well; what each said stands above."""

    def __init__(self, stage: str, jobs: Sequence[Ended], again: Command) -> None:
        failed = [job for job in jobs if job.code]
        named = "; ".join(f"{' '.join(job.words)} (exit {job.code})" for job in failed)
        super().__init__(
            stage, f"{len(failed)} of {len(jobs)} jobs did not end well: {named}",
            "what each of them says above", again,
            faults=[Fault(" ".join(job.words), f"exit {job.code}") for job in failed],
        )  # fmt: skip
        self.exit_code = max(job.code for job in failed)
