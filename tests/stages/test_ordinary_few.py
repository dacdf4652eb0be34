"""One symbol alone, from prices to the evening after the next one: nothing late, nothing wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import pytest

from pipeline.config.compose import check, compose
from pipeline.io.store.store import Store
from pipeline.io.tracking import experiment, registered
from pipeline.stages._cli import step
from tests.soak.ordinary import WORLDS, write

FIRST_DAY = ("ingest", "indicators", "regimes", "features", "labels", "quarantine", "status",
             "retrain", "backtest", "promote", "predict")  # fmt: skip
FORCED = ("promote.force=true", "promote.reason=by hand", "signals.unproven_rules=say",
          "strategy.min_edge_bps=-1000")  # fmt: skip


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Runs a stage on the files as they are."""
    monkeypatch.chdir(tmp_path)
    experiment.prepare(f"sqlite:///{tmp_path / 'mlflow.db'}", "Default")
    registered.select("intraday_return_files", "files", moves_challenger=True)
    world = WORLDS["one"]
    words = ["data=files", f"data.path={tmp_path / 'prices'}", "hpo=none", *world.words, *FORCED,
             f"store.path={tmp_path / 'files.db'}",
             f"data.exchange_calendar={world.exchange_calendar}"]  # fmt: skip

    def run(name: str) -> None:
        step(name, import_module(f"pipeline.stages.{name}").run, check(compose(words)))

    return run


@pytest.mark.soak
def test_one_symbol_goes_through_every_stage_and_its_evening_is_scored(
    tmp_path: Path, stage: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    prices = tmp_path / "prices"
    write(prices, WORLDS["one"], 2)
    for name in FIRST_DAY:
        stage(name)
    for without in (2, 1, 0):
        write(prices, WORLDS["one"], without)
        stage("daily")
    said = "".join(capsys.readouterr())
    assert not re.search(r"(?<![\w.-])(?:nan|NaN|NaT|None|inf)(?![\w.-])", said)
    assert said.count("daily result=ok ") == 3
    with Store.open(tmp_path / "files.db") as store:
        outcomes = store.outcomes()
    assert len(outcomes[outcomes["model"] == "1"]) == 2, "the evenings whose sessions are over"
