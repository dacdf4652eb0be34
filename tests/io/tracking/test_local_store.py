"""``mlflow.db``: whole or not there, mended when half made, brought along on a move."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import subprocess
import sys
import time
from pathlib import Path, PurePath, PurePosixPath, PureWindowsPath

import pytest
from mlflow import MlflowClient
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
from sqlalchemy.exc import OperationalError

from pipeline.errors import StoreLocked
from pipeline.io.tracking import experiment, local_store

HOLDER = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1])
connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
print("open", flush=True)
time.sleep(60)
"""


def half_made(database: Path) -> None:
    """As a kill leaves it in the middle of MLflow's migrations."""
    made = database.with_name("made")  # MLflow keeps connections by name
    SqlAlchemyStore(f"sqlite:///{made}", str(database.parent)).engine.dispose()
    made.rename(database)
    with contextlib.closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM experiments")
        connection.execute("UPDATE alembic_version SET version_num = '451aebb31d03'")
        connection.execute("DROP TABLE logged_models")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_store, "QUIET_SECONDS", 0.5)
    monkeypatch.setattr(experiment, "PREPARE_SECONDS", 3.0)
    monkeypatch.setenv("MLFLOW_EXPERIMENT_ID", "0")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")


def prepared_at(database: Path) -> MlflowClient:
    experiment.prepare(f"sqlite:///{database}", "tested")
    return MlflowClient(f"sqlite:///{database}")


@pytest.mark.usefixtures("quick", "store")
def test_a_half_made_store_is_set_aside_and_made_anew(tmp_path: Path) -> None:
    database = tmp_path / "first" / "mlflow.db"
    database.parent.mkdir()
    half_made(database)
    with pytest.raises(OperationalError, match="already exists"):  # MLflow alone never gets out
        SqlAlchemyStore(f"sqlite:///{shutil.copy(database, tmp_path / 'copy')}", str(tmp_path))
    client = prepared_at(database)
    assert client.get_experiment("0").name == "tested"
    assert client.create_run("0").info.status == "RUNNING"
    assert (database.parent / "mlflow.db.damaged").exists()


@pytest.mark.usefixtures("quick", "store")
def test_a_store_that_a_process_is_making_is_left_to_it(tmp_path: Path) -> None:
    database = tmp_path / "first" / "mlflow.db"
    database.parent.mkdir()
    database.touch()
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(database)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        try:
            with pytest.raises(StoreLocked, match=f"process {holder.pid} works on it"):
                experiment.prepare(f"sqlite:///{database}", "tested")
        finally:
            holder.kill()
    assert [file.name for file in database.parent.glob("*.damaged")] == []


@pytest.mark.usefixtures("quick", "store")
def test_what_a_killed_maker_left_is_cleared_away(tmp_path: Path) -> None:
    database = tmp_path / "first" / "mlflow.db"
    database.parent.mkdir()
    for name in (".mlflow.db.new", ".mlflow.db.new-journal", "mlflow.db-journal", "mlflow.db-wal"):
        (database.parent / name).write_bytes(b"of a dead process")
    assert prepared_at(database).get_experiment("0").name == "tested"
    assert not list(database.parent.glob(".*"))


@pytest.mark.usefixtures("quick")
def test_a_whole_store_and_its_runs_stay_as_they_are(store: MlflowClient, tmp_path: Path) -> None:
    run = store.create_run("0")
    again = prepared_at(tmp_path / "mlflow.db")
    assert again.get_run(run.info.run_id).info.run_id == run.info.run_id
    assert not list(tmp_path.glob("*.damaged"))


@pytest.mark.usefixtures("quick", "store")
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "of an older release"])
@pytest.mark.parametrize("way", ["renamed", "copied"])
def test_a_moved_project_finds_its_artifacts_and_writes_nothing_where_it_was(
    prepared: Path, tmp_path: Path, way: str, noted: bool
) -> None:
    old, new = tmp_path / "old 1", tmp_path / "new 2"
    old.mkdir()
    shutil.copy(prepared, old / "mlflow.db")  # faster than making one
    client = prepared_at(old / "mlflow.db")
    run_id = client.create_run("0").info.run_id
    client.log_text(run_id, "kept", "note.txt")
    elsewhere = client.create_experiment("elsewhere", artifact_location="s3://bucket/old 1/mlruns")
    beside = client.create_experiment("beside", artifact_location=str(old / "other runs"))
    address = client.create_experiment("address", artifact_location=(old / "by url").as_uri())
    neighbour = client.create_experiment("neighbour", artifact_location=f"{old} b/mlruns")
    if not noted:
        with contextlib.closing(sqlite3.connect(old / "mlflow.db")) as connection, connection:
            connection.execute("DELETE FROM experiment_tags WHERE key = ?", (local_store.HOME,))
    with contextlib.closing(sqlite3.connect(old / "mlflow.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    old.rename(new) if way == "renamed" else shutil.copytree(old, new)
    before = contents(old)

    moved = prepared_at(new / "mlflow.db")

    written = moved.create_run("0").info
    MlflowClient(f"sqlite:///{new}/mlflow.db").log_text(written.run_id, "new", "note.txt")
    assert str(new) in written.artifact_uri
    assert str(new) in moved.get_run(run_id).info.artifact_uri
    kept = moved.download_artifacts(run_id, "note.txt")
    assert Path(kept).read_text() == "kept"
    assert moved.get_experiment(elsewhere).artifact_location == "s3://bucket/old 1/mlruns"
    assert moved.get_experiment(beside).artifact_location == str(new / "other runs")
    assert moved.get_experiment(address).artifact_location == (new / "by url").as_uri()
    assert moved.get_experiment(neighbour).artifact_location == f"{old} b/mlruns"
    assert contents(old) == before


WINDOWS, LINUX = PureWindowsPath("C:/old 1"), PurePosixPath("/old 1")


@pytest.mark.parametrize(
    ("place", "old", "new", "expected"),
    [
        ("C:\\old 1\\mlruns/0/a", WINDOWS, PurePosixPath("/new"), "/new/mlruns/0/a"),
        ("C:/old 1/mlruns", WINDOWS, PureWindowsPath("D:/n"), "D:/n/mlruns"),
        ("C:\\old 1\\m", WINDOWS, PureWindowsPath("D:/n"), "D:\\n/m"),
        ("file:///C:/old%201/m", WINDOWS, PureWindowsPath("D:/n 2"), "file:///D:/n%202/m"),
        ("file:///C:/old%201/m", WINDOWS, PurePosixPath("/new"), "file:///new/m"),
        ("/old 1/mlruns", LINUX, PureWindowsPath("D:/n"), "D:\\n/mlruns"),
        ("/old 1/copy/mlruns", LINUX, PurePosixPath("/old 1/copy"), "/old 1/copy/copy/mlruns"),
        ("/old 1", LINUX, PurePosixPath("/new"), "/new"),
        ("/old 12/mlruns", LINUX, PurePosixPath("/new"), "/old 12/mlruns"),
    ],
)
def test_places_of_any_system_move(place: str, old: PurePath, new: PurePath, expected: str) -> None:
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        connection.execute("CREATE TABLE runs (artifact_uri TEXT)")
        connection.execute("INSERT INTO runs VALUES (?)", (place,))
        local_store._replace(connection, "runs", "artifact_uri", old, new)
        assert connection.execute("SELECT artifact_uri FROM runs").fetchone() == (expected,)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.usefixtures("quick", "store")
def test_a_project_reached_by_a_link_was_not_moved(prepared: Path, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    shutil.copy(prepared, tmp_path / "there" / "mlflow.db")
    prepared_at(tmp_path / "there" / "mlflow.db")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert local_store.bring_along(tmp_path / "link" / "mlflow.db") is None


@pytest.mark.soak
def test_many_commands_at_once_in_an_empty_project_make_one_store(tmp_path: Path) -> None:
    script = (
        "import sys; from pipeline.io.tracking import experiment as e;"
        f"e.prepare('sqlite:///{tmp_path}/mlflow.db', 'tested'); print('done')"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    deadline = time.monotonic() + 120
    said = [process.communicate(timeout=deadline - time.monotonic())[0] for process in started]
    assert [text.strip() for text in said] == ["done"] * 3
    assert MlflowClient(f"sqlite:///{tmp_path}/mlflow.db").get_experiment("0").name == "tested"
    assert not list(tmp_path.glob("*.damaged"))
