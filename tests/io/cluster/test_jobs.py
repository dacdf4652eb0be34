"""Jobs of a sweep side by side: in order, and the others go on where one fails."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from pipeline.commands import Command
from pipeline.config.jobs import as_sweep, jobs_of
from pipeline.io import terminal
from pipeline.io.cluster import jobs
from pipeline.io.cluster.jobs import JobsFailed, lock_timeout, side_by_side


def test_several_universes_are_a_sweep_and_one_is_none() -> None:
    assert as_sweep(["universe=us,eu"]) == ["-m", "universe=us,eu"]
    assert as_sweep(["-m", "universe=us,eu"]) == ["-m", "universe=us,eu"]
    for single in ("universe=sp500", "universe='us,eu'", "symbols=[A,B]"):
        assert as_sweep([single]) == [single]


def test_the_last_key_with_several_values_changes_first() -> None:
    assert jobs_of(["-m", "universe=us,eu", "seed=7,8", "data=files", "data.path=p"]) == [
        (f"universe={name}", f"seed={seed}", "data=files", "++data.path=p")
        for name in ("us", "eu")
        for seed in (7, 8)
    ]


def test_a_job_that_fails_is_named_and_the_others_end(capsys: pytest.CaptureFixture[str]) -> None:
    given = [("--cfg=job", "seed=3"), ("--cfg=job", "sed=4")]
    ended = side_by_side("status", given, at_a_time=2, sweep="none", address="tcp://127.0.0.1:1")
    assert [job.words for job in ended] == given
    assert [job.code for job in ended] == [0, 1]
    said = capsys.readouterr().out.split("\njob ")
    of_first, of_second = sorted(text for text in said if text[:2] in ("0:", "1:"))
    assert "seed: 3" in of_first
    assert "there is no setting 'sed'" in of_second
    error = JobsFailed("status", ended, Command("status", "-m"))
    assert error.found == "1 of 2 jobs did not end well: --cfg=job sed=4 (exit 1)"
    assert error.exit_code == 1


def test_what_a_job_is_at_is_reported_and_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal.report(terminal.RESULT, "abc")
    assert capsys.readouterr().out == ""
    monkeypatch.setenv(terminal.REPORTING, "1")
    terminal.report(terminal.RESULT, "abc")
    assert terminal.reported(capsys.readouterr().out) == (terminal.RESULT, "abc")
    assert terminal.reported("retrain: done") is None


def test_jobs_of_a_sweep_wait_for_one_another(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lock_timeout(10.0) == 10.0
    monkeypatch.setenv("DAYTRADE_SWEEP_RUN", "abc")
    assert lock_timeout(10.0) > 3600


@pytest.mark.parametrize("listens", [True, False], ids=["ends", "is made to"])
def test_a_job_ends_when_the_process_that_started_it_is_gone(listens: bool) -> None:
    ignore = (
        "" if listens else "jobs.END_SECONDS = 0.1; signal.signal(signal.SIGTERM, lambda *_: 0)"
    )
    program = f"""
import signal, sys, time
from pipeline.io.cluster import jobs
{ignore}
jobs.end_with_the_sweep()
print("at work", flush=True)
while True:
    time.sleep(0.01)
"""
    job = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert job.stdin is not None
    assert job.stdout is not None
    with job:
        job.stdout.readline()
        assert job.poll() is None
        job.stdin.close()  # as the system does when a sweep is killed
        assert job.wait(20) == (-signal.SIGTERM if listens else 128 + signal.SIGTERM)


def test_a_sweep_that_is_interrupted_ends_its_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not listen is killed."""
    monkeypatch.setattr(jobs, "END_SECONDS", 0.2)
    deaf = (
        "import signal, time; signal.signal(15, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    )
    started = jobs._Jobs("status", {})
    ends = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
        for program in (deaf, "print(flush=True); import time; time.sleep(60)")
    ]
    for each in ends:
        assert each.stdout is not None
        each.stdout.readline()
    started.processes += ends
    started.stop()
    assert [each.wait(20) for each in ends] == [-signal.SIGKILL, -signal.SIGTERM]
