"""The tables of `tests/benchmarks/tables.md`: what is measured, by which command, where and when.

    python -m tests.benchmarks.tables [NAME ...]

Runs the benchmarks named, all of them without a name, one after the other, and puts what each
prints in the place of its former table; the others stay. Each table says the commit, the date and
the machine it is of: compare figures of one machine and one day alone.
"""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from pathlib import Path

import psutil

from pipeline.contract import Tags
from pipeline.io.process import git_state

ROOT = Path(__file__).resolve().parents[2]
PAGE = Path(__file__).with_name("tables.md")
HEAD = (
    "# Benchmarks\n\nMade by `python -m tests.benchmarks.tables`; each table is of the day and the "
    "machine it names.\n"
)

TABLES = {
    "evening": "tests.benchmarks.evening",
    "morning": "tests.benchmarks.morning_speed 500 5000",
    "search": "tests.benchmarks.search_speed",
    "fits alone and shared": "tests.benchmarks.search_speed --beside 100",
    "cluster": "tests.benchmarks.cluster_simulation --trials 8",
    "recording of trials": "tests.benchmarks.trial_recording",
    "backtest": "tests.benchmarks.backtest_speed",
    "slow server": "tests.soak.slow_server",
}
"""What follows ``python -m``, by the name of its table."""


def machine() -> str:
    """Processor, cores and memory; the name of the machine is nobody's business."""
    info = Path("/proc/cpuinfo")
    found = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    name = found[1] if found else platform.processor() or platform.machine()
    memory = psutil.virtual_memory().total / 2**30
    return f"{name}, {os.cpu_count()} cores, {memory:.0f} GB, Python {platform.python_version()}"


def measured(name: str) -> str:
    """The section of a benchmark, made now.

    Raises
    ------
    CalledProcessError
        It did not end well.
    """
    words = TABLES[name].split()
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=ROOT, text=True, check=True, stdout=subprocess.PIPE
    )
    commit = git_state(ROOT).get(Tags.GIT_COMMIT, "unknown")[:7]
    load = os.getloadavg()[1]
    return (
        f"## {name}\n\n`python -m {TABLES[name]}`, commit {commit}, "
        f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}, {machine()}, "
        f"{load:.0f} processes at work by the end:\n\n```\n{done.stdout.strip()}\n```\n"
    )


def sections(page: str) -> dict[str, str]:
    """The page's sections by name.

    >>> list(sections("# All" + chr(10) + "## one" + chr(10) + "1" + chr(10) + "## two"))
    ['one', 'two']
    """
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)[1:]
    return {part.splitlines()[0].removeprefix("## "): part.strip() + "\n" for part in parts}


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", choices=[*TABLES, []], metavar="NAME")
    for name in parser.parse_args().names or TABLES:
        kept = sections(PAGE.read_text()) if PAGE.exists() else {}
        kept[name] = measured(name)
        PAGE.write_text("\n".join([HEAD, *(kept[each] for each in TABLES if each in kept)]))
        print(kept[name])


if __name__ == "__main__":
    main()
