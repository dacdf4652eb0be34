"""CPU seconds of an evening: one session more, the routine, and what people ask for afterwards.

    python -m tests.benchmarks.evening [--symbols 500] [--sessions 250] [--features classic]

A made-up panel goes through the data stages without its last session, which `daily` then brings;
`status` follows, an evening with nothing to do, and what importing the stages takes by itself.
Figures are of whole processes: user and system seconds, and peak resident memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.full_size import measured
from tests.soak import panels

ROOT = Path(__file__).resolve().parents[2]
IMPORTED = ("pandas", "mlflow", "pipeline.stages.status", "pipeline.stages.signals")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=250)
    parser.add_argument("--features", default="classic")
    given = parser.parse_args()
    os.chdir(ROOT)
    rows: list[tuple[str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        bars, days = Path(folder) / "bars.parquet", given.sessions + 1
        made = panels.bars(1, symbols=given.symbols, sessions=days, reversal=0.0, common=0.25)
        whole = made.reset_index()
        whole[whole["date"] < whole["date"].max()].to_parquet(bars)
        words = ["data=files", f"data.path={bars}", f"features={given.features}"]
        words.append(f"store.path={folder}/store.db")
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        for name, stage in (
            ("the history, from nothing", "daily"), ("one session more", "daily"),
            ("nothing to do", "daily"), ("status", "status"),
        ):  # fmt: skip
            _, cpu, _, peak = measured(stage, words, environment, (0, 1))
            rows.append((f"{stage}: {name}" if stage != name else name, cpu, peak))
            whole.to_parquet(bars)
    for module in IMPORTED:
        rows.append((f"import {module}", *_of_import(module)))
    print(f"{given.symbols:,} symbols, {given.sessions:,} sessions and one, {given.features}")
    print(f"{'':<36}{'CPU s':>8}{'peak MB':>9}")
    for name, cpu, peak in rows:
        print(f"{name:<36}{cpu:>8.1f}{peak:>9.0f}")


def _of_import(module: str) -> tuple[float, float]:
    """CPU seconds and peak MB of a process that imports a module; the second of two."""
    program = (
        f"import resource as r, {module}; u = r.getrusage(r.RUSAGE_SELF); "
        "print(u.ru_utime + u.ru_stime, u.ru_maxrss / 1024)"
    )
    for _ in range(2):  # the first one may compile
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    cpu, peak = map(float, done.stdout.split())
    return cpu, peak


if __name__ == "__main__":
    main()
