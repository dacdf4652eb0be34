"""The same commands on SQLite and on PostgreSQL: the same rows, snapshots, models and signals."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.io.store.postgres import Postgres
from pipeline.io.store.protocol import Database
from pipeline.io.store.sqlite import Sqlite
from pipeline.io.store.store import Store
from tests.databases import snapshot_digests, table_digests
from tests.postgres import PASSWORD, Server
from tests.stages import stocked
from tests.stages.conftest import Project
from tests.stages.killing import decided

pytestmark = pytest.mark.postgres


@dataclass(frozen=True)
class World:
    """Prices, what is learned from them, and on which sessions it is traded."""

    words: tuple[str, ...]
    learned_until: str
    traded: tuple[str, str] | None


SAMPLE = World(("experiment=quick",), "2010-07-30", ("2010-08-02", "2010-08-16"))


@dataclass(frozen=True)
class OfWorld(Project):
    """A project on the prices of a world, in SQLite."""

    world: World

    @property
    def place(self) -> Database:
        return Sqlite(self.folder / "sample.db")

    @property
    def store_words(self) -> dict[str, str]:
        return {"store.path": self.place.name}

    def own(self, overrides: tuple[str, ...]) -> list[str]:
        given = [*overrides, *self.world.words]
        usual = {"features": "classic", **self.store_words}
        named = {word.partition("=")[0] for word in given}
        return [*given, *(f"{key}={usual[key]}" for key in usual if key not in named)]


@dataclass(frozen=True)
class InPostgres(OfWorld):
    """The same in PostgreSQL."""

    schema: Postgres

    @property
    def place(self) -> Postgres:
        return self.schema

    @property
    def store_words(self) -> dict[str, str]:
        return {
            "store": "postgres", "store.url": self.schema.address,
            "store.schema_name": self.schema.schema, "store.folder": str(self.schema.folder),
        }  # fmt: skip


def small(folder: Path) -> World:
    """Sixty symbols whose prices end in January 2016."""
    rows = stocked.bars().reset_index()
    path = folder / "prices.parquet"
    rows.drop(columns="final").rename(columns={"session": "date"}).to_parquet(path, index=False)
    quick = [word for word in stocked.QUICK if "refresh" not in word]
    words = ("data=files", f"data.path={path}", *quick)
    return World(words, "2015-12-18", None)


@pytest.fixture(scope="module", params=["small", pytest.param("sample", marks=pytest.mark.soak)])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres: Server
) -> Iterator[tuple[OfWorld, InPostgres]]:
    """Two projects in which the same commands were run, first on a part of the prices."""
    world = SAMPLE if request.param == "sample" else small(tmp_path_factory.mktemp("prices"))
    folder = tmp_path_factory.mktemp("postgres")
    place = postgres.schema(folder / "prices")
    made = OfWorld(tmp_path_factory.mktemp("sqlite"), world), InPostgres(folder, world, place)
    for project in made:
        project.python("ingest", f"end_date={world.learned_until}")
        project.python("retrain", f"retrain.end={world.learned_until}")
        project.python("promote", "promote.force=true", "promote.reason=test")
        project.python("daily")
        if world.traded:
            first, last = world.traded
            project.python("backtest", f"start_date={first}", f"end_date={last}")
    yield made
    postgres.execute(f'DROP SCHEMA "{place.schema}" CASCADE')


def test_every_table_and_snapshot_is_the_same_bit_for_bit(
    both: tuple[OfWorld, InPostgres],
) -> None:
    file, database = both
    with Store.open(file.place) as one, Store.open(database.place) as other:
        expected, found = table_digests(one), table_digests(other)
        assert other.faults(deep=True) == []
    assert found == expected
    full = ("bars", "indicators", "regimes", "labels", "signals", "changes", "forecasts", "looks")
    assert all(rows > 0 for rows, _ in (found[name] for name in full))
    snapshots = [snapshot_digests(each.place.folder / "snapshots") for each in both]
    assert snapshots[0] == snapshots[1]
    assert len(snapshots[0]) > 5


def test_models_and_backtests_are_the_same(
    both: tuple[OfWorld, InPostgres],
) -> None:
    file, database = both
    assert decided(database.newest("retrain")) == decided(file.newest("retrain"))
    metrics = [
        {k: repr(v) for k, v in run.data.metrics.items() if "time/" not in k}
        for project in both
        for run in project.runs("backtest")
    ]
    assert metrics[:1] == metrics[1:]


def test_status_finds_everything_and_says_where(both: tuple[OfWorld, InPostgres]) -> None:
    said = both[1].python("status", "status.deep=true").stdout
    assert "everything that is kept is as it was written" in said


def test_no_run_and_no_line_holds_the_password(
    both: tuple[OfWorld, InPostgres], postgres: Server, tmp_path: Path
) -> None:
    project = both[1]
    database = project.folder / "mlflow.db"
    assert PASSWORD.encode() not in database.read_bytes()
    kept = [path for path in (project.folder / "mlruns").rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if PASSWORD.encode() in path.read_bytes()]
    typed = postgres.url.replace("trader@", "trader:hunter2@")
    for word in (f"store.url={typed}", f"store.url='{typed}'"):
        refused = project.python("status", word, code=1)
        assert "~/.pgpass" in refused.stderr
        assert "hunter2" not in refused.stdout + refused.stderr


def test_a_server_that_does_not_answer_is_one_message(
    both: tuple[OfWorld, InPostgres],
) -> None:
    for stage in ("status", "ingest"):
        word = "store.url=postgresql://trader@127.0.0.1:1/daytrade"
        refused = both[1].python(stage, word, code=1)
        assert "cannot be used: connection failed" in refused.stderr
        assert "Traceback" not in refused.stderr


def test_another_machine_goes_on_with_the_same_store(
    both: tuple[OfWorld, InPostgres], tmp_path: Path
) -> None:
    """Its own folder, the same database and shared snapshots: nothing is left to do."""
    here = both[1]
    mine = Postgres(here.place.address, here.place.schema, tmp_path)
    elsewhere = InPostgres(tmp_path, here.world, mine)
    shutil.copy(here.folder / "mlflow.db", tmp_path / "mlflow.db")
    shared = f"store.snapshots={here.place.folder / 'snapshots'}"
    with Store.open(here.place) as store:
        before = store.revision()
        elsewhere.python("features", shared)
        assert store.revision() == before
