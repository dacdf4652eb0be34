"""What a tear sheet is made of, from the books and what they are explained by."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, ROW
from pipeline.settings import Settings
from pipeline.stages._runner import check, compose
from pipeline.stages._tear_sheet import _index
from pipeline.trading.performance import total_return
from tests.io import made_sheet


def test_the_curves_start_at_one_and_end_at_the_total_return() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.growth.iloc[0].tolist() == [1.0, 1.0, 1.0]
    assert list(sheet.growth) == ["strategy", "universe", "^IXIC"]
    earned = sheet.growth["strategy"].iloc[-1] - 1.0
    assert earned == pytest.approx(total_return(sheet.net_returns))
    assert sheet.cumulated["net"].iloc[-1] == pytest.approx(sheet.net_returns.sum())


def test_positions_costs_and_groups_are_those_of_the_ledger() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.positions.tolist() == [1] * 50 + [0] * 10
    assert sheet.session_distribution["count"] == sheet.trade_distribution["count"] == 50
    for table in sheet.hit_rates.values():
        assert table["trades"].sum() == 50
    # 10 bp of the amount bought, over the mean of both sides
    assert sheet.charged_bps == pytest.approx(10.0, rel=0.01)


def test_good_forecasts_show_in_rank_ic_and_spread() -> None:
    sheet = made_sheet.sheet(60, 50)
    assert sheet.rank_ic.mean() > 0.5
    assert sheet.decile_sessions == 60
    assert sheet.deciles.loc["spread", "low"] > 0.0
    spread = sheet.deciles.loc[10, "mean"] - sheet.deciles.loc[1, "mean"]
    assert sheet.deciles.loc["spread", "mean"] == pytest.approx(spread)


def store_with_index(path: Path, gap: float) -> Store:
    """60 sessions of an index that closes 1 % up and opens ``gap`` above the previous close."""
    store = Store.open(path)
    names = pd.Index(["^IXIC"], name="symbol")
    listed = {"exchange": None, "sector": "Index", "name": None, "kind": "index"}
    store.write_symbols(pd.DataFrame(listed, names).astype("str"))
    days = pd.bdate_range("2021-03-01", periods=60, name="session", unit="us")
    close = 100.0 * 1.01 ** np.arange(60)
    bars = pd.DataFrame(
        dict.fromkeys(BAR_FIELDS, close), pd.MultiIndex.from_product([days, names], names=ROW)
    )
    bars["open"] = close / 1.01 * (1.0 + gap)
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    nothing["session"] = pd.to_datetime(nothing["session"])
    store.write_bars(Delivery(bars.assign(final=True), nothing, nothing))
    return store


@pytest.fixture(scope="module")
def settings() -> Settings:
    return check(compose([]))


def test_the_index_is_compared_from_its_real_open_to_its_close(
    tmp_path: Path, settings: Settings
) -> None:
    store = store_with_index(tmp_path / "s.db", gap=0.002)
    sessions = store.sessions("index")[-20:]
    index, note = _index(settings, store, sessions)
    store.close()
    assert (index.name, note) == ("^IXIC", "")
    assert index.index.equals(sessions)
    assert index.to_numpy() == pytest.approx(1.01 / 1.002 - 1.0)


def test_an_index_whose_open_is_the_previous_close_is_named_but_not_shown(
    tmp_path: Path, settings: Settings
) -> None:
    store = store_with_index(tmp_path / "s.db", gap=0.0)
    index, note = _index(settings, store, store.sessions("index")[-20:])
    store.close()
    assert index.empty
    assert note == (
        "^IXIC is not shown: on 100% of its sessions its open is a copy of the previous close."
    )
