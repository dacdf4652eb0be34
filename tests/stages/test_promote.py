"""Promotion as a stage: old evidence is none, the champion is compared with, looks are counted."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.contract import Aliases, Artifacts, Tags
from pipeline.errors import NotReady, Refused
from pipeline.io.store.backup import back_up, restore
from pipeline.io.tracking import champion, experiment, registered, registry, runs
from pipeline.io.tracking.books import logged_net_returns
from pipeline.io.tracking.evidence import Evidence
from pipeline.io.tracking.identity import logged_identity
from pipeline.io.tracking.looks import logged_looks
from pipeline.learning.dataset import Dataset
from pipeline.recipe.decision import forecast_columns
from pipeline.serving.learned import learned_metrics
from pipeline.serving.promotion import evidence_metrics, with_live_sessions
from pipeline.serving.versions import sessions_of, trained_until
from pipeline.serving.versions import stored as stored_predictions
from pipeline.stages import (
    backtest,
    features,
    indicators,
    labels,
    promote,
    regimes,
    retrain,
    rollback,
    signals,
    status,
)
from pipeline.stages._cli import step
from pipeline.stats.overfitting import deflated_sharpe_by_looks
from pipeline.workspace import Workspace
from tests.stages.conftest import Project
from tests.stages.stocked import QUICK, asked_to_promote, bars, configured, newest
from tests.workspaces import delivery

TRADING = ("retrain.holdout_days=100", "strategy.min_edge_bps=0")
"""Enough sessions for evidence, and trades in them."""

AGE = 15
"""Sessions that came after those of the first version."""


@pytest.fixture(scope="module")
def first(stocked: Path) -> Path:
    """A folder whose store went on for some sessions after its only version was made."""
    sessions = bars().index.get_level_values("session").unique().sort_values()
    end = f"{sessions[-1 - AGE]:%Y-%m-%d}"
    step("retrain", retrain.run, configured(stocked, *TRADING, f"retrain.end={end}"))
    assert newest("retrain").data.metrics["backtest/looks"] == 1
    return stocked


@pytest.fixture(scope="module")
def rivals(first: Path) -> Path:
    """The same with that version as champion, and a challenger on all sessions."""
    forced = ("promote.force=true", "promote.reason=test", "promote.version=1")
    step("promote", promote.run, configured(first, *TRADING, *forced))
    step("retrain", retrain.run, configured(first, *TRADING))
    return first


@pytest.mark.parametrize(("max_age", "counts"), [(AGE, True), (AGE - 1, False)])
def test_evidence_counts_up_to_its_age_limit(first: Path, max_age: int, counts: bool) -> None:
    sessions = newest("retrain").data.metrics["backtest/sessions"]
    limit = f"gates.evidence_max_age_sessions={max_age}"
    gates = asked_to_promote(
        configured(first, *TRADING, limit, "promote.version=1", "promote.reason=test")
    )
    assert sessions >= 60
    assert gates.loc["min_sessions", "value"] == (sessions if counts else 0)
    assert (gates.loc["deflated_sharpe", "answer"] == "not enough evidence") is not counts


def test_a_challenger_is_compared_with_the_champion(rivals: Path) -> None:
    assert str(registry.find(Aliases.CHAMPION, who="test").version) == "1"
    compared = asked_to_promote(configured(rivals, *TRADING)).loc["not_worse_than_champion"]
    assert compared["answer"] in ("pass", "fail")
    assert compared["decides"] == "yes"
    assert 0.0 < compared["value"] < 1.0


def test_a_retrain_on_sessions_that_were_looked_at_is_another_look(rivals: Path) -> None:
    earlier, run = MlflowClient().get_model_version("intraday_return", "1"), newest("retrain")
    (share,) = logged_looks(run.info.run_id).values()
    assert 0.5 < share < 1.0  # of its sessions the earlier one saw all but the newest
    assert run.data.metrics["backtest/looks"] == 1.0 + share
    assert (
        run.data.metrics["backtest/deflated_sharpe"]
        < run.data.metrics["backtest/probabilistic_sharpe"]
    )
    assert list(logged_looks(run.info.run_id)) == [earlier.run_id]


def test_looks_after_the_evidence_deflate_it_too(rivals: Path) -> None:
    """The second version was seen after the evidence of the first, on most of its sessions."""
    finished = "tags.stage = 'retrain' and attributes.status = 'FINISHED'"
    first, second = runs.search(finished, newest=2)[::-1]
    sessions = sessions_of(runs.read_frame(first.info.run_id, Artifacts.PREDICTIONS))
    seen = float((sessions >= second.data.tags[Tags.HOLDOUT_START]).mean())
    settings = configured(rivals, *TRADING)
    with Workspace.open(settings) as workspace:
        metrics = evidence_metrics(workspace, Evidence.of(first), settings.gates)

    assert 0.5 < seen < 1.0
    net = logged_net_returns(first.info.run_id)
    assert metrics["backtest/looks"] == 1.0 + seen
    assert metrics["backtest/deflated_sharpe"] == deflated_sharpe_by_looks(net, 1.0 + seen)
    for name in ("backtest/deflated_sharpe", "backtest/residual_deflated_sharpe"):
        assert metrics[name] < first.data.metrics[name]
    assert len(pd.Series(metrics).compare(pd.Series(first.data.metrics))) == 3


def test_status_tells_the_looks_though_the_store_forgot_them(
    rivals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configured(rivals, *TRADING)

    def told() -> str:
        with contextlib.suppress(NotReady):
            step("status", status.run, settings)
        return next(line for line in capsys.readouterr().out.splitlines() if "looks " in line)

    assert "2 different results on sessions" in told()
    with contextlib.closing(sqlite3.connect(settings.store.path)) as store:
        store.execute("DELETE FROM looks")
        store.commit()
    assert "2 different results on sessions" in told()


def test_of_evidence_that_nobody_looked_at_since_nothing_changes(rivals: Path) -> None:
    run = newest("retrain")
    settings = configured(rivals, *TRADING)
    with Workspace.open(settings) as workspace:
        assert evidence_metrics(workspace, Evidence.of(run), settings.gates) == run.data.metrics


def test_sessions_since_the_training_end_are_compared_too(rivals: Path) -> None:
    """The first version as the challenger of its heir: both forecast the sessions it lacks."""
    settings = configured(rivals, *TRADING)
    old, new = (registry.find(number, who="test") for number in (1, 2))
    with Workspace.open(settings) as workspace:
        stored = forecast_columns(stored_predictions(old))
        more = with_live_sessions(workspace, old, stored)
        ready = workspace.store.label_ready_sessions()
        unchanged = forecast_columns(stored_predictions(new))
        assert with_live_sessions(workspace, new, unchanged) is unchanged

    live = sessions_of(more).difference(sessions_of(stored))
    assert len(live) == AGE
    assert live.equals(ready[ready > trained_until(old)])
    assert more["prediction"].notna().all()


def test_overridden_gates_need_a_reason_which_is_recorded_with_the_thresholds(
    rivals: Path,
) -> None:
    easy = ("gates.min_sessions=7", "promote.version=2")
    with pytest.raises(Refused, match=r"min_sessions: 7 \(as shipped: 60\)"):
        step("promote", promote.run, configured(rivals, *TRADING, *easy))
    reasoned = ("promote.reason=wanted", "promote.force=true")
    step("promote", promote.run, configured(rivals, *TRADING, *easy, *reasoned))
    held = registry.find(Aliases.CHAMPION, who="test")
    assert int(held.version) == 2
    assert held.tags["champion.forced"].lower() == "true"
    assert held.tags["champion.reason"] == "wanted"
    assert "min_sessions: 7 (as shipped: 60)" in held.tags["gates_overridden"]


def told(stage: ModuleType, folder: Path, *overrides: str) -> str:
    """The next command of a stage that says what was deleted."""
    with pytest.raises(NotReady, match="deleted") as refused:
        run_of(stage, folder, *overrides)
    return refused.value.next_command


def run_of(stage: ModuleType, folder: Path, *overrides: str) -> None:
    chosen = configured(folder, *TRADING, "signals.max_stale_fraction=0.5", *overrides)
    step(stage.__name__.rpartition(".")[2], stage.run, chosen)


def twin_of_first() -> str:
    """Another version of the first one's model and run."""
    client, name = MlflowClient(), registered.name()
    first = client.get_model_version(name, "1")
    own = {key: text for key, text in first.tags.items() if not key.startswith("champion")}
    made = client.create_model_version(name, str(first.source), first.run_id, tags=own)
    return str(made.version)


FORCED = ("promote.force=true", "promote.reason=test")


def test_a_deleted_run_is_told_by_each_stage_with_the_command_that_restores_it(
    rivals: Path,
) -> None:
    run_id = registry.find(Aliases.CHAMPION, who="test").run_id
    MlflowClient().delete_run(run_id)
    restored = f"mlflow runs restore --run-id {run_id}"
    assert told(signals, rivals) == restored
    assert told(backtest, rivals, "backtest.model=champion") == restored
    assert told(promote, rivals, "promote.version=2") == restored
    assert told(promote, rivals, "promote.version=1") == restored  # compared with the champion
    MlflowClient().restore_run(run_id)
    run_of(signals, rivals)


def test_promotions_at_once_are_each_compared_with_the_champion_they_replace(
    rivals: Path,
) -> None:
    """By the real command; which one is first is left to chance."""
    numbers, before = ("1", twin_of_first()), len(champion.history())
    project = Project(Path(mlflow.get_tracking_uri().removeprefix("sqlite:///")).parent)
    words = [f"store.path={rivals / 'sample.db'}", "features=classic", *QUICK, *TRADING, *FORCED]

    def promoted(number: str) -> tuple[int, str]:
        done = project.python("promote", *words, f"promote.version={number}", code=None)
        return done.returncode, done.stdout + done.stderr

    with ThreadPoolExecutor() as pool:
        answers = dict(zip(numbers, pool.map(promoted, numbers), strict=True))
    assert all(
        code == 0 or (code == 1 and "champion was moved to version" in said)
        for code, said in answers.values()
    ), answers
    moves = champion.history()
    assert len(moves) - before == [code for code, _ in answers.values()].count(0) > 0
    assert int(registry.find(Aliases.CHAMPION, who="test").version) == moves[-1].version
    for earlier, move in list(pairwise(moves))[before - 1 :]:
        assert move.previous == earlier.version
        compared = f"out of sample for version {move.version} and for the champion, version"
        assert f"{compared} {move.previous}" in answers[str(move.version)][1]


def test_a_deleted_champion_is_told_by_each_stage_with_who_can_take_its_place(
    rivals: Path,
) -> None:
    client, name, number = MlflowClient(), registered.name(), twin_of_first()
    run_of(promote, rivals, *FORCED, f"promote.version={number}")
    client.delete_model_version(name, number)
    assert "-e rollback" in told(signals, rivals)
    assert "-e rollback" in told(backtest, rivals, "backtest.model=champion")
    run_of(rollback, rivals)
    run_of(signals, rivals)
    client.delete_registered_model_alias(name, Aliases.CHALLENGER)
    with pytest.raises(NotReady, match="no model 'challenger'") as refused:
        run_of(promote, rivals)
    client.set_registered_model_alias(name, Aliases.CHALLENGER, "2")
    newest_version = registry.versions()[0].version
    assert f"promote.version={newest_version}" in refused.value.next_command
    run_of(promote, rivals, *FORCED, "promote.version=2")


def test_orders_follow_the_rules_that_were_evidenced_or_are_refused(
    rivals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fresh = "signals.max_stale_fraction=0.5"
    other = configured(rivals, *TRADING, fresh, "backtest.max_positions=2")
    with pytest.raises(Refused, match="max_positions is 2, its evidence has 10"):
        step("signals", signals.run, other)
    said = configured(rivals, *TRADING, fresh, "backtest.max_positions=2",
                      "signals.unproven_rules=say")  # fmt: skip
    step("signals", signals.run, said)
    assert "max_positions is 2, its evidence has 10" in capsys.readouterr().out


def test_nothing_made_of_other_bars_is_traded_promoted_or_served(
    rivals: Path, tmp_path: Path
) -> None:
    """A bar is corrected, and a backup is put back beside what was made since; the last test."""
    chosen = configured(rivals, *TRADING, "signals.max_stale_fraction=0.5", "promote.version=1",
                        "promote.force=true", "promote.reason=test")  # fmt: skip
    made_again = (indicators, regimes, features, labels)

    def assert_refused(*stages: ModuleType) -> None:
        for stage in stages:
            name = stage.__name__.rpartition(".")[2]
            with pytest.raises(NotReady, match="do not belong to the bars") as caught:
                step(name, stage.run, chosen)
            assert "mlflow run . -e indicators && mlflow run" in caught.value.next_command

    def make_again() -> None:
        for stage in made_again:
            step(stage.__name__.rpartition(".")[2], stage.run, chosen)

    back_up(chosen.store.path, tmp_path / "backup.db")
    corrected = bars()
    corrected.loc[corrected.index[-2000], "close"] *= 1.001
    with Workspace.open(chosen) as workspace:
        workspace.store.write_bars(delivery(corrected))
    assert_refused(signals, backtest, promote)
    make_again()
    step("backtest", backtest.run, chosen)
    step("signals", signals.run, chosen)

    restore(tmp_path / "backup.db", chosen.store.path)
    with pytest.raises(NotReady, match=r"features from .* changed since"):
        step("signals", signals.run, chosen)
    make_again()
    step("signals", signals.run, chosen)


def test_a_retrain_in_a_copied_project_writes_nothing_into_the_original(
    rivals: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Store, snapshots, runs, models and registry stay byte for byte as they were.

    The retrain says which of its gates are overridden.
    """
    tracked = Path(mlflow.get_tracking_uri().removeprefix("sqlite:///")).parent
    copied = [Path(shutil.copytree(folder, tmp_path / folder.name)) for folder in (rivals, tracked)]
    before = contents(rivals) | contents(tracked)
    original, last = mlflow.get_tracking_uri(), registry.versions()[0]
    try:
        experiment.prepare(f"sqlite:///{copied[1] / 'mlflow.db'}", "daytrade")
        with caplog.at_level("WARNING"):
            run_of(retrain, copied[0], "seed=8", "gates.min_sessions=7")
        told = "min_sessions: 7 (as shipped: 60)"
        assert newest("retrain").data.tags["gates_overridden"] == told
        assert told in caplog.text
        run_of(promote, copied[0], *FORCED)
        run_of(signals, copied[0])
        made = registry.find(Aliases.CHAMPION, who="test")
        assert int(made.version) > int(last.version)
        assert mlflow.get_run(made.run_id).info.artifact_uri.startswith(str(copied[1]))
        assert mlflow.get_run(last.run_id).info.artifact_uri.startswith(str(copied[1]))
        after = contents(rivals) | contents(tracked)
    finally:
        experiment.prepare(original, "daytrade")
    assert after.keys() == before.keys()
    assert [file for file, content in before.items() if content != after[file]] == []


def contents(folder: Path) -> dict[str, bytes]:
    """All files, but for what SQLite shares between processes that have a database open."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".db-shm")
    return {str(file): file.read_bytes() for file in files}


def test_what_a_version_learned_from_is_held_against_its_digest(
    rivals: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it was; another label of one row; and a version that names the rows of another."""
    settings = configured(rivals, *TRADING)
    version = registry.find("1", who="test")
    identity = logged_identity(str(version.run_id))
    assert identity is not None
    with Workspace.open(settings) as workspace:
        same = learned_metrics(workspace, version, identity, reads_rows=True)
        assert same == {"version/data_agreement": 1.0, "version/learned_unchanged": 1.0}

        unread = learned_metrics(workspace, version, identity, reads_rows=False)
        assert unread == {"version/data_agreement": 1.0}

        whole = Workspace.dataset

        def mended(space: Workspace, *asked: Any) -> Dataset:
            dataset = whole(space, *asked)
            dataset.features.iloc[0, 0] += 1.0
            return dataset

        with monkeypatch.context() as patch:
            patch.setattr(Workspace, "dataset", mended)
            changed = learned_metrics(workspace, version, identity, reads_rows=True)
        assert changed == same | {"version/learned_unchanged": 0.0}

        other = identity.model_copy(update={"learned_digest": "that of other rows"})
        assert learned_metrics(workspace, version, other, reads_rows=True) == {
            "version/data_agreement": 0.0,
            "version/learned_unchanged": 0.0,
        }
