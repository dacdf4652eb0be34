"""What a retrain of the sample gives at another commit and at this one, and what it costs there.

    python -m tests.benchmarks.before_after COMMIT [override ...]

For a change that is to change nothing but code. Both are clones, each with a store and an MLflow
of its own; overrides hold for both, so they name what the two call alike. Compared are metrics
(but times), parameters, names of tags and of artifacts, and the hashes of the features. Whole
commands: CPU = user + system seconds, peak = resident memory. Exit code 1: something differs.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlflow import MlflowClient

ROOT = Path(__file__).resolve().parents[2]
HASHES = "features.json"
TIMES = ("time/", "search/seconds")


@dataclass(frozen=True)
class Outcome:
    """What one commit's retrain left, by kind and name, and its cost."""

    found: Mapping[str, Mapping[str, Any]]
    cpu: float
    wall: float
    peak: float


def retrained(commit: str, overrides: list[str], folder: Path) -> Outcome:
    """Clone a commit and retrain there.

    Raises
    ------
    SystemExit
        The command fails; with the end of its output.
    """
    clone, output = folder / "clone", folder / "output.txt"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    subprocess.run(["git", "-C", str(clone), "checkout", "-q", commit], check=True)
    uri = f"sqlite:///{folder}/mlflow.db"
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    own |= {"PYTHONPATH": str(clone), "MLFLOW_TRACKING_URI": uri}
    words = [sys.executable, "-m", "pipeline.stages.retrain", f"store.path={folder}/store.db"]
    began = time.perf_counter()
    with output.open("wb") as file:
        child = subprocess.Popen([*words, *overrides], cwd=clone, env=own, stdout=file, stderr=file)
        _, status, used = os.wait4(child.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(
            f"the retrain at {commit} ended with {code}:\n{output.read_text()[-2000:]}"
        )
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter() - began
    return Outcome(_found(MlflowClient(uri)), cpu, wall, used.ru_maxrss / 1024)


def _found(client: MlflowClient) -> dict[str, dict[str, Any]]:
    run = client.search_runs(["0"], "tags.stage = 'retrain'")[0]
    files = dict.fromkeys(_files(client, run.info.run_id))
    hashes = next((path for path in files if path.endswith(HASHES)), None)
    text = Path(client.download_artifacts(run.info.run_id, hashes)).read_text() if hashes else "{}"
    return {
        "metrics": {k: v for k, v in run.data.metrics.items() if not k.startswith(TIMES)},
        "parameters": dict(run.data.params),
        "tags": dict.fromkeys(run.data.tags),
        "artifacts": files,
        "features": json.loads(text),
    }


def _files(client: MlflowClient, run_id: str, folder: str | None = None) -> Iterator[str]:
    for entry in client.list_artifacts(run_id, folder):
        if entry.is_dir:
            yield from _files(client, run_id, entry.path)
        else:
            yield entry.path


def difference(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Names by what became of them: equal, changed, gone or new.

    >>> difference({"a": 1.0, "b": float("nan"), "c": 3}, {"a": 2.0, "b": float("nan"), "d": 3})
    {'equal': ['b'], 'changed': ['a'], 'gone': ['c'], 'new': ['d']}
    """
    both = sorted(set(before) & set(after))
    equal = [name for name in both if _are_equal(before[name], after[name])]
    return {
        "equal": equal,
        "changed": [name for name in both if name not in equal],
        "gone": sorted(set(before) - set(after)),
        "new": sorted(set(after) - set(before)),
    }


def _are_equal(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float) and math.isnan(one):
        return math.isnan(other)
    return bool(one == other)


def main() -> None:
    """Print one table, then the names that differ."""
    commit, *overrides = sys.argv[1:]
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    outcomes = []
    for each in (commit, "HEAD"):
        with tempfile.TemporaryDirectory() as folder:
            outcomes.append(retrained(each, overrides, Path(folder)))
        done = outcomes[-1]
        print(
            f"{each:<12} {done.cpu:6.1f} CPU s {done.wall:6.1f} s {done.peak:6.0f} MB", flush=True
        )
    before, after = outcomes
    differing = []
    print(f"\n{'':12}" + "".join(f"{word:>9}" for word in ("equal", "changed", "gone", "new")))
    for kind, names in before.found.items():
        by_fate = difference(names, after.found[kind])
        print(f"{kind:<12}" + "".join(f"{len(found):>9}" for found in by_fate.values()))
        differing += [
            f"{kind} {fate}: {', '.join(by_fate[fate])}"
            for fate in ("changed", "gone", "new")
            if by_fate[fate]
        ]
    print("\n" + "\n".join(differing))
    raise SystemExit(1 if differing else 0)


if __name__ == "__main__":
    main()
