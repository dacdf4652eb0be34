"""Files of a stage's run: at once into a folder, several at a time onto a server.

A file onto a far server is a request that mostly waits, and a retrain writes dozens. So they are on
their way while the stage goes on; `arrived` waits for them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.utils.uri import is_local_uri

AT_A_TIME = 8


@dataclass(frozen=True)
class _Way:
    threads: ThreadPoolExecutor
    files: list[Future[None]] = field(default_factory=list)


_ways: dict[str, _Way] = {}
"""By run of a stage under way whose files a server keeps."""


@contextmanager
def sent_meanwhile(run: Run) -> Iterator[None]:
    """Let `send` of this run go on at once while the block runs; all files are there at its end.

    Where the block fails, what has not begun its way stays behind.
    """
    if is_local_uri(run.info.artifact_uri):
        yield
        return
    with ThreadPoolExecutor(AT_A_TIME, thread_name_prefix="run-files") as threads:
        _ways[run.info.run_id] = _Way(threads)
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
    if way is None:
        _put(run, path, content)
    else:
        _finished([file for file in way.files if file.done()])  # a server that refuses ends it now
        way.files.append(way.threads.submit(_put, run, path, content))
    return str(run.info.run_id)


def arrived(run_id: str) -> None:
    """Wait until all files sent so far are there.

    Raises
    ------
    Exception
        MLflow's, of the first that did not arrive.
    """
    if run_id in _ways:
        _finished(_ways[run_id].files)


def _finished(files: list[Future[None]]) -> None:
    for file in files:
        file.result()


def _put(run: Run, path: str, content: bytes) -> None:
    place = PurePosixPath(path)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / place.name
        file.write_bytes(content)
        where = None if place.parent == PurePosixPath() else f"{place.parent}"
        try:
            MlflowClient().log_artifact(run.info.run_id, str(file), where)
        except OSError as error:
            error.filename = f"{run.info.artifact_uri}/{path}"  # not of the temporary copy
            raise
