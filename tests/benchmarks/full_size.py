"""Times the data stages on a large panel, command by command, beside the reference system.

    python tests/benchmarks/full_size.py PRICES [--index INDICES] [--symbols TABLE]
                                         [--features extended]

PRICES is what `data.path` takes. Every stage runs as its direct command in a process of its own,
in a new store: once with everything to do, once with nothing to do; then one more session goes
through `daily`. Figures are whole-process: CPU = user + system seconds, peak = resident memory.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STAGES = ("ingest", "indicators", "regimes", "features", "labels")
REFERENCE_MS_A_ROW = {"ingest": 4.0, "indicators": 11.0, "regimes": 2.2, "features": 22.0,
                      "labels": 2.1}  # fmt: skip
"""CPU milliseconds a bar, snapshot or row of the system this replaces, at 3,270 sessions."""


def measured(stage: str, overrides: list[str], environment: dict[str, str]) -> tuple[float, ...]:
    """CPU seconds, wall seconds and peak MB of one command."""
    began = time.perf_counter()
    words = [sys.executable, "-m", f"pipeline.stages.{stage}", *overrides]
    child = os.posix_spawn(sys.executable, words, environment)
    _, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{stage} ended with {os.waitstatus_to_exitcode(status)}")
    wall = time.perf_counter() - began
    return used.ru_utime + used.ru_stime, wall, used.ru_maxrss / 1024


def main() -> None:
    """Print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("prices")
    asked.add_argument("--index")
    asked.add_argument("--symbols")
    asked.add_argument("--features", default="extended")
    asked.add_argument("--last-but-one", help="last session of the first pass (YYYY-MM-DD)")
    given = asked.parse_args()
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            "data=files", f"data.path={Path(given.prices).resolve()}",
            f"features={given.features}", f"store.path={folder}/store.db",
        ]  # fmt: skip
        overrides += [f"data.index_path={Path(given.index).resolve()}"] if given.index else []
        overrides += [f"data.symbols_path={Path(given.symbols).resolve()}"] if given.symbols else []
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        cut = [f"end_date={given.last_but_one}"] if given.last_but_one else []
        rows = _pass("first run", overrides, environment, cut)
        if cut:
            rows.append(("daily, one new session", *measured("daily", overrides, environment)))
        rows += _pass("nothing to do", overrides, environment, [])
        rows.append(("status", *measured("status", overrides, environment)))
    print(f"\n{'what':<32}{'CPU s':>9}{'wall s':>9}{'peak MB':>9}")
    for name, cpu, wall, peak in rows:
        print(f"{name:<32}{cpu:>9.1f}{wall:>9.1f}{peak:>9.0f}")
    print("\nreference, CPU ms a row:", REFERENCE_MS_A_ROW)


def _pass(
    title: str, overrides: list[str], environment: dict[str, str], cut: list[str]
) -> list[tuple[str, float, float, float]]:
    rows = []
    for stage in STAGES:
        mine = [*overrides, *(cut if stage == "ingest" else [])]
        cpu, wall, peak = measured(stage, mine, environment)
        rows.append((f"{title}: {stage}", cpu, wall, peak))
    total = [sum(row[k] for row in rows) for k in (1, 2)]
    rows.append((f"{title}: all", *total, max(row[3] for row in rows)))
    return rows


if __name__ == "__main__":
    main()
