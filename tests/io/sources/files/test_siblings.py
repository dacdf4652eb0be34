"""What files say in one more way: volumes with points, cut rows, units, splits half applied."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from tests.io.sources.files.hand_made import HEADER, files
from tests.io.sources.files.test_vendors import BARS, DAYS, check, load, rows

PLAIN = "{d},{o},{h},{l},{c},{v}"
PRICED = [line.rpartition(",")[0] for line in rows(PLAIN)]
VOLUMES = [f"{volume:,}" for volume in BARS["volume"]]


def test_volumes_whose_point_may_group_thousands_are_refused_with_both_readings(tmp_path):
    lines = [f"{p},{v.replace(',', '.')}" for p, v in zip(PRICED, VOLUMES, strict=True)]
    first = VOLUMES[0]
    with pytest.raises(InvalidData, match=f"volume {first.replace(',', '.')} is .* or {first}"):
        load(tmp_path, "AAB.csv", [HEADER], lines)
    read = files(tmp_path, exchange_calendar="24/7", decimal=".").bars().bars
    np.testing.assert_allclose(read["volume"], BARS["volume"] / 1000)


@pytest.mark.parametrize("volume", ["{:.2f}", "{:.8f}", "{:.1f}"])
def test_fractions_of_coins_are_volumes(tmp_path, volume):
    shown = [volume.format(v / 1234567) for v in BARS["volume"]]
    lines = [f"{p},{v}" for p, v in zip(PRICED, shown, strict=True)]
    read = load(tmp_path, "AAB.csv", [HEADER], lines).bars
    np.testing.assert_allclose(read["volume"], [float(v) for v in shown])


def test_a_last_row_that_was_cut_costs_itself_and_is_named(tmp_path):
    lines = [f'{p},"{v}"' for p, v in zip(PRICED, VOLUMES, strict=True)]
    lines[-1] = lines[-1][:-4]  # within the number, before its closing quote
    delivery = load(tmp_path, "AAB.csv", [HEADER], lines)
    check(delivery, "AAB")
    assert len(delivery.bars) == len(DAYS) - 1
    assert any("newest session quarantined: AAB 2023-12-15" in note for note in delivery.notes)


@pytest.mark.parametrize("mark", ["\u2028", "\x0b", "\x0c", "\x1c", "\x85"])
def test_what_ends_a_line_for_python_alone_costs_no_row(tmp_path, mark):
    delivery = load(tmp_path, "AAB.csv", [HEADER], rows(PLAIN), before=[f"Prices{mark}of AAB"])
    check(delivery, "AAB")
    assert len(delivery.bars) == len(DAYS)


@pytest.mark.parametrize("second", [",USD,USD,USD,USD,shares", ",GBp,GBp,GBp,GBp,", HEADER])
def test_a_second_line_of_units_or_the_header_again_is_no_line_of_tickers(tmp_path, second):
    delivery = load(tmp_path, "AAB.csv", [HEADER, second], rows(PLAIN))
    check(delivery, "AAB")
    assert len(delivery.bars) == len(DAYS)


def test_a_table_of_lists_is_refused_in_words(tmp_path):
    cells = {name: [list(BARS[name])] for name in HEADER.split(",")}
    pd.DataFrame({"symbol": ["AAB"], **cells}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InvalidData, match=r"a column of type list.*, not of single values"):
        files(tmp_path).bars()


@pytest.mark.parametrize("factor", [1e4, 1e9])
def test_a_month_of_prices_as_whole_numbers_is_no_price_of_a_us_stock(tmp_path, factor):
    scaled = BARS.assign(**{name: (BARS[name] * factor).round() for name in HEADER.split(",")[1:5]})
    scaled[HEADER.split(",")].to_csv(tmp_path / "AAB.csv", index=False)
    with pytest.raises(InvalidData, match=r"AAB: prices around .* shares a day at such a price"):
        files(tmp_path).bars()


def walk(count: int = 90) -> pd.DataFrame:
    """Quiet bars around 100, indexed by sessions of XNYS."""
    random = np.random.default_rng(5)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, count)))
    opened = np.append(100.0, close[:-1]) * np.exp(random.normal(0, 0.003, count))
    bars = pd.DataFrame({"open": opened, "close": close}).round(2)
    bars["high"], bars["low"] = bars.max(axis=1) + 0.5, bars.min(axis=1) - 0.5
    bars["volume"] = random.integers(200_000, 400_000, count)
    bars.index = pd.bdate_range("2023-02-21", periods=count, name="date")
    return bars.drop(pd.DatetimeIndex(["2023-04-07", "2023-05-29"]))


def test_a_split_of_a_column_that_explains_half_of_the_step_is_refused_with_the_whole(tmp_path):
    bars = walk()
    bars.iloc[:40, :4] *= 4
    bars["Stock Splits"] = 0.0
    bars.iloc[40, 5] = 2.0
    bars.to_csv(tmp_path / "AAB.csv")
    day = f"{bars.index[40]:%Y-%m-%d}"
    with pytest.raises(InvalidData, match="beside the 2 of its column, or a move of -50 %") as told:
        files(tmp_path).bars()
    assert f"AAB,{day},4 (with the ratio that was announced; or ,2 where" in str(told.value)
    bars.iloc[40, 5] = 4.0
    bars.to_csv(tmp_path / "AAB.csv")
    assert files(tmp_path).bars().bars["close"].max() < 130


def test_prices_in_pounds_before_pence_are_refused_with_that_reading_too(tmp_path):
    bars = walk()
    bars.iloc[:40, :4] /= 100
    bars.to_csv(tmp_path / "AAB.L.csv")
    with pytest.raises(InvalidData, match=r"a split 100:1 .* or pence for pounds, or a move"):
        files(tmp_path, exchange_calendar="24/7").bars()


NAMED = {
    "open and close are one price on most bars of AAB (100 %)": lambda bars: bars.assign(
        open=bars["close"]
    ),
    "AAB: the open is the previous close on": lambda bars: bars.assign(
        open=bars["close"].shift().fillna(100), high=bars["high"] + 5, low=bars["low"] - 5
    ),
    "volumes that step and stay, as other units do: AAB 2023-04-": lambda bars: bars.assign(
        volume=np.where(np.arange(len(bars)) < 40, bars["volume"], bars["volume"] // 100)
    ),
}


@pytest.mark.parametrize("word", NAMED)
def test_bars_that_are_loaded_and_are_no_full_ones_are_named(tmp_path, word):
    NAMED[word](walk()).to_csv(tmp_path / "AAB.csv")
    assert any(word in note for note in files(tmp_path).bars().notes)
    walk().to_csv(tmp_path / "AAB.csv")
    assert not any(word in note for note in files(tmp_path).bars().notes)


def test_sheets_of_one_field_each_are_refused_with_what_can_be_read(tmp_path):
    for field in ("open", "high", "low", "close", "volume"):
        walk()[[field]].set_axis(["F"], axis=1).to_csv(tmp_path / f"{field}.csv")
    with pytest.raises(InvalidData, match="each one table of all fields: close AAPL, open AAPL"):
        files(tmp_path).bars()


def test_the_column_of_symbols_that_is_suggested_is_no_count_of_rows(tmp_path):
    table = pd.concat({"AAB": walk(), "BBC": walk()}, names=["level_0"]).reset_index()
    table.to_csv(tmp_path / "x.csv")
    with pytest.raises(InvalidData, match=r"data\.columns\.symbol=level_0"):
        files(tmp_path).bars()
