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

from pipeline.config import build
from pipeline.contract import LifeTables
from pipeline.errors import Damaged, InvalidSettings, PipelineError, Refused, StoreLocked
from pipeline.io import clock
from pipeline.io.tracking import life, registered, registering, registry, runs
from pipeline.monitor.health import STOP
from pipeline.monitor.history import STOPPED
from pipeline.monitor.orders import SealedOrders
from pipeline.serving import routine
from pipeline.stages import (
    daily,
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
    status,
    weekly,
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
    registering.register(str(champion.source), champion.tags)  # a challenger
    for number in range(4):
        grown(folder, FIRST + number)
        step("signals", signals.run, chosen)
        if number > 1:
            step("score", score.run, chosen)
    return folder


def outcomes(folder: Path) -> pd.DataFrame:
    with Workspace.open(configured(folder)) as workspace:
        return workspace.store.outcomes()


def model_description() -> str:
    return str(MlflowClient().get_registered_model(registered.name()).description)


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
    figures = [name for name in run.data.metrics if name.startswith("monitor/")]
    assert figures
    assert all(name.startswith("monitor/replay/") for name in figures)
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
    for symbol, side, shares, *_ in json.loads(entry.evening.orders):
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
    table = (
        runs_table(run.info.run_id, f"{LifeTables.RECONCILIATION}.csv")
        .set_index("session")
        .loc[day]
    )
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
    path = evenings / "out.csv"
    step("predict", predict.run, configured(evenings, *RULES, f"predict.path={path}"))
    read = pd.read_csv(path, parse_dates=["session"], dtype={"version": str},
                       float_precision="round_trip")  # fmt: skip
    assert read.columns.tolist() == ["session", "symbol", "forecast", "version"]
    pd.testing.assert_frame_equal(read, rows, check_dtype=False, check_exact=True)
    with pytest.raises(InvalidSettings, match=r"out\.xlsx"):
        step("predict", predict.run, configured(evenings, f"predict.path={evenings / 'out.xlsx'}"))
    with pytest.raises(Refused, match="learned from"):
        step("predict", predict.run, configured(evenings, *RULES, "date=2015-12-01"))


def test_a_challenger_that_another_one_replaced_goes_on_in_the_shadow(evenings: Path) -> None:
    champion = registry.find("champion", who="test")
    registering.register(str(champion.source), champion.tags)
    none = (*RULES, "monitor.shadow_versions=0")
    for number, words in ((4, RULES), (5, none), (6, none)):
        grown(evenings, FIRST + number)
        if number < 6:
            step("signals", signals.run, configured(evenings, *words))
    step("score", score.run, configured(evenings, *RULES))
    roles = outcomes(evenings).pivot(index="session", columns="model", values="role")
    assert roles.iloc[-2].to_dict() == {
        "1": "champion", "2": "shadow", "3": "challenger", "ridge of 1": "baseline",
    }  # fmt: skip
    assert roles.iloc[-1].dropna().index.tolist() == ["1", "3", "ridge of 1"]


def test_a_hedge_is_reconciled_as_the_orders_it_hedges(evenings: Path) -> None:
    with Workspace.open(configured(evenings)) as workspace:
        day = workspace.store.evenings()[0].evening.session
    words = (*RULES, "strategy.hedge=dollar", "signals.unproven_rules=say")
    step("signals", signals.run, configured(evenings, *words, f"date={day}"))
    chosen = configured(evenings, *words)
    with Workspace.open(chosen) as workspace:
        own = [e.evening for e in workspace.store.evenings() if e.evening.role == "champion"]
        sealed = SealedOrders.of(own[-1].orders).listed
        market = workspace.market(pd.DatetimeIndex([day]).as_unit("us"), build.rules(chosen))
    assert market.hedge is not None
    hedge = market.hedge.iloc[0]
    assert (sealed[-1].symbol, sealed[-1].side) == (hedge["symbol"], "short")
    rows = ["session,symbol,side,shares,price,fees"]
    for order in sealed:
        is_hedge = order.symbol == hedge["symbol"]
        opened, closed = (
            hedge[name] if is_hedge else getattr(market, name)[order.symbol].iloc[0]
            for name in ("open", "close")
        )
        if not np.isnan(opened):
            first = ("buy", "sell") if order.side == "long" else ("sell", "buy")
            for side, price in zip(first, (opened, closed), strict=True):
                rows.append(f"{day},{order.symbol},{side},{order.shares!r},{float(price)!r},0")
    fills = evenings / "hedged.csv"
    fills.write_text("\n".join(rows))
    step("reconcile", reconcile.run, configured(evenings, *words, f"reconcile.fills={fills}"))
    run = runs.search("tags.stage = 'reconcile'", newest=1)[0]
    table = (
        runs_table(run.info.run_id, f"{LifeTables.RECONCILIATION}.csv")
        .set_index("session")
        .loc[day]
    )
    assert table["signal"] == 0.0
    assert table[["data", "fill"]].abs().max() < 0.1  # each order's own rounding
    parts = table[["data", "signal", "fill", "cost"]].sum()
    assert round(100 * parts) == round(100 * table["difference"])


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
    assert "| stopped | stop |" in model_description()
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
    assert "nobody was live" in capsys.readouterr().out  # a replay of 2016, made in this minute
    assert "| traded | resume |" in model_description()


def test_a_ledger_that_lost_its_last_evening_is_damaged_in_summary_and_status(
    evenings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
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
    with pytest.raises(Damaged, match="is missing, hash") as damaged:
        step("status", status.run, shorter)
    assert damaged.value.exit_code == 2
    assert "NO   ledger" in capsys.readouterr().out


def test_a_ledger_whose_evenings_are_all_gone_is_damaged_by_what_the_runs_noted(
    evenings: Path,
) -> None:
    shutil.copy(evenings / "sample.db", evenings / "emptied.db")
    with closing(sqlite3.connect(evenings / "emptied.db")) as database:
        for table in ("forecasts", "evenings"):
            database.execute(f"delete from {table}")
        database.commit()
    emptied = configured(evenings, f"store.path={evenings / 'emptied.db'}")
    with pytest.raises(Damaged, match="is missing, hash"):
        step("status", status.run, emptied)


@pytest.mark.parametrize("routine_of", [daily, weekly])
def test_two_routines_at_once_exclude_each_other_and_the_last_line_says_so(
    evenings: Path, capsys: pytest.CaptureFixture[str], routine_of
) -> None:
    name, chosen = routine_of.__name__.rpartition(".")[2], configured(evenings, *RULES)
    with (
        chosen.store.database.lock(name, name, 0.0),
        pytest.raises(StoreLocked, match=f"^{name}: '{name}' .* is writing to sample.db"),
    ):
        step(name, routine_of.run, chosen)
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith(f"""{name} result="not ready" reason="'{name}' (process """)
    assert runs.search(f"tags.stage = '{name}'", newest=1)[0].data.tags["summary"] == line


@pytest.mark.parametrize("error", [
    PipelineError("ingest", "the source sent " + "nonsense " * 80, "sense"), ValueError("odd"),
])  # fmt: skip
def test_a_routine_that_fails_says_so_in_a_short_last_line(
    error: Exception, mlflow_store: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(settings: object) -> None:
        with routine.last_line("daily"):
            raise error

    with pytest.raises(type(error)):
        step("daily", fails, configured(Path("nowhere")))
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("daily result=fault reason=")
    assert len(line) < 200


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


@pytest.mark.parametrize(
    ("words", "refused"),
    [(RULES, "trades nothing"), (("strategy.min_edge_bps=7",), "evidence from other rules")],
)
def test_a_refused_signals_leaves_no_order_file_of_an_earlier_run(
    evenings: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], refused: str
) -> None:
    """On a copy: the clock stands on the evening before, and the ledger's does not go back."""
    shutil.copy(evenings / "sample.db", evenings / "orders.db")
    chosen = configured(evenings, f"store.path={evenings / 'orders.db'}", *words)
    with Workspace.open(chosen) as workspace:
        session = workspace.next_session(workspace.store.sessions()[-1])
    monkeypatch.setattr(clock, "now", lambda: session.tz_localize("UTC"))
    left = evenings / "orders" / f"{session:%Y-%m-%d}_tws_basket.csv"
    left.parent.mkdir(exist_ok=True)
    left.write_text("orders of an earlier run")
    with pytest.raises(Refused, match=refused):
        step("signals", signals.run, chosen)
    assert not left.exists()


def test_weekly_compares_on_joint_sessions_and_keeps_the_figures_on_its_run(
    evenings: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step("weekly", weekly.run, configured(evenings, *RULES))
    said = " ".join(capsys.readouterr().out.split())
    run = runs.search("tags.stage = 'weekly'", newest=1)[0]
    own = {k: v for k, v in run.data.metrics.items() if k.startswith("comparison/")}
    assert set(own) == {
        f"comparison/{name}"
        for name in ("sessions", "rank_ic", "net_return", "pvalue", "e_better", "e_worse")
    }
    assert f"{own['comparison/sessions']:.0f} sessions are out of sample for both" in said
    assert f"rank IC {own['comparison/rank_ic']:+.4f}" in said
    assert f"joint_sessions={own['comparison/sessions']:.0f}" in run.data.tags["summary"]


def test_a_stopped_version_that_is_promoted_by_force_trades_again_and_the_page_says_so(
    evenings: Path,
) -> None:
    life.decide(STOPPED, registry.find("1", who="test"), reason="tried", by="me")
    force = ("promote.version=1", "promote.force=true", "promote.reason=it was a trial")
    step("promote", promote.run, configured(evenings, *RULES, *force))
    champion = registry.find("champion", who="test")
    assert (str(champion.version), life.is_stopped(champion)) == ("1", False)
    table = model_description().partition("### Who was live")[2].splitlines()
    assert ["| resume |" in line for line in table[4:6]] == [True, False]
