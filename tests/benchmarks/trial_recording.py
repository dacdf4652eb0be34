"""What recording trials as runs costs a search of 200 trials on the embedded sample.

    python -m tests.benchmarks.trial_recording [overrides]

One `retrain` with `hpo.n_trials=100` for each of the two default learners, in this process. CPU
seconds of the thread that records are compared with those of the whole search; waited is the time
for which the search stood still because a trial was not recorded yet.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from pipeline.io.tracking import evaluation
from pipeline.io.tracking import trials as trial_runs
from pipeline.recipe import search
from pipeline.stages import retrain
from pipeline.stages._cli import command

spent = dict.fromkeys(("cpu", "wall", "waited", "trials", "search_cpu", "search_wall"), 0.0)
log, recorded, studies = trial_runs._log, trial_runs.recorded, search._all_studies


def timed_log(*arguments: Any) -> None:
    cpu, wall = time.thread_time(), time.perf_counter()
    log(*arguments)
    spent["cpu"] += time.thread_time() - cpu
    spent["wall"] += time.perf_counter() - wall
    spent["trials"] += 1


@contextmanager
def timed_recorded(*arguments: Any) -> Iterator[Any]:
    with recorded(*arguments) as record:

        def timed(trial: Any) -> None:
            began = time.perf_counter()
            record(trial)
            spent["waited"] += time.perf_counter() - began

        yield timed
        began = time.perf_counter()
    spent["waited"] += time.perf_counter() - began
    report()


def timed_studies(*arguments: Any) -> Any:
    cpu, wall = time.process_time(), time.perf_counter()
    found = studies(*arguments)
    spent["search_cpu"] += time.process_time() - cpu
    spent["search_wall"] += time.perf_counter() - wall
    return found


def report() -> None:
    cpu, wall = spent["search_cpu"], spent["search_wall"]
    print(
        f"\n{spent['trials']:.0f} trials: search {cpu:.1f} s CPU, {wall:.1f} s wall; "
        f"recording {spent['cpu']:.2f} s CPU = {spent['cpu'] / cpu:.2%}, "
        f"waited {spent['waited']:.2f} s = {spent['waited'] / wall:.2%} of the wall time "
        f"({spent['wall']:.1f} s beside the fits)\n"
    )


if __name__ == "__main__":
    with (
        patch.object(trial_runs, "_log", timed_log),
        patch.object(evaluation, "recorded", timed_recorded),
        patch.object(search, "_all_studies", timed_studies),
        tempfile.TemporaryDirectory() as folder,
    ):
        own = ["hpo.n_trials=100", f"store.path={folder}/store.db"]
        sys.argv[1:] = [*own, f"tracking.uri=sqlite:///{folder}/mlflow.db", *sys.argv[1:]]
        command("retrain", retrain.run)
