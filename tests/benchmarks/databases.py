"""Times the data stages on SQLite and on PostgreSQL, and compares all that they keep.

    python -m tests.benchmarks.databases [overrides ...]

Overrides choose the prices, such as `data=files data.path=...`; by default the embedded sample. A
server of the benchmark's own runs on this machine. Each stage is its direct command in a process of
its own, on both databases in turn: once with everything to do, once with nothing to do. CPU is
user and system seconds of the command, `server` those of the database's processes meanwhile, peak
the resident memory of the command. Last, rows, digests and snapshots of both are compared.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import psutil

from pipeline.io.store.protocol import Database
from pipeline.io.store.sqlite import Sqlite
from pipeline.io.store.store import Store
from tests.benchmarks.full_size import STAGES, measured
from tests.databases import snapshot_digests, table_digests
from tests.postgres import Server, running_server

SETTINGS = ("shared_buffers = '512MB'", "max_wal_size = '4GB'", "work_mem = '64MB'")
"""As a small machine is set up; the rest is the server's default, every commit on the disk."""

PASSES = {"first run": STAGES, "nothing to do": (*STAGES, "status")}


def server_seconds(server: Server) -> float:
    """CPU seconds of the server so far, of sessions that ended too."""
    main = psutil.Process(int((server.data / "postmaster.pid").read_text().splitlines()[0]))
    spent = [process.cpu_times() for process in (main, *main.children())]
    ended = spent[0].children_user + spent[0].children_system
    return ended + sum(times.user + times.system for times in spent)


def main() -> None:
    """Print one table, and whether both hold the same."""
    with running_server(*SETTINGS) as server, tempfile.TemporaryDirectory() as folder:
        file, schema = Sqlite(Path(folder) / "store.db"), server.schema(Path(folder) / "pg", "b")
        words = {
            "sqlite": [f"store.path={file.path}", f"store.snapshots={folder}/snapshots"],
            "postgres": [
                "store=postgres", f"store.url={server.url}", "store.schema_name=b",
                f"store.folder={schema.folder}",
            ],
        }  # fmt: skip
        base = os.environ | server.environment | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/m.db"}
        measured("status", [*words["sqlite"], *sys.argv[1:]], base, codes=(0, 1))  # makes m.db
        heads = ["what", "database", "CPU s", "server", "wall s", "peak MB"]
        lines = [f"{heads[0]:<28}{heads[1]:<10}" + "".join(f"{head:>9}" for head in heads[2:])]
        for title, stages in PASSES.items():
            for stage in stages:
                for name, own in words.items():
                    before = server_seconds(server)
                    given = [*own, *sys.argv[1:]]
                    _, cpu, wall, peak = measured(stage, given, base, codes=(0, 1))
                    used = server_seconds(server) - before if name == "postgres" else 0.0
                    cells = f"{cpu:>9.1f}{used:>9.1f}{wall:>9.1f}{peak:>9.0f}"
                    lines.append(f"{f'{title}: {stage}':<28}{name:<10}{cells}")
        kept = file.path.stat().st_size / 2**20
        sql = "SELECT pg_database_size(current_database()) / 1024.0 / 1024"
        print("", *lines, sep="\n")
        print(f"\non disk: sqlite {kept:,.0f} MB, postgres {server.execute(sql)[0][0]:,.0f} MB")
        os.environ.update(server.environment)
        compare(file, Path(folder) / "snapshots", schema, schema.folder / "snapshots")


def compare(one: Database, snapshots: Path, other: Database, others: Path) -> None:
    """Print what differs."""
    with Store.open(one) as first, Store.open(other) as second:
        held, also = table_digests(first), table_digests(second)
    rows = sum(count for count, _ in held.values())
    files, copies = snapshot_digests(snapshots), snapshot_digests(others)
    differing = [name for name in held if held[name] != also[name]]
    differing += [name for name in files | copies if files.get(name) != copies.get(name)]
    print(f"{rows:,} rows in {len(held)} tables and {len(files)} snapshots compared; ", end="")
    print(f"different: {', '.join(differing) or 'nothing'}")
    sys.exit(bool(differing))


if __name__ == "__main__":
    main()
