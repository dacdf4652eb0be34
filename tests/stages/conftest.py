"""Stages are tested through the real commands, each project folder with stores of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

from pipeline.io.lock import writer_lock
from pipeline.io.tracking import experiment, later
from pipeline.stages._cli import DATA_STAGES
from tests import mlflow_tables
from tests.stages import warm
from tests.stages.stocked import filled

ROOT = Path(__file__).resolve().parents[2]
mlflow_tables.by_copy()


@dataclass(frozen=True)
class Project:
    """A folder with its own MLflow store, prices and snapshots, and the commands run on them.

    Commands take the 27 features of the classic set, an eighth of the work of the default one,
    unless they name another; the default set is what CI's main command runs on.
    """

    folder: Path

    @property
    def uri(self) -> str:
        return f"sqlite:///{self.folder / 'mlflow.db'}"

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.uri, self.uri)

    @property
    def environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTEST_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        quiet = {"MLFLOW_DISABLE_TELEMETRY": "true"}
        return kept | quiet | {"MLFLOW_TRACKING_URI": self.uri, "PATH": path}

    def own(self, overrides: tuple[str, ...]) -> list[str]:
        """The overrides with this folder's store and few features, unless they name others."""
        usual = {"features": "classic", "store.path": f"{self.folder / 'sample.db'}"}
        named = {word.partition("=")[0] for word in overrides}
        return [*overrides, *(f"{key}={usual[key]}" for key in usual if key not in named)]

    def python(
        self, stage: str, *overrides: str, code: int | None = 0
    ) -> subprocess.CompletedProcess[str]:
        """`python -m pipeline.stages.<stage>`, and its exit code."""
        name = f"pipeline.stages.{stage}"
        done = warm.module(name, self.own(overrides), ROOT, self.environment, timeout=1800)
        return self._ended(done, code)

    def mlflow_run(
        self, stage: str, overrides: str = "", code: int | None = 0, **named: str
    ) -> subprocess.CompletedProcess[str]:
        """`mlflow run . -e <stage>`, with the overrides as one string as a person types it."""
        text = f"{overrides} features=classic store.path={self.folder / 'sample.db'}"
        words = ["mlflow", "run", ".", "-e", stage, "--env-manager", "local"]
        for name, value in {**named, "overrides": text}.items():
            words += ["-P", f"{name}={value}"]
        return self._called(words, code)

    def start(self, stage: str, *overrides: str) -> subprocess.Popen[str]:
        """The same as `python`, under way."""
        return subprocess.Popen(
            [sys.executable, "-m", f"pipeline.stages.{stage}", *self.own(overrides)],
            cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def _called(self, words: list[str], code: int | None) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            words, cwd=ROOT, env=self.environment, text=True, capture_output=True, timeout=1800
        )
        return self._ended(done, code)

    @staticmethod
    def _ended(
        done: subprocess.CompletedProcess[str], code: int | None
    ) -> subprocess.CompletedProcess[str]:
        if code is not None:
            assert done.returncode == code, done.stdout + done.stderr
        return done

    def runs(self, stage: str, where: str = "") -> list[Run]:
        """Runs of a stage, newest first."""
        query = f"tags.stage = '{stage}'" + (f" and {where}" if where else "")
        return list(self.client.search_runs(["0"], query, order_by=["attributes.start_time DESC"]))

    def newest(self, stage: str) -> Run:
        return self.runs(stage)[0]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project."""
    return Project(tmp_path)


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after every data stage on the sample, made once for all workers; not changed."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    made, done = Project(folder / "sample"), folder / "sample" / "done"
    with writer_lock(folder / "sample.lock", "a test", timeout_seconds=600):
        if not done.exists():
            made.folder.mkdir()
            for stage in DATA_STAGES:
                made.python(stage)
            done.touch()
    return made


@pytest.fixture
def with_sample(project: Project, sample: Project) -> Project:
    """A project of its own with the prices of the sample and all results; no run, no model."""
    return copied(sample, project.folder)


def copied(project: Project, folder: Path) -> Project:
    """A project's prices and results in another folder; without its runs and models."""
    for name in ("sample.db", "snapshots"):
        source = project.folder / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    return Project(folder)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `mlflow run . -e main` with the quick experiment."""
    made = Project(tmp_path_factory.mktemp("finished"))
    made.mlflow_run("main", "experiment=quick")
    return made


@pytest.fixture(scope="module")
def mlflow_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One MLflow store for stages that a module calls itself; its address is taken back."""
    with pytest.MonkeyPatch.context() as patched:
        uri = f"sqlite:///{tmp_path_factory.mktemp('mlflow') / 'mlflow.db'}"
        patched.setenv("MLFLOW_TRACKING_URI", uri)
        patched.setenv("MLFLOW_EXPERIMENT_ID", "0")
        before = mlflow.get_tracking_uri()
        experiment.prepare(uri, "daytrade")
        yield
        mlflow.set_tracking_uri(before)


@pytest.fixture(scope="module")
def stocked(tmp_path_factory: pytest.TempPathFactory, mlflow_store: None) -> Path:
    """A folder with a store that every data stage has filled."""
    return filled(tmp_path_factory.mktemp("stocked"))


@pytest.fixture
def metrics(mlflow_store: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, float]]:
    """What a stage called inside the test logs, inside an open run."""
    logged: dict[str, float] = {}
    monkeypatch.setattr(later, "log_later", logged.update)
    with mlflow.start_run():
        yield logged
