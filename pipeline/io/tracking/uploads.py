"""What is written into a stage's run: at once into a file, meanwhile onto a server.

A request to a far server mostly waits, and a retrain makes dozens. So files are on their way side
by side while the stage goes on, and what has an order, as tags and figures have, one after another
behind it. `arrived` waits for all of them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

import mlflow
from mlflow.entities import Run
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.utils.uri import is_local_uri

if TYPE_CHECKING:
    from matplotlib.figure import Figure

AT_A_TIME = 8

T = TypeVar("T")


@dataclass(eq=False)
class _Way:
    """Files side by side, the rest in its order; None where it is there at once."""

    threads: ThreadPoolExecutor | None
    clerk: ThreadPoolExecutor | None
    files: list[Future[None]] = field(default_factory=list)
    in_order: list[Future[object]] = field(default_factory=list)
    refused: BaseException | None = None

    def first(self, task: Callable[[], T]) -> T:
        """A task of those in order; none follows one that failed: a figure hides no lost look."""
        if self.refused is not None:
            raise self.refused
        try:
            return task()
        except BaseException as error:
            self.refused = error
            raise


_ways: dict[str, _Way] = {}
"""By run of a stage under way of which a server keeps something."""


@contextmanager
def sent_meanwhile(run: Run) -> Iterator[None]:
    """Let what is written go on its way while the block runs; all is there at its end.

    Where the block fails, files that have not begun their way stay behind.
    """
    is_served = mlflow.get_tracking_uri().startswith("http")
    with (
        ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="run-files") as threads,
        ThreadPoolExecutor(1, thread_name_prefix="run-notes") as clerk,
    ):
        way = _Way(
            None if is_local_uri(run.info.artifact_uri) else threads, clerk if is_served else None
        )
        _ways[run.info.run_id] = way
        try:
            yield
            arrived(run.info.run_id)
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise
        finally:
            del _ways[run.info.run_id]


def send(path: str, content: bytes) -> str:
    """A file of the open run; returns its id, within `sent_meanwhile` before the file is there.

    Raises
    ------
    Exception
        MLflow's, of this file or of one that was sent before.
    """
    run = mlflow.active_run()
    assert run is not None, "logging needs an open run"
    way = _ways.get(run.info.run_id)
    if way is None or way.threads is None:
        put(run, path, content)
    else:
        _finished([file for file in way.files if file.done()])  # a server that refuses ends it now
        way.files.append(way.threads.submit(put, run, path, content))
    return str(run.info.run_id)


def send_figure(path: str, figure: Figure) -> None:
    """A figure of Matplotlib as a PNG file of the open run, see `send`."""
    content = BytesIO()
    figure.savefig(content, format="png")
    send(path, content.getvalue())


def in_order(run_id: str, task: Callable[[], T]) -> Future[T]:
    """Do a task after all that was written into this run before, and before what comes next.

    At once where a file keeps the run, or where it is none of a stage under way.

    Raises
    ------
    Exception
        That of an earlier task, after which none is done.
    """
    way = _ways.get(run_id)
    if way is None or way.clerk is None:
        done: Future[T] = Future()
        done.set_result(task())
        return done
    _finished([each for each in way.in_order if each.done()])
    begun = way.clerk.submit(way.first, task)
    way.in_order.append(begun)  # type: ignore[arg-type]
    return begun


def arrived(run_id: str) -> None:
    """Wait until all that was written into a run so far is there.

    Raises
    ------
    Exception
        MLflow's, of the first that did not arrive.
    """
    if way := _ways.get(run_id):
        _finished(way.in_order)
        _finished(way.files)


def settled(run_id: str) -> None:
    """Wait until nothing that goes into a run in order is under way, well or not."""
    for each in _ways[run_id].in_order if run_id in _ways else ():
        with suppress(Exception):
            each.result()


def side_by_side(tasks: Sequence[Callable[[], None]]) -> None:
    """Do tasks that have no order: at the same time on a server, one by one in a file.

    Raises
    ------
    Exception
        That of the first that failed, once all have ended.
    """
    if not mlflow.get_tracking_uri().startswith("http"):
        for task in tasks:
            task()
        return
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="side-by-side") as threads:
        _finished([threads.submit(task) for task in tasks])


def _finished(sent: list[Future[T]]) -> None:
    for each in sent:
        each.result()


def put(run: Run, path: str, content: bytes) -> None:
    """A file of a run, there when this returns."""
    place = PurePosixPath(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / place.name
        file.write_bytes(content)
        where = None if place.parent == PurePosixPath() else f"{place.parent}"
        try:
            get_artifact_repository(run.info.artifact_uri).log_artifact(str(file), where)
        except OSError as error:
            error.filename = f"{run.info.artifact_uri}/{path}"  # not of the temporary copy
            raise
