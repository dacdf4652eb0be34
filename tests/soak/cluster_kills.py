"""Searches on a cluster whose workers and scheduler are killed: each has to decide the same.

    python -m tests.soak.cluster_kills [runs]

A scheduler and two workers are processes of their own, which are started again where they end, as
an operator's supervisor does. In every run a search is under way when, after trials drawn at
random, each worker and the scheduler are killed once (SIGKILL). What it decides is compared with
the search of one thread of this process, to the last bit.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import optuna
import psutil

from pipeline.io.cluster.pool import opened
from pipeline.learning.pool import HERE, Pool
from pipeline.learning.search.folds import Fold, prepared_folds
from pipeline.learning.search.search import search
from pipeline.learning.search.trials import Trial
from tests.benchmarks.search_speed import trials_digest
from tests.learning import made
from tests.recipe.history import history

RUNS, WORKERS, TRIALS = 10, 2, 24
SCHEDULER = "scheduler"
BOOSTED = made.learner(
    "lightgbm.LGBMRegressor",
    "boosted",
    fixed={"n_jobs": 1, "verbosity": -1, "deterministic": True, "force_row_wise": True},
    initial={"n_estimators": 150, "num_leaves": 7, "min_child_samples": 20},
    space={
        "n_estimators": {"type": "int", "low": 100, "high": 300},
        "num_leaves": {"type": "int", "low": 3, "high": 15},
        "min_child_samples": {"type": "int", "low": 5, "high": 60, "log": True},
    },
)


class Machines:
    """A scheduler and workers that are started again wherever they end."""

    def __init__(self, folder: Path, port: int) -> None:
        self.address = f"tcp://127.0.0.1:{port}"
        scheduler = ["dask_scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        worker = ["dask_worker", self.address, "--nthreads", "1", "--no-dashboard"]
        worker += ["--no-nanny", "--local-directory", str(folder), "--death-timeout", "30"]
        self._words = {SCHEDULER: scheduler, **{f"worker {n}": worker for n in range(WORKERS)}}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._said = (folder / "machines.txt").open("wb")
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._supervise)

    def __enter__(self) -> Machines:
        self._watch.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._watch.join()
        for process in self._running.values():
            process.kill()
            process.wait()
        self._said.close()

    def kill(self, name: str) -> None:
        self._running[name].send_signal(signal.SIGKILL)

    def _supervise(self) -> None:
        while not self._ended.is_set():
            for name, words in self._words.items():
                process = self._running.get(name)
                if process is None or process.poll() is not None:
                    module = f"distributed.cli.{words[0]}"
                    self._running[name] = subprocess.Popen(
                        [sys.executable, "-m", module, *words[1:]],
                        stdout=self._said, stderr=subprocess.STDOUT,
                    )  # fmt: skip
            time.sleep(0.2)


def killing(machines: Machines, chance: random.Random, done: list[str]) -> Callable[[Trial], None]:
    """What hears of trials, and kills a machine after drawn ones."""
    names = [SCHEDULER, *(f"worker {n}" for n in range(WORKERS))]
    due = dict(zip(chance.sample(range(1, TRIALS - 2), len(names)), names, strict=True))

    def after(trial: Trial) -> None:
        if trial.number in due:
            machines.kill(due[trial.number])
            done.append(f"{due[trial.number]} after trial {trial.number}")

    return after


def decided(
    folds: list[Fold], pool: Pool, on_trial: Callable[[Trial], None] = lambda trial: None
) -> str:
    """Digest of all trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials: list[Trial] = []

    def told(trial: Trial) -> None:
        trials.append(trial)
        on_trial(trial)

    search(
        optuna.create_study(), BOOSTED, folds, objective="mae", n_trials=TRIALS, batch_size=4,
        seed=5, clock=lambda: 0.0, pool=pool, on_trial=told,
    )  # fmt: skip
    return trials_digest(trials)


def same_decisions(runs: int) -> int:
    """How many runs decided as one thread does; a line is printed of each."""
    world = history(sessions=120, symbols=12)
    dataset = world.dataset(world.sessions, ["signal", "noise"])
    splitter = made.walk_forward(folds=4, fold_sessions=10, min_train_sessions=30)
    folds = prepared_folds(dataset, splitter, made.target())
    expected, same = decided(folds, HERE), 0
    port = 20_000 + psutil.Process().pid % 20_000
    with tempfile.TemporaryDirectory() as folder, Machines(Path(folder), port) as machines:
        for run in range(runs):
            began = time.perf_counter()
            killed: list[str] = []
            with opened(
                "soak", workers=WORKERS, threads=1, address=machines.address, wait_seconds=180.0
            ) as pool:
                found = decided(folds, pool, killing(machines, random.Random(run), killed))
            same += found == expected
            seconds = time.perf_counter() - began
            print(f"run {run}: {found == expected}, {seconds:.0f} s; killed: {', '.join(killed)}",
                  flush=True)  # fmt: skip
    print(f"{same} of {runs} runs decided as one thread did ({expected})")
    return same


if __name__ == "__main__":
    asked = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    sys.exit(same_decisions(asked) < asked)
