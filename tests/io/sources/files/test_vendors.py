"""Exports of vendors, exchanges and programs: the bars that they hold, or why none."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from tests.io.sources.files.hand_made import files

DAYS = pd.DatetimeIndex(
    [day for day in pd.bdate_range("2023-11-06", "2023-12-15") if day != pd.Timestamp("2023-11-23")]
)
PRICES = ("open", "high", "low", "close")
WEB = {"exchange_calendar": "24/7"}
"""A calendar with every day: what is tested is how a file is read."""


def bars() -> pd.DataFrame:
    """Quiet prices with cents around 40, whose low and high are told apart from open and close."""
    random = np.random.default_rng(3)
    close = 40 + np.cumsum(random.normal(0, 0.3, len(DAYS)))
    open_ = np.append(40.0, close[:-1])
    table = pd.DataFrame({"open": open_, "close": close}).assign(
        high=np.maximum(open_, close) + 0.31, low=np.minimum(open_, close) - 0.29
    )
    volume = random.integers(100_000, 900_000, len(DAYS))
    return table.round(2).assign(volume=volume, date=DAYS)


BARS = bars()


def rows(line: str, date: str | Callable[[pd.Timestamp], str] = "%Y-%m-%d") -> list[str]:
    """A line a day, with d, o, h, l, c and v filled in; O, H, L, C are written with a comma."""
    written = []
    for bar in BARS.itertuples():
        day = bar.date.strftime(date) if isinstance(date, str) else date(bar.date)
        some = {"o": bar.open, "h": bar.high, "l": bar.low, "c": bar.close}
        comma = {name.upper(): f"{value:.2f}".replace(".", ",") for name, value in some.items()}
        written.append(line.format(d=day, v=bar.volume, **some, **comma))
    return written


def load(folder, name, header, lines, encoding="utf-8", before=(), **how):
    file = folder / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes("\n".join([*before, *header, *lines]).encode(encoding) + b"\n")
    return files(folder, **(WEB | how)).bars()


def check(delivery, symbol: str) -> None:
    read = delivery.bars
    assert list(read.index.unique("symbol")) == [symbol]
    right = BARS.set_index("date").reindex(read.index.get_level_values(0))
    assert len(right) >= len(DAYS) - 2, "but for holidays of its market"
    np.testing.assert_allclose(read[list(PRICES)], right[list(PRICES)], rtol=1e-9)
    np.testing.assert_allclose(read["volume"], right["volume"], rtol=1e-9)


def milliseconds(zone: str, factor: int = 1000) -> Callable[[pd.Timestamp], str]:
    return lambda day: str(int(day.tz_localize(zone).timestamp()) * factor)


NEW_YORK = {"exchange_calendar": "XNYS"}
EXPORTS = {
    # file, header, line, form of the date, symbol, and how it is read
    "polygon flat file": (
        "x.csv", "ticker,volume,open,close,high,low,window_start,transactions",
        "AAB,{v},{o},{c},{h},{l},{d},9", milliseconds("America/New_York", 10**9), "AAB", NEW_YORK),
    "polygon answer": ("AAB.csv", "v,vw,o,c,h,l,t,n", "{v},1,{o},{c},{h},{l},{d},9",
                       milliseconds("America/New_York"), "AAB", NEW_YORK),
    "finnhub answer with an index": (
        "AAB.csv", ",c,h,l,o,s,t,v", "7,{c},{h},{l},{o},ok,{d},{v}",
        milliseconds("UTC", 1), "AAB", NEW_YORK),
    "barchart": ("aab_daily_historical-data-03-08-2024.csv",
                 "Time,Open,High,Low,Latest,%Change,Volume",
                 "{d},{o},{h},{l},{c},1%,{v}", "%m/%d/%Y", "AAB", {}),
    "wsj, year of two digits": ("AAB.csv", "Date, Open, High, Low, Close, Volume",
                                "{d}, {o}, {h}, {l}, {c}, {v}", "%m/%d/%y", "AAB", {}),
    "wallstreet-online": ("AAB.csv", "Datum;Eröffnung;Hoch;Tief;Schluss;Volumen",
                          "{d};{O};{H};{L};{C};{v}", "%d.%m.%y", "AAB", {}),
    "kabutan": ("7203.csv", "日付,始値,高値,安値,終値,売買高(株)", "{d},{o},{h},{l},{c},{v}",
                "%y/%m/%d", "7203", {"encoding": "cp932", "exchange_calendar": "XTKS"}),
    "ariva: volume in money": (
        "SAP.csv", "Datum;Erster;Hoch;Tief;Schlusskurs;Stuecke;Volumen",
        "{d};{O};{H};{L};{C};{v};1.234.567,89", "%Y-%m-%d", "SAP", {}),
    "finanzen.net": (
        "SAP.csv", "Datum;Eröffnung;Schluss;Tageshoch;Tagestief;Umsatz (Stück);Umsatz (EUR)",
        "{d};{O};{C};{H};{L};{v};1.234.567,89", "%d.%m.%Y", "SAP", {"encoding": "latin-1"}),
    "euronext": ("BNP.csv", "Date;Open;High;Low;Last;Close;Number of Shares;Turnover;vwap",
                 "'{d};{o};{h};{l};{c};{c};{v};9;9.5", "%d/%m/%Y", "BNP", {}),
    "investing.com in Swedish": ("SAP.csv", '"Datum","Senaste","Öppen","Högst","Lägst","Vol."',
                                 '"{d}","{C}","{O}","{H}","{L}","{v}"', "%Y-%m-%d", "SAP", {}),
    "investing.com in Korean": ("SAP.csv", '"날짜","종가","시가","고가","저가","거래량"',
                                '"{d}","{c}","{o}","{h}","{l}","{v}"', "%Y- %m- %d", "SAP", {}),
    "French, months by name": (
        "BNP.csv", "Date;Ouverture;Plus haut;Plus bas;Clôture;Volume", "{d};{O};{H};{L};{C};{v}",
        lambda day: f"{day.day} {('nov.', 'déc.')[day.month - 11]} {day.year}", "BNP", {}),
    "Brazilian without accents": (
        "PETR4.csv", "DATA;ABERTURA;MAXIMA;MINIMA;FECHAMENTO;VOLUME", "{d};{O};{H};{L};{C};{v}",
        "%d/%m/%Y", "PETR4", {}),
    "web page of Yahoo": (
        "AAB.csv", "Date,Open,High,Low,Close Close price adjusted for splits.,Volume",
        '"{d}",{o},{h},{l},{c},{v}', "%b %d, %Y", "AAB", {}),
    "Taiwan's years": (
        "2330.csv", "日期,成交股數,成交金額,開盤價,最高價,最低價,收盤價",
        "{d},{v},1,{o},{h},{l},{c}",
        lambda day: f"{day.year - 1911}/{day:%m/%d}", "2330",
        {"encoding": "cp950", "exchange_calendar": "XTAI"}),
    "Thailand's years": ("PTT.csv", "Date,Open,High,Low,Close,Volume", "{d},{o},{h},{l},{c},{v}",
                         lambda day: f"{day:%d/%m}/{day.year + 543}", "PTT",
                         {"exchange_calendar": "XBKK"}),
    "a code as Excel's text": ("x.csv", "Date,Symbol,Open,High,Low,Close,Volume",
                               '{d},"=""0050""",{o},{h},{l},{c},{v}', "%Y-%m-%d", "0050", {}),
    "R's table with names of rows": ("AAB.csv", "Date,Open,High,Low,Close,Volume",
                                     "7,{d},{o},{h},{l},{c},{v}", "%Y-%m-%d", "AAB", {}),
    "BSE, rows that end with a comma": (
        "500325.csv", "Date,Open Price,High Price,Low Price,Close Price,No.of Shares",
        "{d},{o},{h},{l},{c},{v},", "%d-%B-%Y", "500325", {}),
    "columns apart by spaces": ("AAB.txt", "Date        Open  High   Low  Close Volume",
                                "{d}  {o}  {h} {l}  {c}  {v}", "%Y-%m-%d", "AAB", {}),
    "metastock's suffix": ("AAB.mst", "<TICKER>,<DTYYYYMMDD>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
                           "AAB,{d},{o},{h},{l},{c},{v}", "%Y%m%d", "AAB", {}),
    "compact moments": ("AAB.csv", "time,open,high,low,close,volume", "{d},{o},{h},{l},{c},{v}",
                        "%Y%m%d160000", "AAB", {}),
    "days since 1970": (
        "AAB.csv", "date,open,high,low,close,volume", "{d},{o},{h},{l},{c},{v}",
        lambda day: str((day - pd.Timestamp(0)).days), "AAB", NEW_YORK),
    "Excel's days with a part": (
        "AAB.csv", "date,open,high,low,close,volume", "{d},{o},{h},{l},{c},{v}",
        lambda day: f"{(day - pd.Timestamp('1899-12-30')).days}.6666667", "AAB", {}),
    "currencies behind prices": ("AAB.csv", "Date,Open,High,Low,Close,Volume",
                                 "{d},{o} USD,{h} USD,{l} USD,{c} USD,{v}", "%Y-%m-%d", "AAB", {}),
    "pence": ("AAB.csv", "Date,Open (GBp),High (GBp),Low (GBp),Close (GBp),Volume (Shares)",
              "{d},{o}p,{h}p,{l}p,{c}p,{v}", "%Y-%m-%d", "AAB", {}),
    "the NSE's name of a file": (
        "Quote-Equity-AAB-EQ-06-11-2023-to-15-12-2023.csv",
        '"Date ","OPEN ","HIGH ","LOW ","close ","VOLUME "',
        '"{d}","{o}","{h}","{l}","{c}","{v}"', "%d-%b-%Y", "AAB", {}),
    "MarketWatch's name of a file": ("STOCK_US_XNAS_AAB.csv", "Date,Open,High,Low,Close,Volume",
                                     "{d},${o},${h},${l},${c},{v}", "%m/%d/%Y", "AAB", {}),
    "a month in its year's folder": ("AAB/2023/11.csv", "Date,Open,High,Low,Close,Volume",
                                     "{d},{o},{h},{l},{c},{v}", "%Y-%m-%d", "AAB", {}),
    "ids of coins in a column name": (
        "BTC.csv", "timeOpen;name;open;high;low;close;volume",
        "{d}T00:00:00.000Z;2781;{o};{h};{l};{c};{v}",
        "%Y-%m-%d", "BTC", {}),
}  # fmt: skip


@pytest.mark.parametrize("export", EXPORTS)
def test_an_export_is_read_as_its_maker_means_it(tmp_path, export):
    name, header, line, date, symbol, how = EXPORTS[export]
    check(load(tmp_path, name, [header], rows(line, date), **how), symbol)


PLAIN = "{d},{o},{h},{l},{c},{v}"
REFUSED = {
    # header, line, what the message says
    "a file without a header": ([], PLAIN, "no header, the first line is a row of values"),
    "another symbol in a column of codes": (
        ["date,open,high,low,close,volume,code"], PLAIN + ",XYZ.US", "its column code XYZ.US"),
    "a volume in millions": (
        ["date,open,high,low,close,Volume (MIL)"], PLAIN, "no column for volume"),
    "a volume in dollars": (
        ["date,open,high,low,close,Volume (USD)"], PLAIN, "no column for volume"),
    "an adjusted close alone": (
        ["date,open,high,low,Close (ADJ),volume"], PLAIN, "no column for close"),
    "two currencies": (
        ["date,open,high,low,close,volume"], "{d},${o},${h},${l},£{c},{v}", "prices in"),
    "a suffix that is a thousand or a million": (
        ["date,open,high,low,close,volume"], PLAIN + "MM", "is no number"),
}  # fmt: skip


@pytest.mark.parametrize("export", REFUSED)
def test_what_can_be_two_things_is_refused_in_words(tmp_path, export):
    header, line, found = REFUSED[export]
    with pytest.raises(InvalidData, match=found):
        load(tmp_path, "AAB.csv", header, rows(line))


def test_a_file_without_a_header_is_read_by_the_places_of_its_columns(tmp_path):
    with pytest.raises(InvalidData) as caught:
        load(tmp_path, "AAB.csv", [], rows(PLAIN))
    assert "next: python" in str(caught.value) or "data.columns.date=1" in str(caught.value)
    names = ("date", *("open", "high", "low", "close"), "volume")
    places = {name: str(place) for place, name in enumerate(names, start=1)}
    check(files(tmp_path, **WEB, columns=places).bars(), "AAB")


def test_years_of_two_digits_that_daily_bars_do_not_prove_are_refused_with_both_readings(tmp_path):
    lines = ["01/02/23,10,11,9,10,5", "01/03/23,10,11,9,10,5", "02/03/23,10,11,9,10,5"]
    with pytest.raises(InvalidData, match="'01-02-23' is 2023-02-01 or 2023-01-02"):
        load(tmp_path, "AAB.csv", ["date,open,high,low,close,volume"], lines)
    read = files(tmp_path, **WEB, day_first=False).bars().bars
    assert f"{read.index[0][0]:%Y-%m-%d}" == "2023-01-02"


def test_words_in_many_rows_cost_those_rows_and_a_volume_of_zero_is_named(tmp_path):
    lines = rows(PLAIN)
    for place in range(0, 20, 4):
        lines[place] = lines[place].rpartition(",")[0] + ",halted"
    header = ["date,open,high,low,close,volume"]
    delivery = load(tmp_path, "AAB.csv", header, lines)
    assert delivery.quarantine["reason"].tolist() == ["a text that is no number"] * 5
    delivery = load(tmp_path, "AAB.csv", header, rows("{d},{o},{h},{l},{c},0"))
    assert any("volume 0 on most bars of AAB (100 %)" in note for note in delivery.notes)


def test_a_volume_without_end_is_no_volume(tmp_path):
    lines = rows(PLAIN)
    lines[3] = lines[3].rpartition(",")[0] + ",inf"
    delivery = load(tmp_path, "AAB.csv", ["date,open,high,low,close,volume"], lines)
    assert delivery.quarantine["reason"].tolist() == ["volume not finite"]


def test_rows_without_a_symbol_cost_themselves_and_names_that_are_none_all_of_them(tmp_path):
    header, line = ["date,symbol,open,high,low,close,volume"], "{d},AAB,{o},{h},{l},{c},{v}"
    lines = [*rows(line)[:-1], rows(line)[-1].replace("AAB", "")]
    delivery = load(tmp_path, "x.csv", header, lines)
    assert len(delivery.bars) == len(DAYS) - 1
    assert any("1 rows of 1 names that are no symbols" in note for note in delivery.notes)
    with pytest.raises(InvalidData, match="no row has a symbol"):
        load(tmp_path, "x.csv", header, rows(line.replace("AAB", "=A1+B1")))
