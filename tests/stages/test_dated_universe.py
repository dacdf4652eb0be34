"""A universe with dates from prices to orders: who left and who joins, in every stage.

Signals are made for the session after the store's last one.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.artifacts import download_artifacts

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, Tables
from pipeline.io import calendar
from pipeline.io.tracking import experiment, registered, run_files
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.stages.stocked import newest

DAYS = calendar.sessions("XNYS", pd.Timestamp("2019-01-02"), pd.Timestamp("2020-06-30"))[:230]
NEXT = calendar.next_session("XNYS", DAYS[-1])
AFTER = calendar.next_session("XNYS", NEXT)
STAYS = [f"S{number:02d}" for number in range(10)]
LEAVES, JOINS = DAYS[-10], DAYS[-5]
MEMBERS: dict[str, tuple[object, object]] = {
    "LEFT": ("", LEAVES),
    "JOINED": (JOINS, ""),
    "LASTDAY": ("", DAYS[-1]),
    "TOMORROW": (NEXT, ""),
    "LATER": (AFTER, ""),
} | dict.fromkeys(STAYS, ("", ""))
Spell = tuple[object, object]
"""First and last day as a member; empty: open."""

TRADED = ("backtest.max_positions=20", "strategy.min_edge_bps=-1000",
          "strategy.max_position_fraction=0.05", "strategy.min_dollar_volume=0",
          "signals.unproven_rules=say")  # fmt: skip
STAGES = ("ingest", "indicators", "regimes", "features", "labels", "retrain", "promote", "signals")


def bars() -> pd.DataFrame:
    """A random walk of all symbols over all sessions, whoever is a member."""
    random = np.random.default_rng(8)
    shape = (len(DAYS), len(MEMBERS))
    overnight, intraday = random.normal(0, 0.005, shape), random.normal(0, 0.01, shape)
    close = 50 * np.exp((overnight + intraday).cumsum(axis=0))
    opened = close / np.exp(intraday)
    values = {
        "open": opened, "high": np.maximum(opened, close) * 1.01,
        "low": np.minimum(opened, close) * 0.99, "close": close,
        "volume": random.integers(1_000_000, 2_000_000, shape).astype("float64"),
    }  # fmt: skip
    index = pd.MultiIndex.from_product([DAYS, sorted(MEMBERS)], names=ROW)
    return pd.DataFrame({name: values[name].ravel() for name in BAR_FIELDS}, index)


class Project:
    """Prices in a folder, and the stages on them with a universe."""

    def __init__(self, folder: Path, features: str) -> None:
        self.folder, self.features = folder, features
        (folder / "prices").mkdir()
        bars().round(6).to_csv(folder / "prices" / "long.csv", date_format="%Y-%m-%d")

    def configured(self, members: Mapping[str, Spell]) -> Settings:
        lines = [f"{name},{first},{last}" for name, (first, last) in members.items()]
        text = "\n".join(["symbol,from,to", *lines]).replace(" 00:00:00", "")
        (self.folder / "members.csv").write_text(text)
        words = ["data=files", f"data.path={self.folder / 'prices'}", f"features={self.features}",
                 "model=ridge", "hpo=none", "data.market_index=UNIVERSE",
                 "regimes.volatility_window=20", f"store.path={self.folder / 'files.db'}",
                 f"universe.path={self.folder / 'members.csv'}", *TRADED,
                 "promote.force=true", "promote.reason=by hand"]  # fmt: skip
        return check(compose(words))

    def run(self, members: Mapping[str, Spell], *stages: str) -> Settings:
        settings = self.configured(members)
        for stage in stages:
            step(stage, import_module(f"pipeline.stages.{stage}").run, settings)
        return settings


def ledger_of_retrain() -> pd.DataFrame:
    return run_files.read_frame(newest("retrain").info.run_id, Artifacts.LEDGER)


@pytest.fixture(scope="module", params=["classic", pytest.param("ranked", marks=pytest.mark.soak)])
def project(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Project:
    """All stages up to the signals, once; on ranked features as a test to soak."""
    folder = tmp_path_factory.mktemp("dated")
    experiment.prepare(f"sqlite:///{folder / 'mlflow.db'}", "Default")
    registered.select("intraday_return_files", "files", moves_challenger=True)
    made = Project(folder, request.param)
    made.run(MEMBERS, *STAGES)
    return made


def members_of(rows: pd.DataFrame) -> dict[pd.Timestamp, list[str]]:
    """Symbols of each session's rows."""
    by_session = rows.index.to_frame(index=False).groupby(SESSION)[SYMBOL]
    return {pd.Timestamp(session): sorted(names) for session, names in by_session}


def expected(sessions: pd.DatetimeIndex) -> dict[pd.Timestamp, list[str]]:
    return {
        session: sorted(
            name
            for name, (first, last) in MEMBERS.items()
            if (first == "" or first <= session) and (last == "" or session <= last)
        )
        for session in sessions
    }


def snapshots(project: Project, members: Mapping[str, Spell]) -> pd.DataFrame:
    with Workspace.open(project.configured(members)) as workspace:
        return workspace.snapshot_store.read(DAYS[-20:].union([NEXT]), None, None)


def test_only_members_have_rows_ranks_and_a_place_in_training(project: Project) -> None:
    sessions = DAYS[-20:].union([NEXT])
    rows = snapshots(project, MEMBERS)
    assert members_of(rows) == expected(sessions)
    assert expected(sessions)[NEXT] == sorted([*STAYS, "JOINED", "TOMORROW"])
    if project.features == "ranked":
        ranks = rows["rank_return_1"].groupby(level=SESSION)
        assert (ranks.nunique() == ranks.size()).all(), "a place for each member"
        assert (ranks.mean().abs() < 1e-6).all(), "and none for others"
    with Workspace.open(project.configured(MEMBERS)) as workspace:
        learned = workspace.dataset(DAYS[-20:], list(rows.columns[:1]))
    assert members_of(learned.features) == expected(DAYS[-20:])


def test_a_backtest_trades_members_alone_and_each_until_its_last_day(project: Project) -> None:
    where = f"{newest('retrain').info.artifact_uri}/{Artifacts.PREDICTIONS}"
    forecasts = pd.read_parquet(download_artifacts(where))
    by_session = members_of(forecasts)
    assert by_session == expected(pd.DatetimeIndex(list(by_session)))
    assert min(by_session) < LEAVES
    ledger = ledger_of_retrain().assign(session=lambda rows: pd.to_datetime(rows["session"]))
    traded = members_of(ledger.set_index(ROW))
    assert len(traded) > 15
    assert all(set(names) <= set(expected(DAYS)[session]) for session, names in traded.items())
    assert {"LEFT", "JOINED"} < set(ledger["symbol"])


def test_signals_have_no_order_for_who_left_and_none_before_somebody_joins(
    project: Project,
) -> None:
    assert (
        sorted(run_files.read_table(newest("signals").info.run_id, Tables.SIGNALS)["symbol"])
        == expected(pd.DatetimeIndex([NEXT]))[NEXT]
    )


@pytest.mark.soak
def test_what_happens_to_the_members_later_changes_nothing_before(project: Project) -> None:
    rows, ledger = snapshots(project, MEMBERS), ledger_of_retrain()
    later = MEMBERS | {"S03": ("", DAYS[-4]), "LATER": (DAYS[-3], ""), "TOMORROW": (AFTER, "")}
    project.run(later, "features", "retrain")
    other = snapshots(project, later)
    pd.testing.assert_frame_equal(other.loc[: DAYS[-4]], rows.loc[: DAYS[-4]])
    assert members_of(other) != members_of(rows)
    until = f"{DAYS[-4]:%Y-%m-%d}"
    now = ledger_of_retrain()
    pd.testing.assert_frame_equal(
        now[now["session"] <= until], ledger[ledger["session"] <= until], check_exact=True
    )
    assert "S03" not in set(now.loc[now["session"] > until, "symbol"])
