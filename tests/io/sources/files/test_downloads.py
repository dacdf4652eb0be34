"""What people download or save from programs: read with the right values, or refused by name."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.numbers import numbers
from tests.io.sources.files.hand_made import files
from tests.io.sources.files.test_vendors import BARS, DAYS, NEW_YORK, check, load, rows

NUMBERED = [f"{n},{line}" for n, line in enumerate(rows("{d},{c},{h},{l},{o},{v}"))]
DOWNLOADS = {
    # file, lines of the header, rows, symbol, how it is read
    "yfinance, index reset, with rows counted": (
        "AAB.csv", ["Price,Date,Close,High,Low,Open,Volume", "Ticker,,AAB,AAB,AAB,AAB,AAB"],
        NUMBERED, "AAB", {}),
    "yfinance, index reset": (
        "d.csv", ["Date,Close,High,Low,Open,Volume", ",AAB,AAB,AAB,AAB,AAB"],
        rows("{d},{c},{h},{l},{o},{v}"), "AAB", {}),
    "names of columns as pairs, the date's with no ticker": (
        "d.csv", ["\"('Date', '')\"," + ",".join(
            f"\"('{name}', 'AAB')\"" for name in ("Close", "High", "Low", "Open", "Volume"))],
        rows("{d},{c},{h},{l},{o},{v}"), "AAB", {}),
    "names in humps": (
        "AAB.csv", ["tradeDate,openPrice,highPrice,lowPrice,closePrice,tradeVolume"],
        rows("{d},{o},{h},{l},{c},{v}"), "AAB", {}),
    "EODHD, ended by a count of rows": (
        "AAB.US.csv", ["Date,Open,High,Low,Close,Adjusted_close,Volume"],
        [*rows("{d},{o},{h},{l},{c},{c},{v}"), "29"], "AAB", NEW_YORK),
    "MOEX, followed by its cursor": (
        "SBER.csv", ["history", "", "BOARDID;TRADEDATE;SHORTNAME;SECID;OPEN;LOW;HIGH;CLOSE;VOLUME"],
        [*rows("TQBR;{d};Сбербанк;SBER;{o};{l};{h};{c};{v}"), "", "history.cursor", "",
         "INDEX;TOTAL;PAGESIZE", "0;29;100"],
        "SBER", {"encoding": "cp1251", "exchange_calendar": "XMOS"}),
    "shares counted in German": (
        "AAB.csv", ["Datum;Eröffnung;Hoch;Tief;Schluss;Volumen"],
        rows("{d};{O} €;{H} €;{L} €;{C} €;{v} Stk.", "%d.%m.%Y"), "AAB", {}),
    "a header again within": (
        "AAB.csv", ["Date,Open,High,Low,Close,Volume"],
        [*(plain := rows("{d},{o},{h},{l},{c},{v}"))[:9], "Date,Open,High,Low,Close,Volume",
         *plain[9:]], "AAB", {}),
    "one ticker in either case": (
        "x.csv", ["date,symbol,open,high,low,close,volume"],
        [line.replace("AAB", name) for line, name in
         zip(rows("{d},AAB,{o},{h},{l},{c},{v}"), ["AAB", "aab"] * 15, strict=False)], "AAB", {}),
}  # fmt: skip


@pytest.mark.parametrize("name", DOWNLOADS)
def test_a_download_is_read_as_it_is_meant(tmp_path, name):
    file, header, lines, symbol, how = DOWNLOADS[name]
    delivery = load(tmp_path, file, header, lines, **how)
    check(delivery, symbol)
    assert not delivery.refused


def test_volumes_of_two_units_are_refused_with_both_names_and_read_as_config_says(tmp_path):
    header = ["https://example.org", "Unix,Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USDT"]
    seconds = [int(day.timestamp()) for day in DAYS]
    lines = rows("{d},BTC/USDT,{o},{h},{l},{c},{v},99.5")
    lines = [f"{at},{line}" for at, line in zip(seconds, lines, strict=True)]
    with pytest.raises(InvalidData, match="may be 'Volume BTC' or 'Volume USDT'") as caught:
        load(tmp_path, "BTC.csv", header, lines)
    assert "data.columns.volume=" in str(caught.value)
    columns = {"volume": "Volume BTC"}
    check(load(tmp_path, "BTC.csv", header, lines, columns=columns), "BTC/USDT")


def test_a_file_in_utf_16_that_was_cut_within_a_letter_costs_its_last_row(tmp_path):
    text = "\n".join(
        ["Date\tOpen\tHigh\tLow\tClose\tVolume", *rows("{d}\t{o}\t{h}\t{l}\t{c}\t{v}")]
    )
    (tmp_path / "AAB.txt").write_bytes(text.encode("utf-16")[:-21])
    delivery = files(tmp_path, exchange_calendar="24/7").bars()
    check(delivery, "AAB")
    assert len(delivery.bars) == len(BARS) - 1


@pytest.mark.parametrize(
    ("price", "volume", "value"),
    [("71,500원", "1,234,567주", 71500.0), ("Rp9.250", "1.234.567", 9250.0)],
)
def test_volumes_counted_in_words_prove_the_mark_of_prices(price, volume, value):
    read = numbers({"close": pd.Series([price]), "volume": pd.Series([volume])}, None, "x")
    assert read.by_column["close"].tolist() == [value]
    assert read.by_column["volume"].tolist() == [1234567.0]
