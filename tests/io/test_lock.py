from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from pipeline.errors import StoreLocked
from pipeline.io.lock import writer_lock

HOLDER = """
import sys, time
from pathlib import Path
from pipeline.io.lock import writer_lock
with writer_lock(Path(sys.argv[1]), "ingest", 5):
    print("held", flush=True)
    time.sleep(60)
"""

COUNTER = """
import sys
from pathlib import Path
from pipeline.io.lock import writer_lock
counter = Path(sys.argv[2])
for _ in range(20):
    with writer_lock(Path(sys.argv[1]), "count", 30):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def started(program, *arguments):
    command = [sys.executable, "-c", program, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=os.getcwd())


@pytest.fixture
def holder(tmp_path):
    process = started(HOLDER, tmp_path / "sample.db.lock")
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_told_who_holds_the_lock(tmp_path, holder):
    with (
        pytest.raises(StoreLocked, match=rf"'ingest' \(process {holder.pid} on") as refused,
        writer_lock(tmp_path / "sample.db.lock", "features", 0.1),
    ):
        pass
    assert refused.value.who == "features"


def test_a_killed_writer_leaves_no_lock_behind(tmp_path, holder):
    holder.send_signal(signal.SIGKILL)
    holder.wait()

    with writer_lock(tmp_path / "sample.db.lock", "features", 0.1):
        pass


def test_a_writer_waits_for_the_one_before(tmp_path):
    path = tmp_path / "lock"
    program = HOLDER.replace("time.sleep(60)", "time.sleep(0.4)")
    process = started(program, path)
    assert process.stdout.readline() == "held\n"

    began = time.monotonic()
    with writer_lock(path, "features", 10):
        waited = time.monotonic() - began

    assert waited > 0.2
    process.communicate()


def test_the_lock_excludes_a_second_writer_of_the_same_process(tmp_path):
    path = tmp_path / "lock"
    with (
        writer_lock(path, "ingest", 0.1),
        pytest.raises(StoreLocked, match="'ingest'"),
        writer_lock(path, "features", 0.1),
    ):
        pass


def test_an_error_inside_releases_the_lock(tmp_path):
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), writer_lock(path, "ingest", 0.1):
        raise ZeroDivisionError
    with writer_lock(path, "features", 0.1):
        pass


def test_writers_that_compete_never_write_at_the_same_time(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")

    processes = [started(COUNTER, tmp_path / "lock", counter) for _ in range(3)]
    for process in processes:
        process.communicate()

    assert [process.returncode for process in processes] == [0, 0, 0]
    assert counter.read_text() == "60"
