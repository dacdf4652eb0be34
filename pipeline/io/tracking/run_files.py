"""Files of runs that are read back: recorded by digest, and read only as they were written.

The digests of a run's files are tags of the run, set before a version is registered and at the
run's end: ``files.0`` and so on, each a JSON text of names and digests. A file is found by today's
name or by the one that an older release gave it.
"""

from __future__ import annotations

import json
from collections import defaultdict
from hashlib import blake2b
from io import BytesIO
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.commands import Command
from pipeline.contract import Tags, names_of
from pipeline.errors import Damaged
from pipeline.io.tracking import uploads

FILES_A_TAG = 50
"""So that a tag stays far below the 5,000 characters that MLflow takes."""

MISSING = ("No such", "does not exist", "not found", "404")
"""Parts of what MLflow and its artifact stores say of a file that is not there."""

_written: defaultdict[str, dict[str, str]] = defaultdict(dict)
"""By run of this process, digests by file."""

_taken: defaultdict[str, dict[str, str]] = defaultdict(dict)
"""By run of this process, its tags of digests as `digest_tags` gave them last."""


def log_text(text: str, path: str) -> None:
    """A text as a file of the open run."""
    log_file(path, text.encode())


def log_frame(frame: pd.DataFrame, path: str) -> None:
    """A frame as a Parquet file of the open run."""
    content = BytesIO()
    frame.to_parquet(content)
    log_file(path, content.getvalue())


def log_file(path: str, content: bytes) -> None:
    """A file of the open run."""
    _written[uploads.send(path, content)][path] = _digest(content)


def record_digests(run_id: str) -> None:
    """Keep the digests of what this process wrote into a run, as tags of it, once all is there."""
    uploads.arrived(run_id)
    if tags := digest_tags(run_id):
        listed = [mlflow.entities.RunTag(key, value) for key, value in tags.items()]
        mlflow.MlflowClient().log_batch(run_id, tags=listed)


def digest_tags(run_id: str) -> dict[str, str]:
    """Tags with the digests of what this process wrote into a run, for who writes them now.

    None where nothing was written since they were last taken.
    """
    listed = sorted(_written.get(run_id, {}).items())
    tags = {
        f"{Tags.FILES}{place // FILES_A_TAG}": json.dumps(dict(listed[place : place + FILES_A_TAG]))
        for place in range(0, len(listed), FILES_A_TAG)
    }
    new = {name: value for name, value in tags.items() if _taken[run_id].get(name) != value}
    _taken[run_id] = tags
    return new


def recorded(run: Run) -> dict[str, str]:
    """Digests by file that a run recorded; none of a run of an older release."""
    return {
        path: digest
        for key, value in run.data.tags.items()
        if key.startswith(Tags.FILES)
        for path, digest in json.loads(value).items()
    }


def read_frame(run_id: str, path: str) -> pd.DataFrame:
    """A Parquet file of a run.

    Raises
    ------
    Damaged
        It is not as it was written, or gone.
    """
    content = read_file(run_id, path)
    if content is None:
        raise gone(mlflow.get_run(run_id), path)
    return pd.read_parquet(BytesIO(content))


def read_table(run_id: str, name: str) -> pd.DataFrame:
    """A table of a run, of ``Tables``: what ``runs.log_table`` wrote, to the last bit of a number.

    Raises
    ------
    Damaged
        It is not as it was written, or gone.
    """
    content = read_file(run_id, f"{name}.csv")
    if content is None:
        raise gone(mlflow.get_run(run_id), f"{name}.csv")
    return pd.read_csv(BytesIO(content))


def read_text(run_id: str, path: str) -> str | None:
    """A text of a run; None where the run never had it, as runs of older releases."""
    content = read_file(run_id, path)
    return None if content is None else content.decode()


def read_file(run_id: str, path: str) -> bytes | None:
    """A file of a run, whole and as it was written; None where the run never had it.

    Raises
    ------
    Damaged
        It is not as it was written, or gone.
    """
    uploads.arrived(run_id)
    run = mlflow.get_run(run_id)
    digests = recorded(run) | _written.get(run_id, {})
    for name in sorted(names_of(path), key=lambda name: name not in digests):
        known, content = digests.get(name), _content(run, name)
        if content is None and known is not None:
            raise gone(run, name)
        if content is not None and known not in (None, _digest(content)):
            raise changed(run, name)
        if content is not None:
            return content
    return None


def faults(run: Run) -> list[Damaged]:
    """An error for each file of a run that is gone or not as it was written."""
    contents = {path: (_content(run, path), digest) for path, digest in recorded(run).items()}
    return [
        gone(run, path) if content is None else changed(run, path)
        for path, (content, digest) in contents.items()
        if content is None or _digest(content) != digest
    ]


def gone(run: Run, path: str) -> Damaged:
    """The error of a file that is not there."""
    return _error(run, f"{_place(run, path)} is gone")


def changed(run: Run, path: str) -> Damaged:
    """The error of a file that is not as it was written."""
    return _error(run, f"{_place(run, path)} is damaged: it is not as the run wrote it")


def _place(run: Run, path: str) -> str:
    return f"{path} of run {run.info.run_id} ({run.info.artifact_uri}/{path})"


def _error(run: Run, found: str) -> Damaged:
    stage = run.data.tags.get(Tags.STAGE, "retrain")
    heal = Command(stage) if stage in ("retrain", "backtest", "audit", "signals") else ""
    return Damaged("files", found, "that file put back from a backup, or a new run", heal)


def _content(run: Run, path: str) -> bytes | None:
    try:
        file = mlflow.artifacts.download_artifacts(f"{run.info.artifact_uri}/{path}")
        return Path(file).read_bytes()
    except (MlflowException, OSError) as error:
        if is_missing(error):
            return None
        raise


def is_missing(error: Exception) -> bool:
    """Whether MLflow or an artifact store says that a file is not there."""
    return isinstance(error, FileNotFoundError) or any(part in str(error) for part in MISSING)


def _digest(content: bytes) -> str:
    return blake2b(content, digest_size=16).hexdigest()
