"""Kills and faults in the first start, and kills in moves of `champion`; by hand, prints a table.

    python -m tests.soak.first_start kills 50
    python -m tests.soak.first_start moves 50
    python -m tests.soak.first_start registrations 50
    python -m tests.soak.first_start faults 100

A first start is killed at random moments, then started again: it has to end with a whole store.
`moves` does the same with promotions and rollbacks: the history has to tell who holds the alias.
`registrations` with new versions: each is whole or is not there, and `challenger` is the newest.
`faults` lets that many of the writes, renames, links, unlinks and syncs of a first start fail or
be the last thing before a kill, and then starts again.
"""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.linear_model import LinearRegression

from pipeline.contract import LifeTags, Tags
from pipeline.errors import NotReady
from pipeline.io.tracking import champion, local_store, models, registering, registry, runs
from pipeline.schemas import SYMBOL
from tests.soak.fault_points import KINDS, forked, library, preloaded, prepared

VERSIONS = 4
TAGS = {f"tag{number}": "x" for number in range(12)}
TEXT = "what a person reads"


def killed(job: Callable[[], object], seconds: float, begun: Path | None = None) -> None:
    """A job in a process of its own that is killed so long after it began."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException), open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            job()
        os._exit(0)
    deadline = time.monotonic() + 60
    while begun and not any(begun.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def started(folder: Path) -> str:
    prepared(folder)
    assert local_store.is_complete(folder / "mlflow.db")
    return "whole"


def kills(count: int) -> None:
    """Random kills of a first start; what the next one says."""
    chance, answers = random.Random(1), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="first-"))
    begun = time.monotonic()
    forked(lambda: started(folder))
    longest = time.monotonic() - begun
    for _ in range(count):
        shutil.rmtree(folder)
        folder.mkdir()
        killed(lambda: prepared(folder), chance.uniform(0, longest), folder)
        left = "a store" if (folder / "mlflow.db").exists() else "none"
        aside = len(list(folder.glob("*.damaged")))
        answers[f"killed leaving {left}: {forked(lambda: started(folder))}, {aside} set aside"] += 1
        print(dict(answers), flush=True)


def registered(folder: Path) -> str:
    """A version as a retrain registers one."""
    prepared(folder)
    rows = pd.DataFrame({"return_1": [0.0, 1.0, 3.0]}, index=pd.RangeIndex(3, name=SYMBOL))
    model = LinearRegression().fit(rows, range(3))
    with runs.stage_run("retrain"):
        mlflow.set_tag(Tags.NOTE, TEXT)
        uri = models.log_model(model, rows).stored.result().uri
        with registry.alone("retrain"):
            registering.register(uri, TAGS, TEXT)
    return "registered"


def versions_whole(folder: Path) -> str:
    prepared(folder)
    registering.settle_challenger()
    listed = registry.versions()
    for version in listed:
        assert TAGS.items() <= version.tags.items(), version
        assert version.description == TEXT
        assert LifeTags.CHALLENGER_INTENT not in version.tags
    held = registry.holder("challenger")
    assert (held and held.version) == (listed[0].version if listed else None)
    return f"{len(listed)} whole"


def registrations(count: int) -> None:
    """Random kills of registrations; whether all versions are whole and the newest challenges."""
    chance, answers = random.Random(3), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="registrations-"))
    begun = time.monotonic()
    forked(lambda: registered(folder))
    longest = time.monotonic() - begun
    before = forked(lambda: versions_whole(folder))
    for _ in range(count):
        killed(lambda: registered(folder), chance.uniform(0, longest))
        after = forked(lambda: versions_whole(folder))
        told = "WRONG" if not after.endswith("whole") else "none" if after == before else "whole"
        answers[f"version: {told}" + (after[-300:] if told == "WRONG" else "")] += 1
        before = after
        print(dict(answers), flush=True)


def moved(folder: Path) -> None:
    """Promotions and rollbacks without end."""
    prepared(folder)
    (folder / "begun" / "now").touch()
    while True:
        held = registry.holder("champion")
        now = int(held.version) if held else None
        if now and random.random() < 0.4:
            with contextlib.suppress(NotReady):  # it is the first champion
                champion.roll_back(None, "me")
            continue
        other = random.choice([v for v in range(1, VERSIONS + 1) if v != now])
        champion.move_champion(
            other, action="promote", reason="soak", forced=False, by="me", compared_with=now
        )


def history_true(folder: Path) -> str:
    prepared(folder)
    before, after = champion.history(), champion.settle("status")
    held = registry.holder("champion")
    assert (after[-1].version if after else None) == (int(held.version) if held else None)
    assert not [move for move in after if move.action == champion.BY_HAND], after
    for earlier, later in pairwise(after):
        assert later.previous == earlier.version, after
    return "a move was finished" if len(after) > len(before) else "nothing to finish"


def moves(count: int) -> None:
    """Random kills of endless moves; whether the history tells the truth."""
    chance, answers = random.Random(2), Counter[str]()
    folder = Path(tempfile.mkdtemp(prefix="moves-"))
    for _ in range(VERSIONS):
        forked(lambda: registered(folder))
    for _ in range(count):
        begun = folder / "begun"
        shutil.rmtree(begun, ignore_errors=True)
        begun.mkdir()
        killed(lambda: moved(folder), chance.uniform(0, 2), begun)
        answers[forked(lambda: history_true(folder))] += 1
        print(dict(answers), flush=True)


def faults(count: int) -> None:
    """One fault each, spread over all calls; what the next start says."""
    folder, calls = Path(tempfile.mkdtemp(prefix="fault-")), library()

    def counting() -> str:
        calls.arm(0, 0, str(folder).encode())
        prepared(folder)
        return str(calls.counted())

    total, answers = int(forked(counting)), Counter[str]()
    for turn in range(count):
        place = 1 + round(turn * (total - 1) / max(count - 1, 1))
        name, code = list(KINDS.items())[turn % len(KINDS)]
        shutil.rmtree(folder)
        folder.mkdir()

        def armed(place: int = place, code: int = code) -> str:
            calls.arm(place, code, str(folder).encode())
            return started(folder)

        first = forked(armed).partition(" ")[0].lower()
        answers[f"{name}: {first}, then {forked(lambda: started(folder))[-200:]}"] += 1
        print(f"{total} calls, {turn + 1} points", dict(answers), flush=True)


if __name__ == "__main__":
    random.seed(5)
    if sys.argv[1] == "faults":
        preloaded("tests.soak.first_start")
    {"kills": kills, "moves": moves, "registrations": registrations, "faults": faults}[sys.argv[1]](
        int(sys.argv[2])
    )
