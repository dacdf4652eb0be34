"""An MLflow server with logins, on a free port of this machine."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.server import get_app_client

ADMIN = "admin"
LOGINS = """[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = admin
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""


@dataclass
class TrackingServer:
    """Everybody may read everything, and change what they made or were let to.

    Attributes
    ----------
    store
        Address of its database.
    environment
        What it needs to reach that.
    """

    folder: Path
    store: str
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=lambda: {ADMIN: secrets.token_hex(12)})
    process: subprocess.Popen | None = None

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        (self.folder / "auth.ini").write_text(LOGINS.format(folder=self.folder))
        words = [sys.executable, "-W", "ignore", "-m", "mlflow", "server"]
        words += ["--app-name", "basic-auth", "--workers", "1", "--port", str(self.port)]
        words += ["--backend-store-uri", self.store]
        words += ["--artifacts-destination", str(self.folder / "artifacts")]
        own = {
            "MLFLOW_AUTH_CONFIG_PATH": str(self.folder / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.passwords[ADMIN],
            "MLFLOW_FLASK_SERVER_SECRET_KEY": "of these tests alone",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                words, env={**os.environ, **self.environment, **own}, stdout=log, stderr=log,
                cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        wait_until_up(f"{self.uri}/health")

    def kill(self) -> None:
        """All of its processes at once, as a lost machine would."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def login(self, user: str) -> dict[str, str]:
        """What a user exports."""
        return {
            "MLFLOW_TRACKING_URI": self.uri,
            "MLFLOW_TRACKING_USERNAME": user,
            "MLFLOW_TRACKING_PASSWORD": self.passwords[user],
        }

    @contextmanager
    def as_user(self, user: str) -> Iterator[MlflowClient]:
        """MLflow in this process, logged in."""
        with pytest.MonkeyPatch.context() as patched:
            for name, value in self.login(user).items():
                patched.setenv(name, value)
            yield MlflowClient(self.uri, self.uri)

    def add_users(self, *names: str) -> None:
        """Let people in."""
        with self.as_user(ADMIN):
            for name in names:
                self.passwords[name] = secrets.token_hex(12)
                get_app_client("basic-auth", self.uri).create_user(name, self.passwords[name])

    def let_change(self, name: str) -> None:
        """Let somebody write into all experiments and move the aliases of all models."""
        with self.as_user(ADMIN) as client:
            admin = get_app_client("basic-auth", self.uri)
            for each in client.search_experiments():
                admin.grant_user_permission(name, "experiment", each.experiment_id, "EDIT")
            for model in client.search_registered_models():
                admin.grant_user_permission(name, "registered_model", model.name, "EDIT")


def wait_until_up(address: str, seconds: float = 120.0) -> None:
    """Until something answers there."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            urllib.request.urlopen(address, timeout=1).close()
        except OSError:
            time.sleep(0.3)
        else:
            return
    raise TimeoutError(address)
