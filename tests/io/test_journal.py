from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from optuna.trial import create_trial

from pipeline.errors import StoreLocked
from pipeline.io.journal import opened


def fill(folder: Path, run_id: str, trials: int) -> None:
    with opened(folder, run_id) as journal:
        study = journal.study("ridge", "minimize")
        for value in range(trials):
            study.add_trial(create_trial(value=float(value)))


def stored(folder: Path) -> list[float]:
    with opened(folder, "reader") as journal:
        return [trial.value for trial in journal.study("ridge", "minimize").trials]


def test_a_journal_names_the_run_that_left_it_and_keeps_its_trials(tmp_path):
    fill(tmp_path / "a", "first", 2)

    with opened(tmp_path / "a", "second") as journal:
        assert journal.left_by == "first"
        assert len(journal.study("ridge", "minimize").trials) == 2
    with opened(tmp_path / "a", "second") as journal:
        assert journal.left_by is None  # its own


def test_a_new_journal_was_left_by_nobody(tmp_path):
    with opened(tmp_path / "a", "second") as journal:
        assert journal.left_by is None
        assert journal.study("ridge", "minimize").trials == []


@pytest.mark.parametrize("cut", [1, 5, 60])
def test_a_line_cut_in_half_is_dropped_and_the_journal_goes_on(tmp_path, cut):
    fill(tmp_path / "a", "first", 3)
    file = tmp_path / "a" / "ridge.log"
    os.truncate(file, file.stat().st_size - cut)

    assert stored(tmp_path / "a") == [0.0, 1.0]
    fill(tmp_path / "a", "second", 1)
    assert stored(tmp_path / "a") == [0.0, 1.0, 0.0]


def test_the_lock_of_a_killed_writer_holds_nobody_up(tmp_path):
    fill(tmp_path / "a", "first", 1)
    (tmp_path / "a" / "ridge.log.lock").symlink_to("gone")  # what Optuna leaves behind

    began = time.perf_counter()
    fill(tmp_path / "a", "second", 1)

    assert time.perf_counter() - began < 10  # Optuna alone waits 30 s
    assert stored(tmp_path / "a") == [0.0, 0.0]


def test_two_processes_never_search_the_same_journal_and_a_kill_frees_it(tmp_path):
    script = (
        "import sys, time; from pathlib import Path; from pipeline.io.journal import opened\n"
        "with opened(Path(sys.argv[1]), 'other'): print('open', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "a")], stdout=subprocess.PIPE, text=True
    )
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        with pytest.raises(StoreLocked, match=f"process {other.pid}"), opened(tmp_path / "a", "me"):
            pass
    finally:
        other.send_signal(signal.SIGKILL)
        other.wait()

    with opened(tmp_path / "a", "me") as journal:
        assert journal.left_by == "other"


@pytest.fixture
def warnings(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level("WARNING", "pipeline")
    return caplog


def test_a_damaged_line_is_set_aside_and_said_and_the_search_goes_on_from_before_it(
    tmp_path, warnings
):
    fill(tmp_path / "a", "first", 3)
    file = tmp_path / "a" / "ridge.log"
    whole = file.read_bytes()
    at = whole.index(b'"value":1.0') + len('"value":')
    file.write_bytes(whole[:at] + b"7" + whole[at + 1 :])  # still valid JSON: another score

    assert stored(tmp_path / "a") == [0.0]
    assert "ridge.log is damaged: goes on from 2 of 4 lines" in warnings.text
    assert (tmp_path / "a" / "ridge.log.damaged").read_bytes() != whole
    fill(tmp_path / "a", "second", 1)
    assert stored(tmp_path / "a") == [0.0, 0.0]


def test_a_journal_that_is_damaged_as_a_whole_begins_anew(tmp_path, warnings):
    fill(tmp_path / "a", "first", 3)
    (tmp_path / "a" / "ridge.log").write_bytes(b"\0" * 500 + b"\n")
    assert stored(tmp_path / "a") == []
    assert "0 of 1 lines" in warnings.text


def test_a_damaged_owner_is_none(tmp_path):
    fill(tmp_path / "a", "first", 1)
    (tmp_path / "a" / "run").write_bytes(b"f\xefrst 00000000")
    with opened(tmp_path / "a", "second") as journal:
        assert journal.left_by is None


def test_no_flipped_bit_of_a_journal_is_served(tmp_path):
    fill(tmp_path / "a", "first", 3)
    file = tmp_path / "a" / "ridge.log"
    whole, values = file.read_bytes(), stored(tmp_path / "a")
    for place in range(0, len(whole), 7):
        content = bytearray(whole)
        content[place] ^= 1 << place % 8
        file.write_bytes(content)
        found = stored(tmp_path / "a")
        assert found == values[: len(found)]
        assert len(found) < 3 or place == len(whole) - 1
