"""The morning: what it orders on quotes is what the backtest trades on the same indications."""

from __future__ import annotations

import contextlib
import io
import json
import sqlite3
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.artifacts import load_text

from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Artifacts, LifeTables, Tables
from pipeline.errors import Refused
from pipeline.io import calendar, clock
from pipeline.io.tracking import registered, registering, registry, runs
from pipeline.monitor.chain import Sealed
from pipeline.monitor.orders import SealedOrders
from pipeline.recipe.decision import Indicated, IndicatedOpen
from pipeline.report.morning import printed_watch_list
from pipeline.serving.morning import Morning
from pipeline.stages import backtest, morning, promote, reconcile, retrain, score, signals
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.stages.stocked import configured, newest

OPEN = (
    "decision=indicated_open", "strategy=auctions", "strategy.min_dollar_volume=0",
    "strategy.min_edge_bps=0", "strategy.sides=long_short", "backtest.capacity=[]",
    "retrain.window_days=150",
)  # fmt: skip
LATER = 60
"""Sessions after the champion's training end."""

BY_COMMAND = 2
"""The last of these, done by the real command."""

SAME = ["rank", "symbol", "side", "prediction", "weight", "shares", "reference_price", "limit"]


def table(stage: str, name: str) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(load_text(f"{newest(stage).info.artifact_uri}/{name}.csv")))


@pytest.fixture(scope="module")
def champion(stocked: Path) -> Path:
    """The folder; its champion learned up to some sessions before the last, which are traded."""
    with Workspace.open(configured(stocked)) as workspace:
        sessions = workspace.store.sessions()
    until, after = sessions[-1 - LATER], sessions[-LATER]
    step("retrain", retrain.run, configured(stocked, *OPEN, f"retrain.end={until:%Y-%m-%d}"))
    forced = ("promote.force=true", "promote.reason=parity")
    step("promote", promote.run, configured(stocked, *OPEN, *forced))
    later = (f"start_date={after:%Y-%m-%d}", f"end_date={sessions[-1]:%Y-%m-%d}")
    step("backtest", backtest.run, configured(stocked, *OPEN, *later))
    return stocked


def drawn(settings: Settings, session: pd.Timestamp) -> pd.Series:
    """The indications that history has for a session."""
    decision = settings.decision
    assert isinstance(decision, IndicatedOpen)
    with Workspace.open(settings) as workspace:
        one = Indicated.drawn(workspace, pd.DatetimeIndex([session]), decision, settings.seed)
    return one.price.iloc[0].dropna()


def on(folder: Path, session: pd.Timestamp, quotes: pd.DataFrame, *words: str) -> Settings:
    """Settings for the morning of a session, ten minutes before it opens."""
    path = folder / "quotes.csv"
    quotes.to_csv(path, index=False)
    now = calendar.opens_at("XNYS", session) - pd.Timedelta(minutes=10)
    return configured(
        folder, *OPEN, f"date={session:%Y-%m-%d}", f"morning.quotes={path}",
        f"morning.now={now:%Y-%m-%dT%H:%M:%SZ}", f"morning.folder={folder / 'orders'}", *words,
    )  # fmt: skip


def quoted(settings: Settings, session: pd.Timestamp) -> pd.DataFrame:
    price = drawn(settings, session)
    at = calendar.opens_at("XNYS", session) - pd.Timedelta(minutes=11)
    return pd.DataFrame({"symbol": price.index, "price": price.to_numpy(), "time": str(at)})


def sealed(folder: Path) -> list[Sealed]:
    with Workspace.open(configured(folder)) as workspace:
        assert workspace.store.ledger_faults() == []
        return workspace.store.evenings()


def test_what_the_morning_decides_is_sealed_scored_and_reconciled(
    champion: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newest quotes before the deadline count; what is made later is a replay.

    The first of the module: a ledger whose clock goes backwards is said to be damaged.
    """
    settings = configured(champion, *OPEN)
    with Workspace.open(settings) as workspace:
        session = workspace.store.sessions()[-1]
    day, opens = f"{session:%Y-%m-%d}", calendar.opens_at("XNYS", session)
    ledger = traded().set_index("session").loc[session]
    rows, before = quoted(settings, session), len(sealed(champion))
    bankroll = f"signals.bankroll={float(ledger['equity_before'].iloc[0])!r}"

    def ordered(at: pd.Timestamp, factor: float = 1.0) -> list[Sealed]:
        monkeypatch.setattr(clock, "now", lambda: at)
        given = rows.assign(price=rows["price"] * factor)
        step("morning", morning.run, on(champion, session, given, bankroll))
        return sealed(champion)[before:]

    early = opens - pd.Timedelta(minutes=10)
    (first,) = ordered(early)
    assert (first.evening.kind, first.evening.role) == ("live", "champion")
    assert ordered(early + pd.Timedelta(minutes=1)) == [first]
    _, second = ordered(early + pd.Timedelta(minutes=2), 1.01)
    assert second.content != first.content
    *_, third = ordered(opens - pd.Timedelta(minutes=3))
    assert (third.number, third.evening.orders) == (first.number + 2, first.evening.orders)
    bodies = json.loads((champion / "orders" / f"{day}_alpaca.json").read_text())
    bought = [each for each in bodies if each["time_in_force"] == "opg"]
    assert {each["type"] for each in bought} == {"limit"}
    step("signals", signals.run, configured(champion, *OPEN, f"date={day}"))
    assert json.loads((champion / "orders" / f"{day}_alpaca.json").read_text()) == bodies
    late = ordered(opens - pd.Timedelta(minutes=1))
    assert len(late) == 3  # the same as was decided in time, later: no news
    late = ordered(opens - pd.Timedelta(minutes=1), 1.005)
    assert [each.evening.kind for each in late] == ["live"] * 3 + ["replay"]

    step("score", score.run, configured(champion, *OPEN))
    with Workspace.open(settings) as workspace:
        outcomes = workspace.store.outcomes("1")
    one = outcomes[(outcomes["session"] == session) & (outcomes["kind"] == "live")].iloc[0]
    assert one["number"] == third.number
    assert one["net_pnl"] == pytest.approx(ledger["net_pnl"].sum(), abs=1e-6)
    assert one["trades"] == (ledger["shares_filled"] > 0).sum() > 0

    filled = ledger[ledger["shares_filled"] > 0]
    sides = {"long": ("buy", "sell"), "short": ("sell", "buy")}
    fills = ["session,symbol,side,shares,price,fees"]
    for row in filled.itertuples():
        enter, leave = sides[str(row.side)]
        shares = float(row.shares_filled)
        fills += [f"{day},{row.symbol},{enter},{shares!r},{float(row.open)!r},0",
                  f"{day},{row.symbol},{leave},{shares!r},{float(row.exit_price)!r},0"]  # fmt: skip
    path = champion / "fills.csv"
    path.write_text("\n".join(fills))
    step("reconcile", reconcile.run, configured(champion, *OPEN, f"reconcile.fills={path}"))
    parts = table("reconcile", LifeTables.RECONCILIATION).set_index("session").loc[day]
    assert parts["signal"] == 0.0
    assert parts[["data", "fill"]].abs().max() < 0.05  # orders' own rounding
    total = parts[["data", "signal", "fill", "cost"]].sum()
    assert round(100 * total) == round(100 * parts["difference"])


def traded() -> pd.DataFrame:
    """Of the backtest."""
    return runs.read_frame(newest("backtest").info.run_id, Artifacts.LEDGER)


@pytest.mark.parametrize("mornings", [15, pytest.param(LATER, marks=pytest.mark.soak)])
def test_mornings_order_row_by_row_what_the_backtest_trades(champion: Path, mornings: int) -> None:
    settings, ledger = configured(champion, *OPEN), traded()
    assert ledger["session"].nunique() == LATER
    version, rules = registry.find("champion", who="test"), build.rules(settings)
    days, decision = pd.DatetimeIndex(ledger["session"].unique()[-mornings:]), settings.decision
    assert isinstance(decision, IndicatedOpen)
    with Workspace.open(settings) as workspace:
        price = Indicated.drawn(workspace, days, decision, settings.seed).price
        for session, rows in ledger[ledger["session"].isin(days)].groupby("session"):
            morning = Morning.of(workspace, version, session, "test")
            told = morning.forecasts(price.loc[session].dropna())
            listed = morning.orders(told, rules, float(rows["equity_before"].iloc[0]))
            expected = rows.reset_index(drop=True).rename(columns={"shares_ordered": "shares"})
            pd.testing.assert_frame_equal(
                listed[SAME], expected[SAME], rtol=1e-12, atol=0.0, check_dtype=False
            )
    filled = ledger[ledger["shares_filled"] > 0.0]
    assert filled["session"].nunique() > LATER / 2


def test_the_command_orders_what_the_backtest_trades(champion: Path) -> None:
    settings, ledger = configured(champion, *OPEN), traded()
    last = ledger["session"].unique()[-BY_COMMAND:]
    for session, rows in ledger[ledger["session"].isin(last)].groupby("session"):
        expected = rows.reset_index(drop=True).rename(columns={"shares_ordered": "shares"})
        equity = f"signals.bankroll={rows['equity_before'].iloc[0]}"
        step("morning", morning.run, on(champion, session, quoted(settings, session), equity))
        listed = table("morning", Tables.MORNING_ORDERS)
        pd.testing.assert_frame_equal(
            listed[SAME], expected[SAME], rtol=1e-12, atol=0.0, check_dtype=False
        )
        assert set(listed["side"]) == {"long", "short"}
        assert (listed["shares"] > 0).sum() >= 5
        bought = listed["side"] == "long"
        assert (listed["limit_price"] <= listed["limit"] + 1e-9)[bought].all()
    beyond = ledger["side"].map({"long": 1.0, "short": -1.0}) * (ledger["open"] - ledger["limit"])
    filled = ledger["shares_filled"] > 0.0
    assert not (filled & (beyond > 0.0)).any()
    assert (ledger.loc[beyond > 0.0, "reason"] == "open beyond the limit").all()
    longs = ledger[ledger["side"] == "long"]
    taken = (longs["shares_ordered"] * longs["limit"]).groupby(longs["session"]).sum()
    assert (taken <= longs.groupby("session")["equity_before"].first() + 0.005).all()


def test_quotes_that_are_not_believed_leave_their_symbols_out_by_name(
    champion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = configured(champion, *OPEN)
    with Workspace.open(settings) as workspace:
        session = workspace.store.sessions()[-1]
    rows = quoted(settings, session).astype({"price": "object"})
    rows.loc[0, "time"] = "2010-01-04 09:00"
    rows.loc[1, "price"] = "none"
    rows.loc[2, "price"] = 3.0 * float(rows.loc[2, "price"])
    with contextlib.closing(sqlite3.connect(champion / "sample.db")) as database, database:
        database.execute("UPDATE symbols SET name = '=HYPERLINK(1)'")  # as a file may have it
    step("morning", morning.run, on(champion, session, rows))
    told = table("morning", Tables.LEFT_OUT).set_index("symbol")["left_out"]
    assert told[rows["symbol"][0]] == "too old"
    assert told[rows["symbol"][1]] == "no quote"
    assert told[rows["symbol"][2]] == "absurd price"
    assert rows["symbol"][2] in capsys.readouterr().out
    assert not set(told.index) & set(table("morning", Tables.MORNING_ORDERS)["symbol"])
    written = list((champion / "orders").glob(f"orders-{session:%Y-%m-%d}.csv"))
    assert len(written) == 1
    assert set(pd.read_csv(written[0])["name"]) == {"'=HYPERLINK(1)"}

    with pytest.raises(Refused, match="have a quote that is believed"):
        step("morning", morning.run, on(champion, session, rows.head(9)))
    late = f"morning.now={session:%Y-%m-%d}T20:00:00Z"
    with pytest.raises(Refused, match="had to be there by"):
        step("morning", morning.run, on(champion, session, rows, late))


def test_the_evening_prints_the_opens_at_which_it_would_buy(
    champion: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step("signals", signals.run, configured(champion, *OPEN))
    listed = table("signals", Tables.WATCH_LIST)
    assert (listed["buy_below"] <= listed["close"]).all()
    assert listed["gap_bps"].is_monotonic_decreasing
    assert "buy at or below" in capsys.readouterr().out


def test_a_version_that_decides_in_the_morning_seals_nothing_in_the_evening(
    champion: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither as champion nor, as here without one, in the shadow: the open is not known yet."""
    with caplog.at_level("INFO", "pipeline.signals"):
        step("signals", signals.run, configured(champion, *OPEN))
    assert "version 1 decides on the indicated open: no forecast in the evening" in caplog.text
    with Workspace.open(configured(champion)) as workspace:
        last = f"{workspace.store.sessions()[-1]:%Y-%m-%d}"
        assert [e for e in workspace.store.evenings() if e.evening.session > last] == []


def test_a_challenger_that_decides_in_the_morning_is_kept_on_the_same_quotes_and_a_stop_is_obeyed(
    champion: Path,
) -> None:
    settings = configured(champion, *OPEN)
    with Workspace.open(settings) as workspace:
        session = workspace.store.sessions()[-2]
    rows, holder = quoted(settings, session), registry.find("champion", who="test")
    twin = registering.register(str(holder.source), holder.tags)
    before = len(sealed(champion))
    step("morning", morning.run, on(champion, session, rows.assign(price=rows["price"] * 1.001)))
    own, shadow = sealed(champion)[before:]
    assert (shadow.evening.model, shadow.evening.role) == (str(twin), "challenger")
    assert (shadow.content, shadow.evening.state) == (own.content, "shadow")
    client, name = MlflowClient(), registered.name()
    client.set_model_version_tag(name, holder.version, "health", "stop: no skill left")
    orders = champion / "orders" / f"orders-{session:%Y-%m-%d}.csv"
    orders.unlink()
    with pytest.raises(Refused, match=r"trades nothing\. stop: no skill left"):
        step("morning", morning.run, on(champion, session, rows))
    client.delete_model_version_tag(name, holder.version, "health")
    *_, last = sealed(champion)
    decided = SealedOrders.of(last.evening.orders)
    assert (last.evening.state, decided.listed, orders.exists()) == ("stopped", [], False)
    assert decided.indicated is not None


def test_every_result_tells_what_it_hangs_on(champion: Path) -> None:
    run = newest("retrain")
    told = run.data.metrics
    by_error = table("retrain", Tables.DOUBTS_BY_ERROR).set_index("error_bps")
    assert by_error.index.tolist() == [0.0, 10.0, 25.0, 50.0, 100.0]
    assert by_error.loc[25.0, "sharpe"] == pytest.approx(told["backtest/sharpe"])
    assert by_error.loc[25.0, "rank_ic"] == pytest.approx(told["test/rank_ic"])
    assert told["doubt/sharpe_fill_10bp"] < told["doubt/sharpe_fill_5bp"] < told["backtest/sharpe"]
    assert {"sharpe_5bp", "sharpe_10bp", "sharpe_20bp", "gates"} <= set(by_error)
    years = table("retrain", Tables.DOUBTS_BY_ERROR_AND_YEAR)
    assert years.groupby("error_bps")["trades"].sum().eq(by_error["trades"]).all()
    parts = table("retrain", Tables.DOUBTS_BY_PART)
    page = load_text(f"{run.info.artifact_uri}/{Artifacts.TEAR_SHEET}")
    for words in ("other errors of the indication", "by error, bp, and year", "Trades by part",
                  "10 bp worse", "never traded: "):  # fmt: skip
        assert words in page
    assert set(parts["by"]) == {"gap", "market's gap", "side", "dollar volume", "year"}
    assert parts.groupby("by")["trades"].sum().eq(told["backtest/trades"]).all()
    assert "doubt/bad_opens_outside_of_the_range" in told


def test_without_symbols_the_watch_list_says_so() -> None:
    nothing = pd.DataFrame(columns=["symbol", "close", "buy_below", "gap_bps"])
    text = printed_watch_list(nothing, pd.Timestamp("2024-07-01"), "3", "")
    assert "No symbol would be bought" in text
