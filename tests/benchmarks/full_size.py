"""Times the data stages on a large panel, command by command, beside the reference system.

    python tests/benchmarks/full_size.py PRICES [--index INDICES] [--symbols TABLE]
                                         [--features extended] [--evenings]

PRICES is what `data.path` takes. Every stage runs as its direct command in a process of its own,
in a new store: once with everything to do, once with nothing to do. With `--evenings`, PRICES and
INDICES are Parquet files with a column date, of which copies are used: at first without their last
session, which then comes by `daily`; on the next evening one old bar has another volume; on the
one after that a bar is gone. Figures are whole-process: CPU = user + system seconds, peak =
resident memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve()
ROOT = HERE.parents[2]
STAGES = ("ingest", "indicators", "regimes", "features", "labels")
REFERENCE_MS_A_ROW = {"ingest": 4.0, "indicators": 11.0, "regimes": 2.2, "features": 22.0,
                      "labels": 2.1}  # fmt: skip
"""CPU milliseconds a bar, snapshot or row of the system this replaces, at 3,270 sessions."""

Figures = tuple[float, float, float, float]


def measured(
    stage: str, overrides: list[str], environment: dict[str, str], codes: tuple[int, ...] = (0,)
) -> Figures:
    """User and CPU seconds, wall seconds and peak MB of one command that ends with such a code."""
    began = time.perf_counter()
    words = [sys.executable, "-m", f"pipeline.stages.{stage}", *overrides]
    child = os.posix_spawn(sys.executable, words, environment)
    _, status, used = os.wait4(child, 0)
    if os.waitstatus_to_exitcode(status) not in codes:
        raise SystemExit(f"{stage} ended with {os.waitstatus_to_exitcode(status)}")
    wall = time.perf_counter() - began
    return used.ru_utime, used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024


EVENINGS = ("new session", "changed bar", "withdrawn bar")


def edit(evening: str, whole: str, copy: str) -> None:
    """Write a Parquet file as it is on an evening; each one has what came before."""
    rows = pd.read_parquet(whole)
    if evening == "before":
        rows = rows[rows["date"] < rows["date"].max()]
    if evening in EVENINGS[1:]:
        rows.loc[rows.index[len(rows) // 2], "volume"] *= 2
    if evening == "withdrawn bar":
        rows = rows.drop(rows.index[len(rows) // 3])
    rows.to_parquet(copy, index=False)


def edited(evening: str, files: dict[str, Path], folder: str) -> dict[str, Path]:
    """Copies of the price files, of indices only what is new.

    Made in a process of their own: a child's peak counts the memory its parent ever had.
    """
    copies = {key: Path(folder) / f"{key}.parquet" for key in files if key != "symbols_path"}
    for key, copy in copies.items():
        done = evening if key == "path" or evening == "before" else "new session"
        words = [sys.executable, str(HERE), "edit", done, str(files[key]), str(copy)]
        subprocess.run(words, check=True)
    return files | copies


def main() -> None:
    """Print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("prices")
    asked.add_argument("--index")
    asked.add_argument("--symbols")
    asked.add_argument("--features", default="extended")
    asked.add_argument("--evenings", action="store_true")
    given = asked.parse_args()
    named = {"path": given.prices, "index_path": given.index, "symbols_path": given.symbols}
    files = {key: Path(file).resolve() for key, file in named.items() if file}
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        used = edited("before", files, folder) if given.evenings else files
        overrides = ["data=files", f"features={given.features}", f"store.path={folder}/store.db"]
        overrides += [f"data.{key}={where}" for key, where in used.items()]
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        rows = _pass("first run", overrides, environment)
        for evening in EVENINGS if given.evenings else ():
            edited(evening, files, folder)
            rows.append((f"daily, one {evening}", *measured("daily", overrides, environment)))
        rows += _pass("nothing to do", overrides, environment)
        rows.append(("status", *measured("status", overrides, environment)))
    print(f"\n{'what':<32}{'user s':>9}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}")
    for name, user, cpu, wall, peak in rows:
        print(f"{name:<32}{user:>9.1f}{cpu:>9.1f}{wall:>9.1f}{peak:>9.0f}")
    print("\nreference, CPU ms a row:", REFERENCE_MS_A_ROW)


def _pass(
    title: str, overrides: list[str], environment: dict[str, str]
) -> list[tuple[str, float, float, float, float]]:
    rows = [(f"{title}: {stage}", *measured(stage, overrides, environment)) for stage in STAGES]
    user, cpu, wall, peak = zip(*(figures for _, *figures in rows), strict=True)
    return [*rows, (f"{title}: all", sum(user), sum(cpu), sum(wall), max(peak))]


if __name__ == "__main__":
    edit(*sys.argv[2:]) if sys.argv[1:2] == ["edit"] else main()
