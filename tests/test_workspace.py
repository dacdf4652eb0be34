"""A workspace: what it opens once, and the market that it makes of a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.config import sweep
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings, NotReady
from pipeline.io.sources.universe import Universe
from pipeline.io.store.store import Store
from pipeline.recipe.books import books
from pipeline.recipe.sweep import hedged_with, swept_books
from pipeline.schemas import BAR_FIELDS, LABELS, ROW, BarPanel
from pipeline.selection import Selection, sessions_before, with_following
from pipeline.workspace import Workspace
from tests.recipe import made
from tests.trading.markets import random_bars
from tests.workspaces import delivered, listed, workspace

TRADED = 30
BANKROLL = 100_000.0


@pytest.fixture(scope="module")
def bars() -> BarPanel:
    return random_bars(4, sessions=300)


@pytest.fixture(scope="module")
def index() -> BarPanel:
    drawn = random_bars(9, sessions=300, symbols=1)
    return BarPanel(*(getattr(drawn, n).set_axis(["^IXIC"], axis=1) for n in BAR_FIELDS))


@pytest.fixture(scope="module")
def store(
    bars: BarPanel, index: BarPanel, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Store]:
    opened = Store.open(tmp_path_factory.mktemp("store") / "s.db")
    opened.write_symbols(listed(bars.symbols, sector="X"))
    opened.write_symbols(listed(index.symbols, "index", sector="X"))
    opened.write_bars(delivered(bars))
    opened.write_bars(delivered(index))
    yield opened
    opened.close()


@pytest.fixture
def space(store: Store) -> Workspace:
    return workspace(store)


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "empty.db")
    yield opened
    opened.close()


def composed(folder: Path, *overrides: str) -> Settings:
    return check(compose([f"store.path={folder / 'sample.db'}", *overrides]))


# ---- opening ----


def test_a_store_is_made_only_where_that_was_asked_for(tmp_path: Path) -> None:
    settings = composed(tmp_path)
    with pytest.raises(NotReady, match="there is no store"), Workspace.open(settings):
        pass
    with Workspace.open(settings, create=True):
        pass
    with Workspace.open(settings) as opened:
        assert opened.folder == tmp_path


def test_a_store_is_closed_even_after_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []
    monkeypatch.setattr(Store, "close", lambda self: closed.append(self.database.name))
    with pytest.raises(ZeroDivisionError), Workspace.open(composed(tmp_path), create=True):
        raise ZeroDivisionError
    assert closed == [str(tmp_path / "sample.db")]


def test_a_workspace_is_what_the_settings_say(tmp_path: Path) -> None:
    symbols = tmp_path / "mine.csv"
    symbols.write_text("symbol\nAAPL\nMSFT\n")
    words = [f"universe.path={symbols}", "universe.name=mine", "features=classic",
             "symbols=[AAPL]", "start_date=2010-02-01", "data.market_index=UNIVERSE"]  # fmt: skip
    with Workspace.open(composed(tmp_path, *words), create=True) as opened:
        assert (opened.data_source, opened.exchange_calendar) == ("sample", "XNYS")
        assert (opened.universe, opened.members) == ("mine", ("AAPL", "MSFT"))
        assert opened.selection == Selection(pd.Timestamp("2010-02-01"), symbols=("AAPL",))
        assert (opened.index.symbol, opened.is_live) == ("UNIVERSE", False)
        assert opened.snapshot_store.folder.is_relative_to(tmp_path / "snapshots")
        assert opened.snapshot_store.folder.name == f"classic-{opened.features.version}"
        assert opened.tags == {
            "feature_set": "classic",
            "feature_version": opened.features.version,
            "data_source": "sample",
            "universe": "mine",
        }


def test_snapshots_lie_where_the_store_lies_or_where_config_says(tmp_path: Path) -> None:
    with Workspace.open(composed(tmp_path, f"store.snapshots={tmp_path / 'x'}"), create=True) as w:
        assert w.snapshot_store.folder.is_relative_to(tmp_path / "x")


def test_a_source_that_goes_on_is_live(tmp_path: Path) -> None:
    with Workspace.open(composed(tmp_path, "data=yfinance", "universe=sp500"), create=True) as w:
        assert (w.is_live, w.source.name) == (True, "yfinance")
        assert w.members is not None
        assert "BRK-B" in w.members
    files = composed(tmp_path / "f", "data=files", f"data.path={tmp_path}")
    (tmp_path / "f").mkdir()
    with Workspace.open(files, create=True) as w:
        assert (w.is_live, w.source.name) == (False, "files")


def test_what_reads_the_store_alone_needs_neither_files_nor_a_list_of_symbols(
    tmp_path: Path,
) -> None:
    with Workspace.open(composed(tmp_path, "data=files"), create=True) as opened:
        assert opened.index.symbol == "UNIVERSE"
        with pytest.raises(InvalidSettings, match=r"without data\.path"):
            _ = opened.source
    with (
        Workspace.open(composed(tmp_path, "data=yfinance")) as opened,
        pytest.raises(NotReady, match="universe=sp500"),
    ):
        _ = opened.source


# ---- sessions ----


def test_a_store_without_bars_is_not_ready(empty: Store, space: Workspace, bars: BarPanel) -> None:
    with pytest.raises(NotReady, match="the store holds no bars") as caught:
        workspace(empty).require_bars("labels")
    assert str(caught.value.next_command) == "mlflow run . -e ingest"
    assert caught.value.who == "labels"
    assert space.require_bars("labels").equals(bars.sessions)


def test_the_next_session_is_the_exchange_s(space: Workspace) -> None:
    friday = pd.DatetimeIndex(["2024-07-03", "2024-07-05"], name="session").as_unit("us")
    grown = space.with_next(friday)
    assert grown[-1] == pd.Timestamp("2024-07-08")
    assert (grown.name, grown.unit) == ("session", "us")
    assert list(space.short_sessions(friday)) == [pd.Timestamp("2024-07-03")]


def test_sessions_before_stop_at_the_first_one_there_is() -> None:
    days = pd.DatetimeIndex(["2024-01-02", "2024-01-03", "2024-01-05"])
    assert sessions_before(days, days[2], 1) == days[1]
    assert sessions_before(days, pd.Timestamp("2024-01-04"), 1) == days[1]
    assert sessions_before(days, days[2], 9) == days[0]
    assert with_following(days, pd.Timestamp("2024-01-08"))[-1] == pd.Timestamp("2024-01-08")


# ---- what changed ----


def test_changes_count_from_the_mark_of_what_made_the_result(empty: Store) -> None:
    space = workspace(empty)
    empty.write_symbols(listed("A"))
    panel = random_bars(1, sessions=3, symbols=1)
    panel = BarPanel(*(getattr(panel, n).set_axis(["A"], axis=1) for n in BAR_FIELDS))
    empty.write_bars(delivered(panel))
    assert set(space.changes_since("labels", ("bars",))["kind"]) == {"bars"}

    empty.mark_built("labels", empty.revision(), {"code": "new"})

    assert space.changes_since("labels", ("bars",)).empty
    assert space.changes_since("labels", ("bars",), {"code": "new"}).empty
    assert not space.changes_since("labels", ("bars",), {"code": "newer"}).empty
    assert space.changes_since("labels", ("regimes",), {"code": "newer"}).empty


# ---- rows to learn from ----


def rows_of(bars: BarPanel, number: int, symbols: list[str]) -> pd.DataFrame:
    days = bars.sessions[-number:]
    keys = pd.MultiIndex.from_product([days, symbols], names=ROW)
    values = np.arange(len(keys), dtype="float32")
    return pd.DataFrame({"return_1": values, "rsi": -values}, keys)


def stored(space: Workspace, rows: pd.DataFrame) -> Workspace:
    space.snapshot_store.write(
        rows,
        sessions=pd.DatetimeIndex(rows.index.unique("session")),
        revision=1,
        store_id=space.store.store_id,
        whole=True,
    )
    return space


def test_snapshots_are_those_of_the_universe_and_of_the_columns_asked_for(
    store: Store, bars: BarPanel, tmp_path: Path
) -> None:
    space = workspace(store, snapshot_root=tmp_path, members=("S01", "S02"))
    rows = rows_of(bars, 5, ["S00", "S01", "S02"])
    found = stored(space, rows).snapshots(bars.sessions[-3:], ["rsi"])
    assert list(found.columns) == ["rsi"]
    assert set(found.index.unique("symbol")) == {"S01", "S02"}
    assert list(found.index.unique("session")) == list(bars.sessions[-3:])


def test_sessions_without_snapshots_are_not_ready(
    store: Store, bars: BarPanel, tmp_path: Path
) -> None:
    space = stored(workspace(store, snapshot_root=tmp_path), rows_of(bars, 5, ["S00"]))
    with pytest.raises(NotReady, match="no snapshots between") as caught:
        space.snapshots(bars.sessions[:3], ["rsi"])
    assert "40 sessions of history" in str(caught.value)
    with pytest.raises(NotReady, match="no snapshots of these features"):
        space.dataset(bars.sessions[:0], ["rsi"])


def test_a_dataset_is_snapshots_with_the_labels_of_their_session(
    store: Store, bars: BarPanel, tmp_path: Path
) -> None:
    space = stored(workspace(store, snapshot_root=tmp_path), rows_of(bars, 3, ["S00", "S01"]))
    outcome = bars.close / bars.open - 1.0
    store.write_labels(dict.fromkeys(LABELS, outcome.iloc[-2:]))
    dataset = space.dataset(bars.sessions[-3:], ["return_1"])
    assert list(dataset.sessions) == list(bars.sessions[-2:])
    due = outcome.iloc[-2:][["S00", "S01"]].stack().dropna()
    assert dataset.returns.to_numpy().tolist() == due.to_numpy().tolist()
    assert list(dataset.features.columns) == ["return_1"]


# ---- the market ----


def test_a_market_knows_what_the_bars_before_each_session_say(
    space: Workspace, bars: BarPanel
) -> None:
    sessions = bars.sessions[-TRADED:]
    market = space.market(sessions, made.rules())
    pd.testing.assert_frame_equal(market.close, bars.close.loc[sessions])
    pd.testing.assert_frame_equal(market.previous_close, bars.close.shift().loc[sessions])
    assert market.previous_session == bars.sessions[-TRADED - 1]
    assert (market.sectors == "X").all()
    assert (market.regimes == "UNKNOWN").all()
    assert market.hedge is None


def test_a_market_is_quoted_as_it_was_before_later_splits(bars: BarPanel, empty: Store) -> None:
    sessions, split = bars.sessions[-TRADED:], bars.sessions[-10]
    empty.write_symbols(listed(bars.symbols, sector="X"))
    action = {"session": split, "symbol": "S00", "split": 4.0, "dividend": np.nan}
    empty.write_bars(replace(delivered(bars), actions=pd.DataFrame([action])))

    market = workspace(empty).market(sessions, made.rules())

    ratio = np.where(sessions < split, 4.0, 1.0)
    for name in ("open", "high", "low", "close"):
        wanted = getattr(bars, name).loc[sessions]
        wanted["S00"] *= ratio
        pd.testing.assert_frame_equal(getattr(market, name), wanted)
    assert market.previous_close["S00"].loc[split] == bars.close["S00"].iloc[-11]
    known = bars.close.shift().loc[sessions, "S00"] * ratio
    pd.testing.assert_series_equal(market.previous_close["S00"], known)


def test_a_session_after_all_bars_has_what_is_known_and_no_open(
    space: Workspace, bars: BarPanel
) -> None:
    following = space.with_next(bars.sessions)[-1:]
    market = space.market(following, made.rules())
    assert market.open.isna().all(axis=None)
    assert market.previous_session == bars.sessions[-1]
    before = bars.close.iloc[-1]
    assert market.previous_close.iloc[0].dropna().equals(before.dropna())


@pytest.mark.parametrize(
    ("symbol", "used"), [("^IXIC", "^IXIC"), (None, "UNIVERSE"), ("GOLD", "UNIVERSE")]
)
def test_the_hedge_is_the_index_that_the_store_has_or_else_the_universe(
    space: Workspace, bars: BarPanel, symbol: str | None, used: str
) -> None:
    hedged = made.rules(hedge="beta", hedge_symbol=symbol)
    market = space.market(bars.sessions[-TRADED:], hedged)
    assert market.hedge is not None
    assert set(market.hedge["symbol"]) == {used}


def test_estimates_do_not_hang_on_how_many_sessions_are_traded(
    space: Workspace, bars: BarPanel
) -> None:
    hedged = made.rules(hedge="beta", hedge_symbol="^IXIC")
    whole = space.market(bars.sessions[-TRADED:], hedged)
    last = space.market(bars.sessions[-1:], hedged)
    for name in whole.known:
        pd.testing.assert_frame_equal(
            whole.known[name].iloc[-1:], last.known[name], check_exact=True
        )


def test_bars_of_the_index_begin_as_many_sessions_before_as_are_asked_for(
    space: Workspace, bars: BarPanel, index: BarPanel
) -> None:
    assert space.index.symbol == "^IXIC"
    found = space.index_bars(bars.sessions[-TRADED:], 5)
    assert found is not None
    assert found.symbols.tolist() == ["^IXIC"]
    expected = index.close.dropna()
    expected = expected[expected.index >= bars.sessions[-TRADED]]
    assert found.close.iloc[5:].to_numpy().tolist() == expected.to_numpy().tolist()


def test_the_mean_of_the_universe_has_no_bars(store: Store, bars: BarPanel) -> None:
    assert workspace(store, configured_index="UNIVERSE").index_bars(bars.sessions, 5) is None


@pytest.fixture(scope="module")
def predictions(bars: BarPanel) -> pd.Series:
    sessions = bars.sessions[-TRADED:]
    values = np.random.default_rng(2).normal(0.0, 0.01, (TRADED, len(bars.symbols)))
    return pd.DataFrame(values, sessions, bars.symbols).stack().rename_axis(ROW)


def test_a_sweep_over_hedges_trades_each_on_a_market_of_its_own(
    space: Workspace, bars: BarPanel, predictions: pd.Series
) -> None:
    swept = check(
        compose(
            [
                "strategy.min_dollar_volume=0", "strategy.min_edge_bps=0",
                "strategy.max_positions=3",
                "backtest.sweep={strategy.hedge:[beta,none],strategy.hedge_symbol:['^IXIC',null]}",
            ]
        )
    )  # fmt: skip
    several = sweep.combinations(swept)
    market = space.market(bars.sessions[-TRADED:], made.rules())
    found = dict(
        swept_books(
            [(each.rules, each.bankroll) for each in several],
            predictions,
            market,
            hedged_with(made.rules()),
            lambda rules: space.market(market.sessions, rules),
        )
    )
    assert sorted(found) == [0, 1, 2, 3]
    for number, each in enumerate(several):
        own = space.market(market.sessions, each.rules)
        alone = books(each.rules, each.bankroll, predictions, own)
        pd.testing.assert_frame_equal(found[number].ledger, alone.ledger, check_exact=True)
    assert not found[0].equity.equals(found[1].equity)
    assert found[2].equity.equals(found[3].equity)


def test_a_dated_universe_reads_rows_of_its_members_alone_from_snapshots_of_its_own(
    store: Store, bars: BarPanel, tmp_path: Path
) -> None:
    last = bars.sessions[-3:]
    lines = pd.DataFrame(
        {"symbol": ["S01", "S02"], "from": [pd.NaT, last[1]], "to": [last[1], pd.NaT]}
    )
    dated = Universe(lines)
    plain = workspace(store, snapshot_root=tmp_path)
    space = workspace(store, snapshot_root=tmp_path, members=dated.symbols, dated=dated)
    folders = [each.snapshot_store.folder.name for each in (plain, space)]
    assert folders[1] == f"{folders[0]}-{dated.digest}"
    rows = stored(space, rows_of(bars, 5, ["S01", "S02"])).snapshots(last, ["rsi"])
    assert [(t, s) for t, s in rows.index] == [
        (last[0], "S01"), (last[1], "S01"), (last[1], "S02"), (last[2], "S02"),
    ]  # fmt: skip
