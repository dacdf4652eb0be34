"""The ordinary evening through the real commands: a clean panel, nobody late, nothing wrong."""

from __future__ import annotations

import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io import calendar
from pipeline.io.store.store import Store
from tests.stages.conftest import Project

SESSIONS = calendar.sessions("XNYS", pd.Timestamp("2021-01-04"), pd.Timestamp("2021-09-30"))
NEXT = "2021-10-01"
SYMBOLS = ("AAB", "BBC", "CCD")
UNPROVEN = "signals.unproven_rules=say"
RULES = (UNPROVEN, "strategy.min_edge_bps=-1000")


def prices(folder: Path, sessions: pd.DatetimeIndex = SESSIONS) -> Path:
    """A file a symbol: random walks without a gap, a split or a bad bar."""
    folder.mkdir(exist_ok=True)
    for seed, symbol in enumerate(SYMBOLS):
        random = np.random.default_rng(seed)
        close = 50 * np.exp(np.cumsum(random.normal(0, 0.02, len(SESSIONS))))
        opened = np.concatenate([[50.0], close[:-1]]) * np.exp(random.normal(0, 0.003, len(close)))
        bars = pd.DataFrame({"open": opened, "close": close}, SESSIONS)
        bars["high"], bars["low"] = bars.max(axis=1) * 1.01, bars.min(axis=1) * 0.99
        bars["volume"] = random.integers(1_000_000, 2_000_000, len(bars))
        bars.loc[sessions].to_csv(folder / f"{symbol}.csv", index_label="date")
    return folder


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, list[str]]:
    """A project with a champion on the panel, and the words that every command takes."""
    folder = tmp_path_factory.mktemp("evening")
    project = Project(folder)
    words = ["data=files", f"data.path={prices(folder / 'prices')}", "features=classic",
             "model=lightgbm", "hpo=quick"]  # fmt: skip
    project.python("retrain", *words)
    project.python("promote", *words, "promote.force=true", "promote.reason=to trade it")
    return project, words


def test_an_evening_on_which_nothing_is_wrong_lists_orders(promoted) -> None:
    project, words = promoted
    done = project.python("signals", *words, *RULES)
    assert f"Session {NEXT}" in done.stdout
    assert "Left out" not in done.stdout
    assert {symbol for symbol in SYMBOLS if symbol in done.stdout} == set(SYMBOLS)
    metrics = project.newest("signals").data.metrics
    assert metrics["signals/orders"] == len(SYMBOLS)
    assert metrics["signals/stale_symbols"] == 0


def test_daily_twice_ends_well_both_times_and_says_the_same(promoted) -> None:
    project, words = promoted
    first, second = (
        project.python("daily", *words, "strategy.min_edge_bps=10000", UNPROVEN) for _ in "ab"
    )
    assert f"Session {NEXT}" in first.stdout
    assert "No trades" in first.stdout
    listed = [done.stdout[done.stdout.index("Session") :] for done in (first, second)]
    runs = [re.findall(r"of run ([0-9a-f]{32})", text) for text in listed]
    assert len(runs[0]) == len(runs[1]) == 1
    assert listed[0].replace(runs[0][0], runs[1][0]) == listed[1]
    line = listed[0].splitlines()[-1]
    assert line.startswith(f"daily result=ok session={NEXT} data_until=2021-09-30 champion=1 ")
    assert " orders=0 " in line
    assert " ledger=whole " in line
    with Store.open(project.folder / "sample.db") as store:
        entries = store.evenings()
    assert sorted({e.evening.model for e in entries}) == ["1", "ridge of 1"]
    assert {e.evening.session for e in entries} == {NEXT}


def test_weekly_that_makes_the_champion_again_says_that_nothing_changed(promoted) -> None:
    project, words = promoted
    done = project.python("weekly", *words)
    assert "against champion" not in done.stdout  # it is not compared with itself
    last = done.stdout.splitlines()[-1]
    assert last == "weekly result=unchanged challenger=1 champion=1 joint_sessions=0"


def test_daily_with_a_stopped_champion_fails_and_says_so_in_its_last_line(promoted) -> None:
    project, words = promoted
    client, name = project.client, "intraday_return_files"
    client.set_model_version_tag(name, "1", "health", "stop: no skill left")
    done = project.python("daily", *words, *RULES, code=1)
    predicted = project.python("predict", *words, *RULES, code=1)
    client.delete_model_version_tag(name, "1", "health")
    line = done.stdout.splitlines()[-1]
    assert line.startswith("daily result=refused ")
    assert " health=stop orders=0 " in line
    assert "trades nothing. stop: no skill left" in done.stderr
    assert "predict: the champion, version 1, trades nothing" in predicted.stderr


def test_daily_where_nobody_was_ever_promoted_ends_well_and_says_so(promoted) -> None:
    project, words = promoted
    done = project.python("daily", *words, *RULES, "registry.model=never_promoted")
    line = done.stdout.splitlines()[-1]
    assert line.startswith('daily result="no champion" ')
    assert " champion=none " in line
    assert " orders=0 " in line


def test_daily_after_the_alias_was_taken_away_fails_and_says_so(promoted) -> None:
    project, words = promoted
    client, name = project.client, "intraday_return_files"
    client.delete_registered_model_alias(name, "champion")
    done = project.python("daily", *words, *RULES, code=1)
    client.set_registered_model_alias(name, "champion", "1")
    assert done.stdout.splitlines()[-1].startswith('daily result="not ready" ')
    assert "no model 'champion' in the registry" in done.stderr


def test_daily_on_a_ledger_that_was_changed_lists_its_orders_and_fails(promoted) -> None:
    project, words = promoted
    kept = project.folder / "sample.db"
    shutil.copy(kept, project.folder / "kept.db")
    with closing(sqlite3.connect(kept)) as database:
        database.execute("update evenings set bankroll = bankroll + 1 where number = 1")
        database.commit()
    done = project.python("daily", *words, *RULES, code=2)
    shutil.copy(project.folder / "kept.db", kept)
    assert f"Session {NEXT}" in done.stdout
    line = done.stdout.splitlines()[-1]
    assert line.startswith("daily result=fault ")
    assert ' ledger=damaged reason="the forecast ledger is not as it was sealed: entry 1 (' in line
    assert f"entry 1 ({NEXT}, 1): was changed" in done.stderr


def test_one_symbol_late_is_left_out_by_name(promoted) -> None:
    """The other side of the same branch."""
    project, words = promoted
    folder = prices(project.folder / "late")
    late = pd.read_csv(folder / "BBC.csv", index_col="date").iloc[:-1]
    late.to_csv(folder / "BBC.csv")
    words = [word for word in words if not word.startswith("data.path=")]
    project.python(
        "daily",
        *words,
        f"data.path={folder}",
        "signals.max_stale_fraction=0.5",
        f"store.path={project.folder / 'late.db'}",
        *RULES,
    )
    done = project.python(
        "daily", *words, f"data.path={folder}", "signals.max_stale_fraction=0",
        f"store.path={project.folder / 'late.db'}", *RULES, code=1,
    )  # fmt: skip
    assert "BBC (last 2021-09-29)" in done.stderr
    assert done.stdout.splitlines()[-1].startswith("daily result=refused ")
    run = project.runs("signals", "attributes.status = 'FINISHED'")[0]
    assert run.data.metrics["signals/stale_symbols"] == 1
    assert run.data.metrics["signals/orders"] == len(SYMBOLS) - 1
