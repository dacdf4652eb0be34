"""Parameters that `mlflow run` wrote down before a stage could look at them.

No password stays among them, and none that was not given.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3

import mlflow

from pipeline.io.tracking.experiment import SQLITE
from pipeline.secrets import holds_password, masked

log = logging.getLogger("pipeline.tracking")


NOT_GIVEN = "''"
"""What `mlflow run` writes of a parameter that MLproject declares and nobody gave."""


def forget_not_given(uri: str, run_id: str) -> None:
    """Take empty parameters out of a run that `mlflow run` opened.

    They say nothing, and a comparison with a run that another door opened would begin with them.
    In a store of this machine alone: a server takes no parameter back.

    Parameters
    ----------
    uri
        Of the tracking store.
    """
    if uri.startswith(SQLITE):
        with _opened(uri) as connection, connection:
            connection.execute(
                "DELETE FROM params WHERE run_uuid = ? AND value = ?", (run_id, NOT_GIVEN)
            )


def mask(uri: str, run_id: str) -> None:
    """Take passwords out of a run's parameters, or say where they stay and how to remove them.

    In a store of this machine the parameters are rewritten and the file without its free pages,
    where the old ones are still to be read. A server changes no parameter.

    Parameters
    ----------
    uri
        Of the tracking store.
    """
    secret = {k: v for k, v in mlflow.get_run(run_id).data.params.items() if holds_password(v)}
    if not secret:
        return
    if not uri.startswith(SQLITE):
        log.warning(
            "tracking: MLflow keeps a password in %s of run %s; change the password, and have the "
            "run removed; the second command where the server's database is, with its "
            "--backend-store-uri and --tracking-uri\n"
            "  next:   mlflow runs delete --run-id %s\n"
            "  next:   mlflow gc --run-ids %s",
            ", ".join(sorted(secret)), run_id, run_id, run_id,
        )  # fmt: skip
        return
    rows = [(masked(value), run_id, key) for key, value in secret.items()]
    with _opened(uri) as connection:
        with connection:
            connection.execute("PRAGMA secure_delete = on")
            connection.executemany(
                "UPDATE params SET value = ? WHERE run_uuid = ? AND key = ?", rows
            )
        connection.execute("VACUUM")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    log.warning(
        "tracking: a password was taken out of %s of run %s; the list of processes showed it, so "
        "change it",
        ", ".join(sorted(secret)), run_id,
    )  # fmt: skip


def _opened(uri: str) -> contextlib.closing[sqlite3.Connection]:
    """The store's file, closed behind the block."""
    return contextlib.closing(sqlite3.connect(uri.removeprefix(SQLITE), timeout=30))
