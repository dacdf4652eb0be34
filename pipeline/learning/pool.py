"""Where tasks of a retrain run: in threads here, or on the machines of a cluster.

A task is a pure function: what it is given decides what it returns, so that neither the number of
workers nor the place changes a bit. Studies, journals and MLflow stay with the process that asks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")
Keep = Callable[[Item, Result], Result]


class Pool(Protocol):
    """Something that works on tasks side by side."""

    def map(
        self,
        task: Callable[..., Result],
        items: Iterable[Item],
        *shared: Any,
        keep: Keep[Item, Result] | None = None,
    ) -> Iterator[Result]:
        """``task(*shared, item)`` of every item, in order.

        Parameters
        ----------
        task
            A pure function of a module. What it raises is raised here.
        items
            Small ones; taken as the work goes on, a few ahead of it.
        shared
            What all tasks need and none changes: sent to a place once, however many calls are
            given the same object.
        keep
            Called with each item and its result as soon as there is one, in any order, here; what
            it returns stands for the result.
        """
        ...


@dataclass(frozen=True)
class Threads:
    """Threads of this process, each of which fits with one thread."""

    workers: int = 1

    def map(
        self,
        task: Callable[..., Result],
        items: Iterable[Item],
        *shared: Any,
        keep: Keep[Item, Result] | None = None,
    ) -> Iterator[Result]:
        """See `Pool.map`."""

        def done(item: Item) -> Result:
            result = task(*shared, item)
            return result if keep is None else keep(item, result)

        waiting: deque[Future[Result]] = deque()
        with fit_workers(self.workers) as threads:
            for item in items:
                waiting.append(threads.submit(done, item))
                while len(busy := [task for task in waiting if not task.done()]) > self.workers:
                    wait(busy, return_when=FIRST_COMPLETED)
                while waiting and waiting[0].done():
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


HERE = Threads()
"""One task after another."""


@contextmanager
def fit_workers(workers: int) -> Iterator[ThreadPoolExecutor]:
    """A pool of ``workers`` threads, each fitting with one thread.

    OpenMP's limit belongs to the thread that sets it, so every worker sets its own.
    """
    controller = ThreadpoolController()

    def limit() -> None:
        controller.limit(limits=1, user_api="openmp")

    with (
        controller.limit(limits=1),
        ThreadPoolExecutor(max_workers=workers, initializer=limit) as pool,
    ):
        try:
            yield pool
        except BaseException:
            pool.shutdown(cancel_futures=True)  # an interrupt does not wait for a whole batch
            raise
