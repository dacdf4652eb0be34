"""Every write, copy, rename, link, unlink, sync, new file and folder of a stage fails once.

    python -m tests.soak.fault_points --points 12 ingest features retrain promote evening

A small library (``faults.c``, compiled here) counts these calls on files of the project and lets
the n-th of them fail as on a full disk or a broken one, or kills the process before or after it;
then the stage is run again.
The points are spread over all calls of the stage; ``--points 0`` takes every one. A trial is the
stage on a copy of the state before it, with one fault; the same stage again, without; and a
comparison of all results with those of a stage that nothing happened to. A process that has
imported everything is forked for each, so a trial costs the stage alone.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import os
import shutil
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from hashlib import blake2b
from importlib import import_module
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

from pipeline.contract import Artifacts
from pipeline.io.tracking import registering

HERE = Path(__file__).resolve()
ARMED = "DAYTRADE_FAULTS"
KILLED_BEFORE, KILLED_AFTER = -1, -2
KINDS = {"disk full": errno.ENOSPC, "disk broken": errno.EIO,
         "killed before": KILLED_BEFORE, "killed after": KILLED_AFTER}  # fmt: skip
REFRESH = ("ingest", "indicators", "regimes", "features", "labels")
EVENING = "evening"
"""One more session: what `daily` does, in one process."""
PARTS = {EVENING: (*REFRESH, "score", "signals")}
ORDER = (*REFRESH, "retrain", "promote", "signals", "backtest", EVENING)
OVERRIDES = {"promote": ("promote.force=true", "promote.reason=soak")}
TOLD = "told"


def preloaded(module: str) -> None:
    """Start this module again with the library loaded before all others."""
    if ARMED in os.environ:
        return
    built = str(Path(tempfile.mkdtemp(prefix="faults-")) / "faults.so")
    source = str(HERE.with_name("faults.c"))
    subprocess.run(["gcc", "-shared", "-fPIC", "-O2", "-o", built, source, "-ldl"], check=True)
    clean = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    more = {"LD_PRELOAD": built, ARMED: built, "MLFLOW_DISABLE_TELEMETRY": "true",
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip
    os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], clean | more)


def library() -> ctypes.CDLL:
    """The library: `arm(number, what, folder)`, and `counted()`."""
    loaded = ctypes.CDLL(os.environ[ARMED])
    loaded.arm.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_char_p]
    loaded.counted.restype = ctypes.c_long
    return loaded


def forked(job: Callable[[], str]) -> str:
    """What a job says in a process of its own; how it ended where it says nothing."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os.close(reading)
            with open(os.devnull, "w") as nowhere:
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
            try:
                said = job()
            except BaseException:
                said = "ERROR " + traceback.format_exc()[-600:]
            os.write(writing, said.encode()[-4000:])
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said or "killed"


def prepared(folder: Path) -> None:
    from pipeline.io.tracking import experiment

    experiment.prepare(f"sqlite:///{folder}/mlflow.db", "daytrade")


def ran(stage: str, folder: Path) -> str:
    """The stage, as its command runs it; its fault in words."""
    from pipeline.io.tracking import outside
    from pipeline.stages._cli import step
    from tests.stages.stocked import configured

    try:
        prepared(folder)
        settings = configured(folder, *files(folder), *OVERRIDES.get(stage, ()))
        for name in PARTS.get(stage, (stage,)):
            step(name, import_module(f"pipeline.stages.{name}").run, settings)
    except Exception as error:
        known = outside.explained(stage, error)
        if known is None:
            return f"UNTOLD {traceback.format_exc()[-500:]}"
        return f"{TOLD}: {known.found}"
    return "went on"


def files(folder: Path) -> tuple[str, ...]:
    """Overrides by which prices come from the folder's files."""
    prices, listed = folder / "prices.csv", folder / "symbols.csv"
    return ("data=files", f"data.path={prices}", f"data.symbols_path={listed}",
            "data.market_index=UNIVERSE", "strategy.min_edge_bps=-1000")  # fmt: skip


def delivered(folder: Path, withheld: int) -> str:
    """Files of all bars but those of the newest sessions."""
    import pandas as pd

    from pipeline.schemas import SESSION
    from tests.stages.stocked import SESSIONS, SYMBOLS, bars

    prepared(folder)
    rows = bars().drop(columns="final")
    sessions = rows.index.get_level_values(SESSION)
    known = sessions.unique().sort_values()[: SESSIONS - withheld]
    rows[sessions.isin(known)].to_csv(folder / "prices.csv")
    sectors = [f"sector {k % 5}" for k in range(len(SYMBOLS))]
    listed = pd.DataFrame({"symbol": SYMBOLS, "exchange": "X", "sector": sectors})
    listed.assign(name=SYMBOLS).to_csv(folder / "symbols.csv", index=False)
    return "delivered"


def state(folder: Path) -> str:
    """All results, digested; an error where anything is damaged or a version is not whole."""
    import pandas as pd

    from pipeline.io.tracking import champion, registry
    from pipeline.io.tracking.damage import faults_of_runs
    from pipeline.serving import deep_check
    from pipeline.workspace import Workspace
    from tests.stages.stocked import configured

    prepared(folder)
    registering.settle_challenger()
    moves = champion.settle("soak")
    parts: list[Any] = [[(m.version, m.previous, m.action) for m in moves]]
    with Workspace.open(configured(folder, *files(folder))) as workspace:
        found = [*deep_check.faults_of_data(workspace), *faults_of_runs()]
        assert not found, found[0]
        store = workspace.store
        first, last = store.sessions()[[0, -1]]
        sealed = store.forecasts()
        frames = [store.bars(), store.indicator_panel(first, last)["rsi_14"], workspace.regimes(),
                  store.labels(first, last), workspace.snapshot_store.read(),
                  sealed, store.outcomes()]  # fmt: skip
        assert not store.ledger_faults()
        covered = len(workspace.snapshot_store.covered(store.store_id))
        parts += [covered, *(int(pd.util.hash_pandas_object(f).sum()) for f in frames)]
    client = MlflowClient()
    versions = registry.versions()
    for version in versions:
        assert {"recipe", "model_files", "verdict", "trained_until"} <= version.tags.keys()
        assert Artifacts.REPORT in {file.path for file in client.list_artifacts(version.run_id)}
    parts.append(sorted({client.get_run(v.run_id).data.tags["model_digest"] for v in versions}))
    held = registry.holder("challenger")
    assert (held.version if held else None) == (versions[0].version if versions else None)
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


def restored(before: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(before, folder)


def tried(stage: str, before: Path, folder: Path, points: int) -> None:
    """A line of counts for a stage."""
    calls = library()

    def counting() -> str:
        calls.arm(0, 0, str(folder).encode())
        said = ran(stage, folder)
        assert said == "went on", said
        return str(calls.counted())

    restored(before, folder)
    said = forked(counting)
    assert said.isdigit(), said
    total, right = int(said), forked(lambda: state(folder))
    assert not right.startswith("ERROR"), right
    kept = folder.with_name("after")
    restored(folder, kept)
    chosen = range(1, total + 1) if not points or points >= total else sorted(
        {1 + round(i * (total - 1) / (points - 1)) for i in range(points)}
    )  # fmt: skip
    answers = Counter[str]()
    for turn, place in enumerate(chosen):
        name, code = list(KINDS.items())[turn % len(KINDS)]
        restored(before, folder)

        def armed(place: int = place, code: int = code) -> str:
            calls.arm(place, code, str(folder).encode())
            return ran(stage, folder)

        first = forked(armed)
        again = forked(lambda: ran(stage, folder))
        after = forked(lambda: state(folder))
        equal = "equal" if after == right else f"DIFFERS {after[-300:]}"
        ended = first.split(":")[0] if first.startswith(TOLD) else first
        rerun = "" if again == "went on" else f", again: {again}"
        answers[f"{name}: {ended}{rerun}, then {equal}"] += 1
        print(".", end="", flush=True)
    print(f"\n{stage}: {total} calls, {len(chosen)} points")
    for answer, number in sorted(answers.items()):
        print(f"  {number:4d} {answer}", flush=True)
    restored(kept, before)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stages", nargs="*", default=ORDER)
    parser.add_argument("--points", type=int, default=12)
    chosen = parser.parse_args()
    preloaded("tests.soak.fault_points")
    for stage in {*ORDER, *PARTS[EVENING]} - {EVENING}:
        import_module(f"pipeline.stages.{stage}")
    for name in ("pipeline.serving.deep_check", "tests.stages.stocked", "pipeline.learning.models",
                 "mlflow.sklearn", "skops.io", "pipeline.report.tear_sheet.page"):  # fmt: skip
        import_module(name)
    root = Path(tempfile.mkdtemp(prefix="points-"))
    before, folder = root / "before", root / "work"
    folder.mkdir()
    said = forked(lambda: delivered(folder, withheld=1))
    assert said == "delivered", said
    restored(folder, before)
    for stage in ORDER:
        if stage == EVENING:
            forked(lambda: delivered(before, withheld=0))
            restored(before, folder)
        if stage in chosen.stages:
            tried(stage, before, folder, chosen.points)
        else:
            restored(before, folder)
            said = forked(lambda stage=stage: ran(stage, folder))  # type: ignore[misc]
            print(stage, said, flush=True)
            restored(folder, before)
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
