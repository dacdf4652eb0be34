"""Volumes counted in lots of shares, as the money traded beside them shows."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.lots import shares_per_unit
from tests.io.sources.files.test_vendors import BARS, check, files

SHANGHAI = {"exchange_calendar": "XSHG"}
MEAN = (BARS["open"] + BARS["close"]) / 2


def delivery(folder, volume, turnover, header="Date,Open,High,Low,Close,Volume,Turnover", **how):
    """The bars with this volume and turnover written beside them."""
    table = BARS.assign(volume=volume, turnover=turnover)
    columns = ["date", "open", "high", "low", "close", "volume", "turnover"]
    lines = [",".join(map(str, row)) for row in table[columns].to_numpy()]
    (folder / "600000.csv").write_text("\n".join([header, *lines]) + "\n")
    return files(folder, **(SHANGHAI | how)).bars()


@pytest.mark.parametrize(
    ("lot", "money"),
    [(100, 1), (1000, 1), (1e6, 1), (100, 1000), (1, 1), (1, 1000), (1, 1e8)],
)
def test_a_volume_in_lots_is_shares_where_its_turnover_shows_it(tmp_path, lot, money):
    given = delivery(tmp_path, BARS["volume"] / lot, MEAN * BARS["volume"] / money)
    check(given, "600000")
    assert (f"volume in lots of {lot:,.0f} shares" in given.notes[0]) == (lot > 1)


def test_where_no_exchange_counts_lots_the_turnover_may_be_in_other_money(tmp_path):
    other = {"exchange_calendar": "XNYS"}
    cents = MEAN * BARS["volume"] * 100
    with pytest.raises(InvalidData, match="a volume of 1 is 100 shares, or the turnover is in sm"):
        delivery(tmp_path, BARS["volume"], cents, **other)
    named = other | {"columns": {"volume": "Volume"}}
    check(delivery(tmp_path, BARS["volume"], cents, **named), "600000")
    check(delivery(tmp_path, BARS["volume"], cents * 1000, **other), "600000")


@pytest.mark.parametrize(
    "header",
    ["日期,开盘,最高,最低,收盘,成交量,成交额", "trade_date,open,high,low,close,vol,amount"],
)
def test_lots_under_the_headers_of_chinese_tables(tmp_path, header):
    check(delivery(tmp_path, BARS["volume"] / 100, MEAN * BARS["volume"], header), "600000")


def test_the_money_of_a_table_wins_over_its_share_of_what_is_issued(tmp_path):
    table = BARS.assign(turnover=0.01, amount=MEAN * BARS["volume"], lots=BARS["volume"] / 100)
    columns = ["date", "open", "high", "low", "close", "lots", "turnover", "amount"]
    table[columns].rename(columns={"lots": "volume"}).to_csv(tmp_path / "600000.csv", index=False)
    check(files(tmp_path, **SHANGHAI).bars(), "600000")


@pytest.mark.parametrize(
    "turnover",
    [
        MEAN * BARS["volume"] / 100,  # pounds beside pence
        MEAN * BARS["volume"] * 50,
        np.full(len(BARS), 1.0),
        np.full(len(BARS), "unknown"),
        np.where(np.arange(len(BARS)) % 5 < 4, MEAN * BARS["volume"] * 100, np.nan)
        * np.where(np.arange(len(BARS)) % 5 < 1, 1, 1.5),
    ],
)
def test_a_turnover_that_proves_no_lots_changes_nothing(tmp_path, turnover):
    check(delivery(tmp_path, BARS["volume"], turnover), "600000")


def lot(**changes: float) -> float:
    """Of twenty bars from 9 to 11 at a mean of 10, in lots; by name, how many are another."""
    bars = {"high": np.full(20, 11.0), "low": np.full(20, 9.0), "volume": np.full(20, 7.0)}
    bars["turnover"] = np.full(20, 7000.0)
    for name, value in changes.items():
        column, _, count = name.partition("_of_")
        bars[column][: int(count)] = value
    return shares_per_unit(bars, bars.pop("turnover"))


@pytest.mark.parametrize(
    ("changes", "right"),
    [
        ({}, 100), ({"turnover_of_2": 70.0}, 100), ({"turnover_of_3": 70.0}, 1),
        ({"turnover_of_20": 7700 * 1.004}, 100), ({"turnover_of_20": 7700 * 1.006}, 1),
        ({"turnover_of_20": 6300 * 0.996}, 100), ({"turnover_of_20": 6300 * 0.994}, 1),
        ({"volume_of_15": 0.0}, 100), ({"volume_of_16": 0.0}, 1),
        ({"turnover_of_15": 0.0}, 100), ({"turnover_of_15": np.nan}, 100),
        ({"turnover_of_16": np.nan}, 1), ({"high_of_15": np.nan}, 100),
        ({"low_of_15": np.nan}, 100),
        ({"high_of_16": np.nan}, 1), ({"low_of_16": np.nan}, 1),
    ],
)  # fmt: skip
@pytest.mark.filterwarnings("error")
def test_nine_of_ten_bars_and_five_of_them_prove_a_lot(changes, right):
    assert lot(**changes) == right


def test_few_bars_prove_no_lots(tmp_path):
    few = np.where(np.arange(len(BARS)) < 4, MEAN * BARS["volume"] * 100, np.nan)
    check(delivery(tmp_path, BARS["volume"], few), "600000")


def test_a_column_of_turnover_given_twice_is_no_fault(tmp_path):
    header = "Date,Open,High,Low,Close,Volume,Turnover,turnover"
    lines = BARS.assign(turnover=1.0, again=2.0)[
        ["date", "open", "high", "low", "close", "volume", "turnover", "again"]
    ]
    lines = [",".join(map(str, row)) for row in lines.to_numpy()]
    (tmp_path / "600000.csv").write_text("\n".join([header, *lines]) + "\n")
    check(files(tmp_path, **SHANGHAI).bars(), "600000")
