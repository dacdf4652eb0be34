"""Kills and faults in the first start and in moves of `champion`; run by hand, prints a table.

    python tests/soak/first_start.py kills 50
    python tests/soak/first_start.py moves 50
    python tests/soak/first_start.py faults 400        (needs strace)

A first start is killed at random moments, then started again: it has to end with a whole store.
`moves` does the same with promotions and rollbacks: the history has to tell who holds the alias.
`faults` lets every write, rename, link, unlink and sync of a first start fail once, as on a disk
that is full, up to that many, and then starts again.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CALLS = ("pwrite64", "rename", "link", "unlink", "fdatasync", "fsync", "ftruncate")
PREPARE = (
    "import sys; from pipeline.io.tracking import experiment as e;"
    "e.prepare(f'sqlite:///{sys.argv[1]}/mlflow.db', 'daytrade')"
)
MOVES = """
import os, random, sys
from pipeline.io.tracking import champion, experiment, registry
experiment.prepare(f"sqlite:///{sys.argv[1]}/mlflow.db", "daytrade")
print("begun", flush=True)
while True:
    held = registry.holder("champion")
    now = int(held.version) if held else None
    if now and random.random() < 0.4:
        try:
            champion.roll_back(None, "me")
        except Exception as error:
            assert "first champion" in str(error), error
    else:
        champion.move_champion(random.choice([v for v in range(1, 5) if v != now]),
            action="promote", reason="soak", forced=False, by="me", compared_with=now)
"""
CHECK_MOVES = """
import sys
from pipeline.io.tracking import champion, experiment, registry
experiment.prepare(f"sqlite:///{sys.argv[1]}/mlflow.db", "daytrade")
before = champion.history()
after = champion.settle("status")
held = registry.holder("champion")
assert (after[-1].version if after else None) == (int(held.version) if held else None)
assert not [m for m in after if m.action == "by hand"], after
for earlier, later in zip(after, after[1:]):
    assert later.previous == earlier.version, after
print("finished" if len(after) > len(before) else "as it was", len(after))
"""
REGISTER = """
import sys, mlflow
from pipeline.io.tracking import experiment, registry
experiment.prepare(f"sqlite:///{sys.argv[1]}/mlflow.db", "daytrade")
for _ in range(4):
    with mlflow.start_run() as run:
        registry.register("file:///nowhere", run.info.run_id, {})
"""


def python(script: str, folder: Path, *before: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*before, sys.executable, "-c", script, str(folder)], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment(),
    )  # fmt: skip


def environment() -> dict[str, str]:
    return {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}


def ended(process: subprocess.Popen[str]) -> str:
    said, _ = process.communicate(timeout=600)
    return "whole" if process.returncode == 0 else said.strip().splitlines()[-1][:100]


def kills(count: int) -> None:
    """Random kills of a first start; what the next one says."""
    chance, answers = random.Random(1), Counter[str]()
    for number in range(count):
        folder = Path(tempfile.mkdtemp(prefix="first-"))
        process = python(PREPARE, folder)
        deadline = time.monotonic() + 120
        while not any(folder.iterdir()) and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.uniform(0, 4))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        left = "database" if (folder / "mlflow.db").exists() else "none"
        answers[f"killed leaving {left}: {ended(python(PREPARE, folder))}"] += 1
        answers["set aside"] += len(list(folder.glob("*.damaged")))
        shutil.rmtree(folder)
        print(number + 1, dict(answers), flush=True)


def moves(count: int) -> None:
    """Random kills of endless moves; whether the history tells the truth."""
    chance, answers = random.Random(2), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="moves-"))
    made = ended(python(REGISTER, folder))
    assert made == "whole", made
    for number in range(count):
        process = python(MOVES, folder)
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(chance.uniform(0, 1.5))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        check = python(CHECK_MOVES, folder)
        said = check.communicate()[0].strip().splitlines()[-1]
        answers[said.rsplit(" ", 1)[0] if check.returncode == 0 else f"WRONG {said}"] += 1
        print(number + 1, dict(answers), flush=True)


def faults(most: int) -> None:
    """One failing call each, spread over all there are; what the next start says."""
    counts = {call: _count(call) for call in CALLS}
    total = sum(counts.values())
    print("calls", counts, flush=True)
    answers = Counter[str]()
    for call, number in counts.items():
        tried = min(number, max(1, round(most * number / total)))
        for place in {1 + round(i * (number - 1) / max(tried - 1, 1)) for i in range(tried)}:
            folder = Path(tempfile.mkdtemp(prefix="fault-"))
            inject = f"--inject={call}:error=ENOSPC:when={place}"
            first = ended(python(PREPARE, folder, "strace", "-f", "-qq", "-o", "/dev/null", inject))
            again = ended(python(PREPARE, folder))
            answers[f"{call}: {'went on' if first == 'whole' else 'failed'}, then {again}"] += 1
            shutil.rmtree(folder)
        print(dict(answers), flush=True)


def _count(call: str) -> int:
    folder = Path(tempfile.mkdtemp(prefix="count-"))
    trace = folder / "trace"
    ended(python(PREPARE, folder, "strace", "-f", "-qq", "-o", str(trace), "-e", call))
    number = len(re.findall(rf"\b{call}\(", trace.read_text()))
    shutil.rmtree(folder)
    return number


if __name__ == "__main__":
    {"kills": kills, "moves": moves, "faults": faults}[sys.argv[1]](int(sys.argv[2]))
