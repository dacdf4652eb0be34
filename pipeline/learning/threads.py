"""One thread a fit: forests and BLAS give other last bits with another number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit BLAS (whole process) and OpenMP (this thread) to one thread inside the block."""
    with ThreadpoolController().limit(limits=1):
        yield


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
