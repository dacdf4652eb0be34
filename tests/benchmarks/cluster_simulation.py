"""What a search would take with 1 to 64 workers, from task times recorded with one.

    python -m tests.benchmarks.cluster_simulation [--trials N] [--panel FOLDER] [overrides]

The search of `search_speed` runs here with one worker. Each task (trial x fold) is timed in CPU
seconds, and what it and its result weigh as they travel is counted. Then the same tasks are dealt
to more workers: each takes the next one, a batch waits for its last, and what this process does
between batches is done by it alone. A task's transport is taken as OVERHEAD_SECONDS. To a sampler
that learns, other batches are another search; their times are drawn from the same recorded trials.
"""

from __future__ import annotations

import argparse
import heapq
import random
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import cloudpickle

from pipeline.config import build
from pipeline.io.journal import opened
from pipeline.learning.threads import single_threaded
from pipeline.recipe.books import net_returns
from pipeline.recipe.search import searched
from pipeline.workspace import Workspace
from tests.benchmarks.search_speed import settings_on

WORKERS = (1, 2, 4, 16, 64)
BATCHES = (4, 16, 64)
SIMULATED = 100
"""Trials of each learner, drawn from the recorded ones."""

OVERHEAD_SECONDS = 0.005
"""Of sending a task and taking its result, by the process that asks."""


class Recording:
    """A pool of one worker that writes down what each task takes and weighs."""

    def __init__(self) -> None:
        self.calls: list[list[float]] = []
        self.between: list[float] = []
        self._ended: float | None = None
        self.sent: list[int] = []
        self.returned: list[int] = []
        self.shared: dict[int, tuple[Any, int]] = {}
        self._common: list[int] = []

    def map(
        self, task: Callable[..., Any], items: Iterable[Any], *shared: Any, keep: Any = None
    ) -> Iterator[Any]:
        for value in shared:
            if id(value) not in self.shared:
                self.shared[id(value)] = value, len(cloudpickle.dumps(value))
        if self._ended is not None:
            self.between.append(time.process_time() - self._ended)
        self.calls.append([])
        self._common.append(id(shared[-1]))
        with single_threaded():
            for item in items:
                began = time.process_time()
                result = task(*shared, item)
                self.calls[-1].append(time.process_time() - began)
                self.sent.append(len(cloudpickle.dumps((task, item))))
                self.returned.append(len(cloudpickle.dumps(result)))
                self._ended = time.process_time()
                yield result if keep is None else keep(item, result)

    def by_learner(self) -> list[list[list[float]]]:
        """The calls of each learner's search: all of one share what its fits have in common."""
        learners = dict.fromkeys(self._common)
        return [
            [call for call, own in zip(self.calls, self._common, strict=True) if own == learner]
            for learner in learners
        ]


def seconds(batches: list[list[float]], between: float, workers: int) -> float:
    """Of all batches, one after another, each dealt to the workers in order."""
    total = 0.0
    for batch in batches:
        free = [0.0] * workers
        for number, task in enumerate(batch):
            sent = OVERHEAD_SECONDS * (number + 1) if workers > 1 else 0.0
            heapq.heappush(free, max(heapq.heappop(free), sent) + task)
        total += max(free) + between
    return total


def main() -> None:
    """Print weights and a table of speed-ups."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=16, help="of each of the two learners")
    parser.add_argument("--panel", type=Path, help="where the panel is kept")
    parser.add_argument("overrides", nargs="*")
    given = parser.parse_args()
    pool = Recording()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.panel or Path(temporary)
        settings = settings_on(folder, [f"hpo.n_trials={given.trials}", *given.overrides])
        recipe = build.recipe(settings)
        with Workspace.open(settings) as workspace:
            step = recipe.windows.holdout(workspace.store.label_ready_sessions())
            development = workspace.dataset(step.development, recipe.columns)
            market = workspace.market(development.sessions, recipe.rules)
        returns = partial(net_returns, recipe.rules, recipe.bankroll, market)
        with opened(Path(temporary) / "journal", "benchmark") as studies:
            began = time.process_time()
            searched(
                recipe, development, studies, strategy_returns=returns, clock=time.perf_counter,
                pool=pool,
            )  # fmt: skip
            whole = time.process_time() - began
    tasks = [task for call in pool.calls for task in call]
    print(f"{len(tasks)} tasks, mean {sum(tasks) / len(tasks):.3f} CPU s; {whole:.1f} s in all; "
          f"{median(pool.between):.3f} s between batches")  # fmt: skip
    print(f"sent a task {sum(pool.sent) / len(tasks):,.0f} bytes, returned "
          f"{sum(pool.returned) / len(tasks):,.0f}; shared, once a worker process: "
          + ", ".join(f"{weight / 1e6:.3f} MB" for _, weight in pool.shared.values()))  # fmt: skip
    print(f"\n{'trials a batch':<16}" + "".join(f"{n:>10}" for n in WORKERS) + "   workers")
    folds, chance = recipe.splitter.get_n_splits(), random.Random(recipe.seed)
    trials = [
        [call[first : first + folds] for call in calls for first in range(0, len(call), folds)]
        for calls in pool.by_learner()
    ]
    drawn = [chance.choices(own, k=SIMULATED) for own in trials]
    for size in BATCHES:
        joined = [
            list(chain.from_iterable(own[first : first + size]))
            for own in drawn
            for first in range(0, SIMULATED, size)
        ]
        between = median(pool.between) * size / recipe.plan.batch_size
        alone = seconds(joined, between, 1)
        line = "".join(f"{alone / seconds(joined, between, n):>9.1f}x" for n in WORKERS)
        print(f"{size:<16}{line}")


if __name__ == "__main__":
    main()
