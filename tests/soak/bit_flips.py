"""One bit of a file changes on disk: what reading it says, as it was before files were checked too.

Each kind of file has a writer, and two readers: the project's own, and a plain one that reads the
same content without its checks. A flip is *seen* where a reader complains, *harmless* where it
gives what was written, and *silent* where it gives something else and says nothing.
"""

from __future__ import annotations

import contextlib
import random
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pyarrow.parquet as pq
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from pipeline.contract import Artifacts, Tags
from pipeline.io.journal import opened
from pipeline.io.parquet import read_parquet, write_parquet
from pipeline.io.store.snapshots import SnapshotStore
from pipeline.io.store.store import Store
from pipeline.io.tracking import experiment, models, registering, registry, runs, safe_models
from pipeline.schemas import INDICATORS, LABELS, ROW
from tests.io.store.made_bars import delivered, listed, wide

SYMBOLS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class SeenError(Exception):
    """A reader said that a file is not as it was written."""


@dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes
    ----------
    write
        Makes the file in an empty folder and gives its path.
    plain, checked
        Read what it holds, to be compared by ``repr``; any exception counts as a complaint.
    """

    name: str
    write: Callable[[Path], Path]
    plain: Callable[[Path], Any]
    checked: Callable[[Path], Any]


@dataclass
class Count:
    """What became of some flips."""

    seen: int = 0
    harmless: int = 0
    silent: list[int] = field(default_factory=list)


def counted(kind: Kind, folder: Path, flips: int, seed: int = 7) -> dict[str, Count]:
    """Flip single bits, one at a time, all over a file; by reader what became of them."""
    path = kind.write(folder)
    whole = path.read_bytes()
    readers = {"plain": kind.plain, "checked": kind.checked}
    written = {name: repr(read(path)) for name, read in readers.items()}
    counts = {name: Count() for name in readers}
    chance = random.Random(seed)
    for _ in range(flips):
        place = chance.randrange(len(whole))
        damaged = bytearray(whole)
        damaged[place] ^= 1 << chance.randrange(8)
        for name, read in readers.items():
            _fresh(folder, path, bytes(damaged))
            try:
                found = repr(read(path))
            except Exception:  # whatever a reader raises, it is no silence
                counts[name].seen += 1
                continue
            if found == written[name]:
                counts[name].harmless += 1
            else:
                counts[name].silent.append(place)
    return counts


def _fresh(folder: Path, path: Path, content: bytes) -> None:
    """The file with this content, and none that a reader left beside it."""
    for other in folder.rglob(f"{path.name}?*"):
        other.unlink()
    path.write_bytes(content)


def _values(frame: pd.DataFrame) -> Any:
    columns = {name: frame[name].to_list() for name in frame}
    return [list(map(str, frame.index)), columns]


def _rows(sessions: int) -> pd.DataFrame:
    days = pd.bdate_range("2010-02-01", periods=sessions).as_unit("us")
    index = pd.MultiIndex.from_product([days, list(SYMBOLS)], names=ROW)
    values = np.random.default_rng(1).normal(size=(len(index), 8)).astype(np.float32)
    return pd.DataFrame(values, index, [f"feature_{n}" for n in range(8)])


def _snapshots(folder: Path) -> SnapshotStore:
    return SnapshotStore(folder, "sample", "classic", "abc")


def _write_snapshot(folder: Path) -> Path:
    rows, store = _rows(20), _snapshots(folder)
    store.write(rows, sessions=rows.index.unique("session"), revision="one", store_id="id")
    return folder / "sample" / "classic-abc" / "2010-02.parquet"


def _read_snapshot(path: Path) -> Any:
    store = _snapshots(path.parents[2])
    covered = store.covered("id")
    if len(covered) < 20:
        raise SeenError("these sessions count as not built")
    return covered["revision"].to_list(), _values(store.read(pd.DatetimeIndex(covered.index)))


def _read_snapshot_plainly(path: Path) -> Any:
    days = list(pd.bdate_range("2010-02-01", periods=20).as_unit("us"))
    filters = [("session", "in", days)]
    table = pq.read_table(path, filters=filters, partitioning=None)
    return table.schema.metadata[b"sealed"][-200:], _values(table.to_pandas())


def _write_step(folder: Path) -> Path:
    rows = _rows(3).iloc[:, :2]
    write_parquet(folder / "step.parquet", rows, search=True, weight=0.25)
    return folder / "step.parquet"


def _read_step(path: Path) -> Any:
    rows, facts = read_parquet(path, needed="")
    return _values(rows), facts


def _write_journal(folder: Path) -> Path:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    with opened(folder / "search", "run") as journal:
        study = journal.study("ridge", "minimize")
        study.sampler = optuna.samplers.RandomSampler(seed=1)
        study.optimize(lambda trial: trial.suggest_float("alpha", 0, 1) ** 2, n_trials=15)
    return folder / "search" / "ridge.log"


def _trials(study: optuna.Study) -> Any:
    return study.direction, [(t.state, t.value, t.params, t.distributions) for t in study.trials]


def _read_journal(path: Path) -> Any:
    with opened(path.parent, "run") as journal:
        if any(path.parent.glob("*.damaged*")):
            raise SeenError("set aside")
        found = _trials(journal.study("ridge", "minimize"))
    if len(found[1]) < 15:
        raise SeenError("goes on from fewer trials, as after a kill")
    return found


def _read_journal_plainly(path: Path) -> Any:
    storage = JournalStorage(JournalFileBackend(str(path)))
    return _trials(optuna.load_study(study_name="ridge", storage=storage))


def _write_database(folder: Path) -> Path:
    path = folder / "sample.db"
    with contextlib.closing(Store.open(path)) as store:
        store.write_symbols(listed(*SYMBOLS))
        values = np.random.default_rng(1).normal(50, 5, (60, len(SYMBOLS)))
        store.write_bars(delivered(values, symbols=SYMBOLS))
        store.write_indicators(dict.fromkeys(INDICATORS, wide(values, SYMBOLS)))
        store.write_labels(dict.fromkeys(LABELS, wide(values, SYMBOLS)))
        store.mark_built("labels", store.revision(), {"code": "abc"})
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        file.execute("PRAGMA journal_mode = DELETE")
    return path


def _read_database_plainly(path: Path) -> Any:
    names = ("symbols", "bars", "indicators", "labels", "changes", "builds", "meta")
    with contextlib.closing(sqlite3.connect(path)) as file:
        return [file.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in names]


def _read_database(path: Path) -> Any:
    with contextlib.closing(Store.open(path, create=False)) as store:
        if store.faults(deep=True):
            raise SeenError("status says so")
    return _read_database_plainly(path)


def _tracked(folder: Path) -> None:
    experiment.prepare(f"sqlite:///{folder}/mlflow.db", "soak")


def _write_predictions(folder: Path) -> Path:
    _tracked(folder)
    with runs.stage_run("retrain") as run:
        runs.log_frame(_rows(20).iloc[:, :2], Artifacts.PREDICTIONS)
    (folder / "run_id.txt").write_text(run.info.run_id)
    return Path(f"{run.info.artifact_uri}/{Artifacts.PREDICTIONS}")


def _read_predictions(path: Path) -> Any:
    place = next(parent for parent in path.parents if (parent / "run_id.txt").exists())
    run_id = (place / "run_id.txt").read_text()
    return _values(runs.read_frame(run_id, Artifacts.PREDICTIONS))


ROWS = _rows(4).astype("float64").reset_index(drop=True)


def _write_model(folder: Path) -> Path:
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    _tracked(folder)
    fitted = make_pipeline(StandardScaler(), Ridge()).fit(ROWS, ROWS.sum(axis=1))
    inputs = ROWS.set_axis(_rows(4).index)
    with runs.stage_run("retrain"):
        uri = models.log_model(fitted, inputs).stored.result().uri
        digest = safe_models.files_digest(safe_models.files_of(uri))
        registering.register(uri, {Tags.FILES_DIGEST: digest})
    return next(folder.rglob(safe_models.MODEL_FILE))


def _read_model(path: Path) -> Any:
    return safe_models.load(registry.versions()[0]).predict(ROWS).tolist()


def _read_model_plainly(path: Path) -> Any:
    import skops.io

    return skops.io.load(path, trusted=list(safe_models.TRUSTED)).predict(ROWS).tolist()


KINDS = (
    Kind("snapshot", _write_snapshot, _read_snapshot_plainly, _read_snapshot),
    Kind(
        "step file",
        _write_step,
        lambda path: _values(pd.read_parquet(path)),
        _read_step,
    ),
    Kind("journal", _write_journal, _read_journal_plainly, _read_journal),
    Kind(
        "predictions of a run",
        _write_predictions,
        lambda path: _values(pd.read_parquet(path)),
        _read_predictions,
    ),
    Kind("model", _write_model, _read_model_plainly, _read_model),
    Kind("database", _write_database, _read_database_plainly, _read_database),
)
