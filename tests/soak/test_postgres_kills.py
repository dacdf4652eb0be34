"""Forty kills on PostgreSQL, of writes and of whole stages; by hand, with `-m soak -s`."""

from __future__ import annotations

import random
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.io.store.store import Store
from tests.databases import snapshot_digests, table_digests
from tests.io.store.made_bars import listed
from tests.io.store.test_postgres import killed_while_writing
from tests.postgres import Server
from tests.stages import warm
from tests.stages.conftest import ROOT
from tests.stages.test_postgres import InPostgres, small

pytestmark = [pytest.mark.soak, pytest.mark.postgres]

KILLS = 40


def test_forty_kills_of_a_writer_leave_whole_writes(tmp_path: Path, postgres: Server) -> None:
    place = postgres.schema(tmp_path)
    with Store.open(place) as store:
        store.write_symbols(listed(*"ABCD"))
    seen = killed_while_writing(place, KILLS, random.Random(11))
    print(f"\n{KILLS} kills, {len(seen)} different states seen after them")
    assert len(seen) == KILLS


def test_forty_kills_of_the_data_stages_change_nothing(
    tmp_path: Path, postgres: Server, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The evening routine, which runs all of them, is killed at random moments until it is not.

    After each kill the store is whole and unlocked; at the end all rows, snapshots and digests are
    those of a run that nobody interrupted. Whenever a run ends, the next one begins from nothing.
    """
    world = small(tmp_path)
    expected, seconds = _uninterrupted(
        InPostgres(tmp_path_factory.mktemp("whole"), world, postgres.schema(tmp_path / "whole"))
    )
    chance, kills, ended = random.Random(7), 0, 0
    reached: list[int] = []
    while kills < KILLS:
        folder = tmp_path / f"life{ended}"
        project = InPostgres(folder, world, postgres.schema(folder / "prices"))
        folder.mkdir()
        was_killed = True
        while was_killed:
            limit = chance.uniform(0.1, 1.1) * seconds if kills < KILLS else 3600.0
            was_killed = _ended_after(project, limit)
            kills += was_killed
            reached.append(_whole(project))
        assert _content(project) == expected
        ended += 1
    print(f"\n{kills} kills, {ended} lives, changes recorded at each end: {reached}")
    assert sum(0 < count < max(reached) for count in reached) >= 5


def _uninterrupted(project: InPostgres) -> tuple[dict[str, object], float]:
    began = time.monotonic()
    assert not _ended_after(project, 3600.0)
    return _content(project), time.monotonic() - began


def _ended_after(project: InPostgres, seconds: float) -> bool:
    """Whether the routine had to be killed after so many seconds."""
    try:
        words = project.own(())
        done = warm.module("pipeline.stages.daily", words, ROOT, project.environment, seconds)
    except subprocess.TimeoutExpired:
        return True
    assert done.returncode == 0, done.stdout + done.stderr
    return False


def _whole(project: InPostgres) -> int:
    """Number of changes of a store that is whole and that nobody holds; 0: there is none yet."""
    if not project.place.exists():
        return 0
    with Store.open(project.place, lock_timeout=5) as store, store.writer("status"):
        assert store.faults(deep=True) == []
        numbers = store.changes().index.to_list()
        assert numbers == list(range(1, len(numbers) + 1))
        return len(numbers)


def _content(project: InPostgres) -> dict[str, object]:
    with Store.open(project.place) as store:
        found: dict[str, object] = dict(table_digests(store))
    for name in ("changes", "bar_changes", "builds", "looks"):  # how often it was begun
        found.pop(name)
    return found | snapshot_digests(project.place.folder / "snapshots")
