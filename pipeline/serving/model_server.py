"""A model server that runs as long as its version may trade, and ends with all that it started."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable

from pipeline.errors import NotReady
from pipeline.io import process
from pipeline.io.tracking.outside import UNANSWERED

log = logging.getLogger("pipeline.serve")

LOOK_SECONDS = 30.0
"""How long a version that was stopped goes on answering at most."""


def attend(
    server: subprocess.Popen[bytes], check: Callable[[], None], seconds: float = LOOK_SECONDS
) -> None:
    """Wait for a server, look every so often whether it may go on, and leave none of it behind.

    Parameters
    ----------
    check
        Raises where it may not. A registry that is silent for a while ends nothing.
    seconds
        From look to look.

    Raises
    ------
    Refused
        What `check` raised; the server has ended.
    NotReady
        The server ended by itself.
    """
    started = process.family(server.pid)
    try:
        while True:
            try:
                code = server.wait(seconds)
                break
            except subprocess.TimeoutExpired:
                started = process.family(server.pid) or started
                _look(check)
    finally:
        # Its worker outlives it, so the ones last seen are ended too.
        process.end({*started, *process.family(server.pid)})
    if code:
        raise NotReady(
            "serve", f"the model server ended by itself with code {code}",
            "the fault named above corrected; usually the port is in use (serve.port)",
        )  # fmt: skip


def _look(check: Callable[[], None]) -> None:
    try:
        check()
    except UNANSWERED as error:
        log.warning("serve: the registry did not answer, it will be queried again: %s", error)
