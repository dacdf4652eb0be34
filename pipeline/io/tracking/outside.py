"""Faults of MLflow's server, database and artifacts, kind by kind, in words."""

from __future__ import annotations

import logging
import os
import re
import ssl
import urllib.request
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import SplitResult, urlsplit

from mlflow.exceptions import MlflowException

from pipeline.commands import Command
from pipeline.errors import Next, NotReady, PipelineError
from pipeline.io import outside
from pipeline.io.outside import Broken
from pipeline.secrets import masked

log = logging.getLogger("pipeline.tracking")

UNANSWERED = (MlflowException, OSError)
"""What MLflow raises of a registry that does not answer for a while."""

REACH_SECONDS = 5.0
ANSWER_SECONDS = 15.0
PORTS = {"http": 80, "https": 443}

LOGIN = "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD of a user who may do this, exported"
RESTORE_RUN = "mlflow runs restore --run-id {}"
RESTORE = "mlflow experiments restore --experiment-id {}"
KINDS: tuple[tuple[str, str, str, Next], ...] = (
    (r"error code 401|unauthori[sz]ed|not authenticated", "the MLflow server asks for a login",
     LOGIN, ""),
    (r"error code 403|permission denied", "the MLflow server does not let this user do that",
     LOGIN, ""),
    (r"max retries exceeded|connection refused|connection aborted|timed out|failed to resolve",
     "the MLflow server does not answer", "the server running, or MLFLOW_TRACKING_URI unset",
     Command("status")),
    (r"out-of-date database schema|can't locate revision",
     "the MLflow database was written by another version of MLflow",
     "a copy of it kept, then `mlflow db upgrade` with its address; or the version that wrote it",
     "mlflow db upgrade sqlite:///mlflow.db"),
    (r"error code 50[0234]|internal server error|service unavailable",
     "the MLflow server failed", "its log looked at: its disk may be full", Command("status")),
    (r"(no such artifact|artifact.*(not found|does not exist)|no such file)",
     "a file of a run is missing", "it put back from a backup, or made again by a new retrain",
     Command("retrain")),
)  # fmt: skip
"""Patterns of MLflow's messages; what they say, what is needed, what to run next."""


def explained(who: str, error: BaseException) -> PipelineError | None:
    """The fault outside of this code behind an error, in words; None: it is one of this code."""
    if isinstance(error, PipelineError):
        return error
    for cause in outside.chain(error):
        if isinstance(cause, MlflowException):
            known = _of_mlflow(who, cause) or outside.explained(who, cause)
            if known is not None:
                return known
    machine = outside.explained(who, error)
    if machine is not None:
        return machine
    for cause in outside.chain(error):  # of the libraries that MLflow reaches servers with
        if type(cause).__module__.startswith(("requests.", "urllib3.", "botocore.", "alembic.")):
            return _by_text(who, f"{cause}")
    return None


def _of_mlflow(who: str, error: MlflowException) -> PipelineError | None:
    text = str(error)
    deleted = re.search(r"run '?([0-9a-f]{32})'? must be in the 'active' state", text, re.I)
    if deleted:
        needed = "the run restored"
        restore = RESTORE_RUN.format(deleted[1])
        return NotReady(who, f"the run {deleted[1]} was deleted", needed, restore)
    gone = re.search(
        r"(?:experiment '?(\w+)'? must be in the 'active'|deleted experiment)", text, re.I
    )
    if gone:
        restore = RESTORE.format(gone[1] or "<its id>")
        return NotReady(who, f"an experiment was deleted: {text}", "it restored", restore)
    if re.search(
        r"Run with id=?\s?'?[0-9a-f]{32}'? not found|No such run|Run '.*' not found", text
    ):
        return NotReady(
            who, f"a run is gone: {text}", "it restored by a backup, or a new model",
            Command("retrain"),
        )  # fmt: skip
    return _by_text(who, text)


def _by_text(who: str, text: str) -> PipelineError | None:
    for pattern, found, needed, following in KINDS:
        if re.search(pattern, text, re.IGNORECASE):
            first = masked(text.strip().splitlines()[0])[:300]
            return Broken(who, f"{found}: {first}", needed, following)
    return None


def require_answer(uri: str) -> None:
    """Find out within seconds that a server is not there, or silent: MLflow goes on trying.

    Any answer to a question without a login will do: what it means, MLflow knows.

    Raises
    ------
    NotReady
        Nothing listens at its address, or what listens says nothing for `ANSWER_SECONDS`.
    """
    address = urlsplit(uri)
    if address.scheme not in PORTS or not address.hostname:
        return
    proxies = urllib.request.getproxies()
    if address.scheme in proxies and not urllib.request.proxy_bypass(address.hostname):
        return  # what the proxy reaches, it alone knows
    try:
        _ask(address)
    except (OSError, HTTPException) as error:
        raise NotReady(
            "tracking",
            f"the MLflow server at {masked(uri)} does not answer: {error}",
            "the server running, or MLFLOW_TRACKING_URI unset",
            Command("status"),
        ) from None


def _ask(address: SplitResult) -> None:
    """One question about the health of a server, whose certificate is not looked at here."""
    place = (address.hostname or "", address.port or PORTS[address.scheme])
    if address.scheme == "https":
        anybody = ssl.create_default_context()
        anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
        connection: HTTPConnection = HTTPSConnection(*place, timeout=REACH_SECONDS, context=anybody)
    else:
        connection = HTTPConnection(*place, timeout=REACH_SECONDS)
    with closing(connection), suppress(ssl.SSLError):  # a server that wants a certificate is there
        connection.connect()
        connection.sock.settimeout(ANSWER_SECONDS)
        connection.request("GET", f"{address.path.rstrip('/')}/health")
        connection.getresponse()


def ignore_experiment_of_shell(name: str) -> None:
    """Take a name of an experiment out of the environment: MLflow would refuse it beside an id."""
    other = os.environ.pop("MLFLOW_EXPERIMENT_NAME", None)
    if other not in (None, name):
        log.warning(
            "tracking: MLFLOW_EXPERIMENT_NAME=%s is not used; tracking.experiment_name=%s decides",
            other, name,
        )  # fmt: skip
