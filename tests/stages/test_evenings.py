"""Evening after evening: forecasts sealed, scored, judged; a champion stopped and resumed."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.errors import Refused
from pipeline.io.tracking import life, registered, registry, runs
from pipeline.monitor.health import STOP
from pipeline.serving import routine
from pipeline.stages import (
    features,
    indicators,
    labels,
    morning,
    predict,
    promote,
    reconcile,
    regimes,
    retrain,
    score,
    signals,
)
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.stages.stocked import SYMBOLS, bars, configured
from tests.workspaces import delivery

FIRST = 252
"""Sessions that are there before the first evening."""

RULES = ("strategy.min_edge_bps=-1000",)


def grown(folder: Path, sessions: int) -> None:
    """The store after so many sessions, with all that the data stages make of it."""
    rows = bars()
    known = rows.index.get_level_values("session").unique().sort_values()[:sessions]
    chosen = configured(folder, *RULES)
    names = pd.Index(SYMBOLS, name="symbol")
    listed = pd.DataFrame({"exchange": "X", "sector": "S", "name": names}, index=names)
    with Workspace.open(chosen, create=True) as workspace:
        workspace.store.write_symbols(listed.assign(kind="stock"))
        late = rows[rows.index.get_level_values("session").isin(known)]
        workspace.store.write_bars(delivery(late))
    for stage in (indicators, regimes, features, labels):
        step(stage.__name__.rpartition(".")[2], stage.run, chosen)


@pytest.fixture(scope="module")
def evenings(tmp_path_factory: pytest.TempPathFactory, mlflow_store: None) -> Path:
    """A champion, and a challenger that is its twin; four evenings, all but the last one scored."""
    folder = tmp_path_factory.mktemp("evenings")
    grown(folder, FIRST)
    chosen = configured(folder, *RULES)
    step("retrain", retrain.run, chosen)
    force = ("promote.force=true", "promote.reason=to trade it")
    step("promote", promote.run, configured(folder, *RULES, *force))
    champion = registry.find("champion", who="test")
    registry.register(str(champion.source), champion.tags)  # a challenger
    for number in range(4):
        grown(folder, FIRST + number)
        step("signals", signals.run, chosen)
        if number > 1:
            step("score", score.run, chosen)
    return folder


def outcomes(folder: Path) -> pd.DataFrame:
    with Workspace.open(configured(folder)) as workspace:
        return workspace.store.outcomes()


def test_champion_challenger_and_baseline_are_kept_every_evening_and_chained(
    evenings: Path,
) -> None:
    with Workspace.open(configured(evenings)) as workspace:
        entries = workspace.store.evenings()
        assert workspace.store.ledger_faults() == []
    by_session = pd.Series([e.evening.role for e in entries]).groupby(
        [e.evening.session for e in entries]
    )
    assert [sorted(roles) for _, roles in by_session] == [
        ["baseline", "challenger", "champion"]
    ] * 4
    assert {e.evening.kind for e in entries} == {"replay"}  # the sessions of 2016 are over
    assert all(e.evening.unseen and e.symbols > 50 for e in entries)
    champion = [e for e in entries if e.evening.role == "champion"]
    assert all(json.loads(e.evening.orders) for e in champion)


def test_outcomes_are_what_the_bars_say(evenings: Path) -> None:
    listed = outcomes(evenings)
    assert len(listed) == 9  # three models, three sessions; the fourth has no bar yet
    own = listed[listed["role"] == "champion"].iloc[0]
    with Workspace.open(configured(evenings)) as workspace:
        said = workspace.store.forecasts([int(own["number"])]).set_index("symbol")["prediction"]
        label = workspace.store.labels(own["session"], own["session"])["intraday_return"].droplevel(
            0
        )
    both = pd.DataFrame({"p": said, "y": label}).dropna()
    assert own["rank_ic"] == pytest.approx(both["p"].rank().corr(both["y"].rank()))
    assert own["symbols"] == len(both)
    assert abs(own["net_pnl"] / 100_000 - own["net_return"]) < 1e-9
    assert own["net_return"] < own["gross_return"]
    assert 0 < own["trades"] <= 10


def test_scoring_twice_changes_nothing(evenings: Path) -> None:
    before = outcomes(evenings)
    client = MlflowClient()
    (run, *others) = runs.search("tags.stage = 'monitor' and tags.monitors = '1'")
    assert others == []
    history = client.get_metric_history(run.info.run_id, "replay/rank_ic")
    step("score", score.run, configured(evenings, *RULES))
    pd.testing.assert_frame_equal(outcomes(evenings), before)
    again = client.get_metric_history(run.info.run_id, "replay/rank_ic")
    assert [vars(point) for point in again] == [vars(point) for point in history]
    assert len(history) == 3
    assert runs.search("tags.stage = 'score'", newest=1)[0].data.metrics["score/sessions"] == 0
    page = Path(client.download_artifacts(run.info.run_id, "live.html")).read_text()
    assert "Live against promised" in page
    assert "replays of the past" in page


def test_the_last_evening_waits_for_its_bars(evenings: Path) -> None:
    with Workspace.open(configured(evenings)) as workspace:
        last = workspace.store.evenings()[-1].evening.session
        newest = workspace.store.sessions()[-1]
    assert pd.Timestamp(last) > newest
    assert outcomes(evenings)["session"].max() == newest


def test_fills_are_reconciled_with_the_sealed_evening_to_the_cent(
    evenings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Workspace.open(configured(evenings)) as workspace:
        entry = workspace.store.evenings()[0]
        day = entry.evening.session
        panel = workspace.store.bar_panel(day, day)
    rows = ["session,symbol,side,shares,price,fees"]
    worse, fees = 0, 0.0
    for symbol, side, shares, _ in json.loads(entry.evening.orders):
        assert side == "long"
        opened, closed = float(panel.open[symbol].iloc[0]), float(panel.close[symbol].iloc[0])
        if np.isnan(opened):
            continue
        rows += [f"{day},{symbol},buy,{shares!r},{opened + 0.02!r},0.35",
                 f"{day},{symbol},sell,{shares!r},{closed!r},0.35"]  # fmt: skip
        worse, fees = worse + round(100 * 0.02 * shares), fees + 0.70
    fills = evenings / "fills.csv"
    fills.write_text("\n".join(rows))
    step("reconcile", reconcile.run, configured(evenings, *RULES, f"reconcile.fills={fills}"))
    run = runs.search("tags.stage = 'reconcile'", newest=1)[0]
    table = runs_table(run.info.run_id, "reconciliation.csv").set_index("session").loc[day]
    assert (table["signal"], table["data"]) == (0.0, 0.0)
    assert table["fill"] == pytest.approx(-worse / 100, abs=0.1)  # each order's own rounding
    parts = table[["data", "signal", "fill", "cost"]].sum()
    assert round(100 * parts) == round(100 * (table["account"] - table["backtest"]))
    assert "total" in capsys.readouterr().out


def runs_table(run_id: str, name: str) -> pd.DataFrame:
    return pd.read_csv(MlflowClient().download_artifacts(run_id, name))


def test_predict_writes_the_forecasts_that_signals_sealed(evenings: Path) -> None:
    path = evenings / "out.parquet"
    step("predict", predict.run, configured(evenings, *RULES, f"predict.path={path}"))
    rows = pd.read_parquet(path)
    with Workspace.open(configured(evenings)) as workspace:
        entry = [e for e in workspace.store.evenings() if e.evening.role == "champion"][-1]
        said = workspace.store.forecasts([entry.number])
    assert f"{rows['session'].iloc[0]:%Y-%m-%d}" == entry.evening.session
    assert rows["symbol"].tolist() == said["symbol"].tolist()
    assert (rows["forecast"].to_numpy() == said["prediction"].to_numpy()).all()
    with pytest.raises(Refused, match="learned from"):
        step("predict", predict.run, configured(evenings, *RULES, "date=2015-12-01"))


def test_a_champion_that_breaks_its_promise_is_stopped_and_trades_nothing_until_resumed(
    evenings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    champion = registry.find("champion", who="test")
    evidence = champion.tags["champion.evidence"]
    promised = {"mean": 0.2, "deviation": 0.1, "sessions": 1000}
    kept = {"evidence": evidence, "series": {"rank_ic": promised}}
    MlflowClient().set_tag(champion.run_id, "promise", json.dumps(kept))
    planted = outcomes(evenings)
    own = planted[planted["model"] == "1"].iloc[[0]]
    days = pd.bdate_range("2015-01-05", periods=60)  # before all real ones
    dead = pd.concat([own] * 60, ignore_index=True).assign(
        session=days.strftime("%Y-%m-%d"), rank_ic=np.tile([0.05, -0.06], 30)
    )
    with Workspace.open(configured(evenings)) as workspace:
        workspace.store.write_outcomes(dead)
    chosen = configured(evenings, *RULES)
    step("score", score.run, chosen)
    assert registry.find("champion", who="test").tags["health"].startswith(f"{STOP}: rank IC")
    assert [event.action for event in life.events()] == ["promote", "stop"]
    step("score", score.run, chosen)
    assert len(life.events()) == 2  # told once
    with pytest.raises(Refused, match=r"version 1, trades nothing. stop: rank IC"):
        step("signals", signals.run, chosen)
    with Workspace.open(chosen) as workspace:
        last = workspace.store.sessions()[-1] + pd.Timedelta(days=1)
        assert workspace.store.signals(model_version="1")["session"].max() < last
        stopped = [e for e in workspace.store.evenings() if e.evening.state == "stopped"]
    assert (len(stopped), stopped[0].evening.orders) == (1, "[]")
    for name, stage in (("predict", predict), ("morning", morning)):
        with pytest.raises(Refused, match=f"^{name}: the champion, version 1, trades nothing"):
            step(name, stage.run, chosen)
    with pytest.raises(Refused, match="was stopped"):
        step("promote", promote.run, configured(evenings, *RULES, "promote.version=1"))
    force = ("promote.version=1", "promote.force=true", "promote.reason=the data were wrong")
    step("promote", promote.run, configured(evenings, *RULES, *force))
    step("score", score.run, chosen)
    step("signals", signals.run, chosen)
    assert life.events()[-1].reason == "the data were wrong"
    capsys.readouterr()
    step("promote", promote.run, configured(evenings, *RULES, "promote.history=true"))
    printed = capsys.readouterr().out
    assert [word in printed for word in ("promote", "stop", "resume")] == [True] * 3
    step("promote", promote.run, configured(evenings, "promote.history=true",
                                            f"date={stopped[0].evening.session}"))  # fmt: skip
    assert "version 1; resume" in capsys.readouterr().out


def test_a_ledger_that_lost_its_last_evening_is_damaged_in_the_summary(evenings: Path) -> None:
    """Its chain is whole; the hash that the evening's run noted is not in it."""
    shutil.copy(evenings / "sample.db", evenings / "shorter.db")
    shorter = configured(evenings, f"store.path={evenings / 'shorter.db'}")
    with Workspace.open(shorter) as workspace:
        assert routine.summed_up(workspace).ledger == "whole"
    with closing(sqlite3.connect(evenings / "shorter.db")) as database:
        (last,) = database.execute("select max(number) from evenings").fetchone()
        for table in ("forecasts", "evenings"):
            database.execute(f"delete from {table} where number = ?", (last,))
        database.commit()
    with Workspace.open(shorter) as workspace:
        assert workspace.store.ledger_faults() == []
        assert routine.summed_up(workspace).ledger == "damaged"


def test_a_move_by_hand_is_part_of_the_history_before_what_is_decided_of_its_version(
    evenings: Path,
) -> None:
    planted = outcomes(evenings)
    dead = planted[planted["rank_ic"].isin([0.05, -0.06])].assign(model="2")
    days = dead["session"].dt.strftime("%Y-%m-%d")
    with Workspace.open(configured(evenings)) as workspace:
        workspace.store.write_outcomes(dead.assign(session=days))
    MlflowClient().set_registered_model_alias(registered.name(), "champion", "2")
    step("score", score.run, configured(evenings, *RULES))
    moved, stopped = life.events()[-2:]
    assert (moved.action, moved.version, moved.previous) == ("by hand", 2, 1)
    assert (stopped.action, stopped.version) == ("stop", 2)
