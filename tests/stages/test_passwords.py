"""A password typed into an override is nowhere in a project after the command."""

from __future__ import annotations

import socket
import time

import psutil
import pytest
from mlflow import MlflowClient

from pipeline import commands
from pipeline.errors import InvalidSettings
from pipeline.stages import _cli
from tests.ports import free_port
from tests.stages.conftest import Project

SECRET = "hunter2"
ADDRESS = f'tracking.uri="http://me:{SECRET}@host"'


@pytest.mark.soak
def test_no_file_of_the_project_holds_it_after_mlflow_run(project: Project) -> None:
    done = project.mlflow_run("status", f"'{ADDRESS}'", code=1)
    assert "MLFLOW_TRACKING_PASSWORD" in done.stderr
    assert "a password was taken out of overrides" in done.stdout
    (run,) = project.client.search_runs(["0"])
    assert "http://***@host" in run.data.params["overrides"]
    files = [file for file in project.folder.rglob("*") if file.is_file()]
    assert project.folder / "mlflow.db" in files
    assert not [file for file in files if SECRET.encode() in file.read_bytes()]


def test_the_run_that_mlflow_opened_before_holds_none(
    mlflow_store: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = MlflowClient()
    run_id = client.create_run("0").info.run_id
    client.log_param(run_id, "overrides", f"'{ADDRESS}'")
    monkeypatch.setenv(commands.RUN_ID, run_id)
    monkeypatch.setattr("sys.argv", ["status"])
    with pytest.raises(InvalidSettings, match="MLFLOW_TRACKING_PASSWORD"):
        _cli._called("status", lambda _: None, ["--overrides", f"'{ADDRESS}'"], False)
    assert "http://***@host" in client.get_run(run_id).data.params["overrides"]


def test_hydra_writes_no_sweep_down_that_holds_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["status"])
    for typed in (["-m", ADDRESS, "seed=1,2"], ["--overrides", f"-m seed=1,2 {ADDRESS}"]):
        with pytest.raises(InvalidSettings, match="a sweep over overrides with a password"):
            _cli._called("status", lambda settings: pytest.fail("was run"), typed, False)


@pytest.mark.soak
def test_no_process_of_the_ui_shows_the_address_of_the_store(project: Project) -> None:
    """It may hold a password, and everybody sees the list of processes."""
    port = free_port()
    started = project.start("ui", f"ui.port={port}")
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and started.poll() is None:
            shown = [" ".join(each.cmdline()) for each in psutil.Process(started.pid).children()]
            if any(f"--port {port}" in words for words in shown) and _answers(port):
                break
            time.sleep(0.2)
        processes = psutil.Process(started.pid).children(recursive=True)
        shown = [" ".join(each.cmdline()) for each in processes]
        assert len(shown) >= 2, shown
        assert not [words for words in shown if str(project.folder / "mlflow.db") in words]
    finally:
        for each in psutil.Process(started.pid).children(recursive=True):
            each.kill()
        started.kill()
        started.wait()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def test_an_interrupted_command_is_repeated_without_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sys.argv", ["status", ADDRESS])
    monkeypatch.setattr(_cli, "_called", interrupted)
    monkeypatch.setattr(_cli.signal, "signal", lambda *_: None)
    monkeypatch.setattr(_cli, "_prepare_process", lambda: None)
    with pytest.raises(SystemExit):
        _cli.command("status", interrupted)
    said = capsys.readouterr().err
    assert "the same command goes on" in said
    assert "http://***@host" in said
    assert SECRET not in said
