"""Tasks on a Dask cluster, started here or reached by its address.

This process alone holds studies, journals and MLflow; workers get pure tasks. A worker that dies
costs the tasks it was at. Where the scheduler dies, what had come back is kept, the rest is sent
again to the one that takes its place: started here again, or waited for at its address.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from pipeline.commands import Command
from pipeline.errors import NotReady, PipelineError, Refused
from pipeline.io.cluster.jobs import ADDRESS
from pipeline.io.cluster.likeness import differences, fingerprint
from pipeline.io.cluster.work import Work, alone
from pipeline.io.outside import Broken
from pipeline.learning.pool import Item, Keep, Result
from pipeline.learning.threads import single_threaded

log = logging.getLogger("pipeline.compute")

AHEAD = 2
"""Tasks sent for each that can run at a time, so that no worker waits for the next one."""

POLL_SECONDS = 1.0
MAX_DEATHS = 10
"""Workers that may die at one task before it is to blame."""

MAX_RESTARTS = 5
"""Times in a row that everything may be lost without one result in between."""

LOSSES = (CancelledError, OSError, TimeoutError)
"""What Dask raises where what was sent is gone, and where nobody answers."""


@contextmanager
def opened(
    who: str, *, workers: int, threads: int, address: str | None, wait_seconds: float
) -> Iterator[Cluster]:
    """A cluster for the tasks of one command.

    Parameters
    ----------
    who
        The stage.
    workers, threads
        Of a cluster started here: tasks at a time in all, and in one process.
    address
        Of a scheduler that is there; None: the one of the sweep that this process is a job of, else
        a cluster of processes is started here.
    wait_seconds
        For a scheduler or a worker that is not there.

    Raises
    ------
    NotReady
        No scheduler or no worker answers.
    Refused
        A worker has other code or versions.
    """
    address = address or os.environ.get(ADDRESS)
    cluster = Cluster(who, workers, threads, address, wait_seconds)
    try:
        cluster.connect()
        yield cluster
    finally:
        cluster.close()


class Cluster:
    """A `Pool` of a Dask cluster's workers; see `opened`."""

    def __init__(
        self, who: str, workers: int, threads: int, address: str | None, wait_seconds: float
    ) -> None:
        self.who, self.address, self.wait_seconds = who, address, wait_seconds
        self._workers, self._threads = workers, min(threads, workers)
        self._open = ExitStack()
        self._client: Any = None
        self._sent: list[tuple[Any, Any]] = []

    def connect(self) -> None:
        """Reach the scheduler and its workers, and check that they are like this process.

        Raises
        ------
        NotReady
            Nobody answers at the address, or no worker joins in time.
        Refused
            A worker has other versions of Python or of the libraries.
        """
        import dask
        from distributed import Client, LocalCluster

        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is logged here
        dask.config.set({"distributed.scheduler.allowed-failures": MAX_DEATHS})
        where = self.address
        if where is None:
            folder = self._open.enter_context(tempfile.TemporaryDirectory(prefix="dask-"))
            where = self._open.enter_context(
                LocalCluster(
                    n_workers=-(-self._workers // self._threads),
                    threads_per_worker=self._threads,
                    memory_limit=0,
                    dashboard_address="127.0.0.1:0",
                    local_directory=folder,
                    silence_logs=logging.ERROR,
                )
            )
        try:
            self._client = self._open.enter_context(
                Client(where, timeout=self.wait_seconds, set_as_default=False)
            )
            self._client.wait_for_workers(1, timeout=self.wait_seconds)
        except (OSError, TimeoutError, ValueError) as error:
            self.close()
            raise self._nobody(str(error)) from None
        self._refuse_other_versions()
        log.info("compute: %d workers at %s", len(self._nodes()), self._client.scheduler.address)

    @property
    def scheduler(self) -> str:
        """Address at which other processes reach the cluster."""
        return str(self._client.scheduler.address)

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        self._sent.clear()
        self._client = None
        with suppress(OSError, TimeoutError, RuntimeError):
            self._open.close()

    def map(
        self,
        task: Callable[..., Result],
        items: Iterable[Item],
        *shared: Any,
        keep: Keep[Item, Result] | None = None,
    ) -> Iterator[Result]:
        """See `learning.pool.Pool.map`.

        Raises
        ------
        NotReady
            The cluster was lost more often in a row than it is started again.
        Broken
            So many workers in a row ended at one task.
        Exception
            The first one that the task raised, as it was raised there.
        """
        work = Work(enumerate(items), keep)
        restarts = 0
        with single_threaded():  # workers may be threads of this process
            while work.take(AHEAD * self._slots()):
                try:
                    came = self._gather(work, task, self._handles(shared))
                except _Lost as lost:
                    restarts += 1
                    if restarts > MAX_RESTARTS:
                        raise self._nobody(str(lost)) from None
                    self._start_again(work, str(lost))
                    continue
                restarts = 0 if came else restarts
                yield from work.in_order()
            yield from work.in_order()

    def _gather(self, work: Work, task: Any, handles: tuple[Any, ...]) -> bool:
        """Send what is not sent, wait for the next results; whether there were any."""
        from distributed import wait

        for number, item in work.unsent():
            work.futures[number] = self._client.submit(
                alone, task, item, *handles, pure=False, key=f"{task.__name__}-{uuid.uuid4()}"
            )
        try:
            with self._client.as_current(), suppress(TimeoutError):
                wait(list(work.futures.values()), POLL_SECONDS, return_when="FIRST_COMPLETED")
        except CancelledError as error:
            raise _Lost(str(error)) from None
        ready = [(number, each) for number, each in work.futures.items() if each.done()]
        for number, future in ready:
            work.arrived(number, self._result(future))
        if not ready:
            self._require_workers()
        return bool(ready)

    def _result(self, future: Any) -> Any:
        from distributed import KilledWorker

        if future.status in ("cancelled", "lost"):
            raise _Lost("the scheduler, or all workers with the data, ended")
        if future.status == "error":
            raised = future.exception(timeout=self.wait_seconds)
            if not isinstance(raised, KilledWorker):
                raise raised  # by the task itself
            raise Broken(
                self.who, f"{MAX_DEATHS} workers in a row ended at one task: {raised}",
                "more memory a worker: fewer workers on a machine, or hpo.max_rows",
                Command(self.who),
            )  # fmt: skip
        try:
            return future.result(timeout=self.wait_seconds)
        except LOSSES as error:
            raise _Lost(str(error)) from None

    def _handles(self, shared: tuple[Any, ...]) -> tuple[Any, ...]:
        """What stands for each shared object there: sent once to each worker, then known."""
        known = [(value, handle) for value, handle in self._sent if any(value is s for s in shared)]
        for value in shared:
            if not any(value is sent for sent, _ in known):
                try:
                    (handle,) = self._client.scatter([value], broadcast=True, hash=False)
                except LOSSES as error:
                    raise _Lost(str(error)) from None
                known.append((value, handle))
        self._sent = known
        return tuple(next(handle for sent, handle in known if sent is value) for value in shared)

    def _start_again(self, work: Work, why: str) -> None:
        """Another client, and a cluster if it was started here; what has come back is kept."""
        log.warning("compute: %s: %d tasks are sent again", _first_line(why), len(work.waiting))
        work.futures.clear()
        self.close()
        self._open = ExitStack()
        self.connect()

    def _require_workers(self) -> None:
        """Raise where the scheduler is gone, or nobody has worked for it for too long."""
        if self._client.status != "running":
            raise _Lost("the scheduler does not answer")
        until = time.monotonic() + self.wait_seconds
        while not self._nodes():
            if time.monotonic() > until:
                raise self._nobody("all workers are gone")
            time.sleep(POLL_SECONDS)
            if self._client.status != "running":
                raise _Lost("the scheduler does not answer")

    def _nodes(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1)["workers"])

    def _slots(self) -> int:
        """Tasks that can run at a time."""
        if self._client is None or self._client.status != "running":
            return 1
        return max(sum(node["nthreads"] for node in self._nodes().values()), 1)

    def _refuse_other_versions(self) -> None:
        here = fingerprint()
        try:
            there = self._client.run(fingerprint)
        except (ImportError, AttributeError) as error:
            there, here = {"a worker": f"no such project: {error}"}, {}
        for address, theirs in there.items():
            if theirs != here:
                other = theirs if isinstance(theirs, str) else differences(here, theirs)
                self.close()
                raise Refused(
                    self.who, f"{address} would work with {other}",
                    "the same commit and requirements.txt on every worker", Command(self.who),
                )  # fmt: skip

    def _nobody(self, why: str) -> PipelineError:
        where = self.address or "the cluster that was started here"
        return NotReady(
            self.who,
            f"{where} does not work: {_first_line(why) or 'no answer'}",
            "a running `dask scheduler` with a `dask worker`, or compute=local; what is done is "
            "kept, and the same command goes on from there",
            Command(self.who),
        )


class _Lost(Exception):
    """What was sent is gone, through no fault of a task."""


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "").rstrip(":. ")
