"""The replayed quarter: every day is told as it was, and every damage of the ledger is named."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak.quarter import EVENINGS
from tests.stages.conftest import ROOT

pytestmark = pytest.mark.soak

SECONDS = 3600


def replayed(evenings: int, folder: Path) -> subprocess.CompletedProcess[str]:
    """What the script says of so many evenings; it sets the clock, so in a process of its own."""
    words = [sys.executable, "-m", "tests.soak.quarter", str(evenings), str(folder)]
    return subprocess.run(words, cwd=ROOT, text=True, capture_output=True, timeout=SECONDS)


def test_the_history_of_a_quarter_is_what_was_seen_every_evening(tmp_path: Path) -> None:
    done = replayed(EVENINGS, tmp_path)
    print(f"\n{done.stdout}")
    assert done.returncode == 0, done.stderr
    assert f"{EVENINGS} days, 0 told otherwise than seen" in done.stdout
    assert "NOT NAMED" not in done.stdout
