"""Rules a bar or a symbol from a file has to keep, each broken once by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from tests.io.sources.files.hand_made import HEADER, WEEK, files, rows, write


def with_row(row: str, place: int = 2) -> list[str]:
    """The week's bars with one replaced."""
    lines = rows()
    return [*lines[:place], row, *lines[place + 1 :]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2021-03-10,,,,,", "empty row"),
        ("2021-03-10,12,13,11,,100", "price missing"),
        ("2021-03-10,12,13,11,12.5,", "volume missing"),
        ("2021-03-10,12,13,0,12.5,100", "price not positive"),
        ("2021-03-10,12,inf,11,12.5,100", "price not finite"),
        ("2021-03-10,12,13,11,12.5,-1", "volume negative"),
        ("2021-03-10,12,12.2,11,12.5,100", "high below another price"),
        ("2021-03-10,12,13,12.1,12.5,100", "low above another price"),
        ("2021-03-10,12,12,12,12,0", "no trading: one price and no volume"),
        ("2021-03-07,12,13,11,12.5,100", "no session of XNYS"),
        ("2199-03-08,12,13,11,12.5,100", "dated in the future"),
    ],
)
def test_a_bar_that_breaks_a_rule_is_set_aside_as_given_with_the_rule(tmp_path, row, reason):
    lines = rows(pd.bdate_range("2021-03-01", periods=15).strftime("%Y-%m-%d"))
    day, *values = row.split(",")
    lines = [line for line in lines if not line.startswith(day)]
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *lines, row)).bars()
    assert len(delivery.bars) == len(lines)
    (left_out,) = delivery.quarantine.to_dict("records")
    assert left_out["reason"] == reason
    assert f"{left_out['session']:%Y-%m-%d}" == day
    given = [float(value) if value else np.nan for value in values]
    np.testing.assert_array_equal([left_out[n] for n in HEADER.split(",")[1:]], given)


def test_a_high_that_is_too_low_by_rounding_alone_is_kept(tmp_path):
    row = "2021-03-10,12,12.4999999,11,12.5,100"
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *with_row(row))).bars()
    assert delivery.quarantine.empty


@pytest.mark.parametrize("volume", ["100", "0"])
def test_calendar_days_filled_forward_are_set_aside_as_such(tmp_path, volume):
    filled = [f"2021-03-{day},14,15,13,14.5,{volume}" for day in (13, 14)]
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *rows(), *filled)).bars()
    assert len(delivery.bars) == 5
    reason = "forward fill: a day without session repeats the bar before"
    assert delivery.quarantine["reason"].tolist() == [reason] * 2


def test_a_row_given_twice_is_kept_once(tmp_path):
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *rows(), rows()[0])).bars()
    assert len(delivery.bars) == 5
    assert delivery.quarantine["reason"].tolist() == ["row given twice, kept once"]


def test_of_two_bars_of_a_session_that_differ_none_is_taken(tmp_path):
    days = pd.bdate_range("2021-01-04", "2021-12-31").strftime("%Y-%m-%d")
    again = "2021-03-10,50,51,49,50,100"
    delivery = files(write(tmp_path / "ABC.csv", HEADER, *rows(days), again)).bars()
    assert pd.Timestamp("2021-03-10") not in delivery.bars.index.get_level_values(0)
    left_out = delivery.quarantine.set_index("session")["reason"]
    assert left_out["2021-03-10"] == "two bars of one session that differ"
    assert left_out.index.is_unique


def test_files_that_contradict_each_other_on_a_symbol_are_both_named(tmp_path):
    write(tmp_path / "ABC.csv", HEADER, *rows())
    write(tmp_path / "ABC (1).csv", HEADER, *rows(first=20))
    write(tmp_path / "XYZ.csv", HEADER, *rows())
    delivery = files(tmp_path).bars()
    assert delivery.bars.index.unique("symbol").tolist() == ["XYZ"]
    assert "ABC (1).csv and ABC.csv" in delivery.refused["ABC"]


def test_parts_of_a_symbol_in_several_files_are_joined(tmp_path):
    write(tmp_path / "ABC_1.csv", HEADER, *rows(WEEK[:2]))
    write(tmp_path / "ABC_2.csv", HEADER, *rows(WEEK[2:]))
    assert len(files(tmp_path).bars().bars) == 5


def test_weekly_bars_are_not_taken_for_daily_ones(tmp_path):
    fridays = pd.date_range("2021-01-08", periods=10, freq="7D").strftime("%Y-%m-%d")
    with pytest.raises(InvalidData, match="5 sessions apart: weekly or monthly"):
        files(write(tmp_path / "ABC.csv", HEADER, *rows(fridays))).bars()


def test_dates_of_another_exchange_are_refused_with_both_readings(tmp_path):
    shifted = pd.bdate_range("2021-03-08", periods=20) - pd.Timedelta(days=1)
    lines = rows(shifted.strftime("%Y-%m-%d"))
    with pytest.raises(InvalidData, match=r"20 % of its days .* elsewhere .* or its dates"):
        files(write(tmp_path / "ABC.csv", HEADER, *lines)).bars()


def collided(folder):
    days = pd.bdate_range("2021-03-08", periods=70).strftime("%Y-%m-%d")
    return write(folder / "DHG.csv", HEADER, *[f"{d},30500,31000,30000,30750,99" for d in days])


def test_whole_prices_of_thousands_are_another_currency_or_have_to_be_accepted(tmp_path):
    with pytest.raises(InvalidData, match=r"another company .* or real \(needed: data.accept=\[D"):
        files(collided(tmp_path)).bars()
    assert len(files(collided(tmp_path), accept=["DHG"]).bars().bars) == 68  # two holidays


def test_gaps_are_sessions_inside_a_life_that_no_row_was_given_for(tmp_path):
    write(tmp_path / "ABC.csv", HEADER, *rows([*WEEK[:1], *WEEK[2:3], *WEEK[4:]]))
    write(tmp_path / "XYZ.csv", HEADER, *rows(WEEK[2:3]))
    write(tmp_path / "NEW.csv", HEADER, *rows(WEEK[3:]))
    gaps = files(tmp_path).bars().gaps
    found = [(f"{gap.session:%d}", gap.symbol, gap.reason) for gap in gaps.itertuples()]
    assert found == [("09", "*", "session missing"), ("11", "ABC", "bar missing")]


def test_an_index_may_lack_volume_and_trade_at_one_price(tmp_path):
    path = write(tmp_path / "ABC.csv", HEADER, *rows())
    vix = write(
        tmp_path / "VIX.csv", "date,open,high,low,close", *[f"{d},17,17,17,17" for d in WEEK]
    )
    delivery = files(path, vix).index_bars()
    assert delivery.bars.index.unique("symbol").tolist() == ["^VIX"]
    assert delivery.bars["volume"].isna().all()
    assert delivery.quarantine.empty


def test_a_stale_open_of_an_index_is_told(tmp_path):
    path = write(tmp_path / "ABC.csv", HEADER, *rows())
    lines = [f"{day},{10 + p},{11 + p},{10 + p},{11 + p},0" for p, day in enumerate(WEEK)]
    index = write(tmp_path / "GSPC.csv", HEADER, *lines)
    (note,) = files(path, index).index_bars().notes
    assert "^GSPC: the open is the previous close on 80 % of the sessions" in note
