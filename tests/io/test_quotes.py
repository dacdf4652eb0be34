"""Quotes: a CSV says what it lacks; Yahoo is asked in batches, and partial answers are named."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData, NotReady
from pipeline.io.quotes import BATCH, newest, parsed, premarket, quotes, yahoo_quotes
from tests.io.sources.yahoo_answers import Listing, Servers, bars

ZONE = "America/New_York"


def test_numbers_and_times_that_are_none_are_missing() -> None:
    text = (
        "Symbol, price ,time,venue\nA,10.5,2024-07-01 09:20,x\n"
        "B,n/a,2024-07-01T13:20:00Z,x\nC,3,soon,x\n"
    )
    told = parsed(text, "q.csv", ZONE)
    assert told["price"].tolist()[0] == 10.5
    assert np.isnan(told["price"][1])
    moment = pd.Timestamp("2024-07-01 13:20", tz="UTC")
    assert told["time"].tolist()[:2] == [moment, moment]
    assert pd.isna(told["time"][2])


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "No columns"), ("symbol,time\nA,x\n", "lacks price"), ("a\n", "lacks symbol")],
)
def test_a_csv_of_something_else_is_refused_in_one_sentence(text: str, found: str) -> None:
    with pytest.raises(InvalidData, match=found):
        parsed(text, "q.csv", ZONE)


def test_a_file_standard_input_and_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, text = tmp_path / "q.csv", "symbol,price,time\nA,1,2024-07-01 09:20\n"
    path.write_text(text)
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
    pd.testing.assert_frame_equal(quotes(str(path), [], ZONE, 1), quotes("-", [], ZONE, 1))
    with pytest.raises(NotReady, match="no quotes"):
        quotes(None, [], ZONE, 1)
    with pytest.raises(InvalidData, match=r"(?s)more than 1 MB.*morning\.max_megabytes=2"):
        quotes("/dev/zero", [], ZONE, 1)
    with Path("/dev/zero").open() as endless:
        monkeypatch.setattr("sys.stdin", endless)
        with pytest.raises(InvalidData, match="standard input has more than 1 MB"):
            quotes("-", [], ZONE, 1)
    with pytest.raises(InvalidData, match="cannot be read"):
        quotes(str(tmp_path / "none.csv"), [], ZONE, 1)


def test_what_goes_ex_is_told_by_a_csv_and_by_yahoo() -> None:
    text = (
        "symbol,price,time,dividend,split\nA,1,2024-07-01 09:20,0.31,1\n"
        "B,1,2024-07-01 09:20,0,1.0\n"
        "C,1,2024-07-01 09:20,,2\nD,1,2024-07-01 09:20,0.00,\n"
    )
    assert parsed(text, "q.csv", ZONE)["goes_ex"].tolist() == [True, False, True, False]
    assert not parsed("symbol,price,time\nA,1,2024-07-01 09:20\n", "q.csv", ZONE)["goes_ex"].any()
    sessions = pd.DatetimeIndex(["2024-06-28", "2024-07-01"])
    listings = {
        "PAYS": Listing(bars(sessions), dividends={"2024-07-01": 0.31}),
        "PAID": Listing(bars(sessions), dividends={"2024-06-28": 0.31}),
        "HALF": Listing(bars(sessions), splits={"2024-07-01": (2, 1)}),
    }
    servers = Servers(listings)
    told = yahoo_quotes(list(listings), lambda batch: premarket(batch, session=servers))
    assert dict(zip(told["symbol"], told["goes_ex"], strict=True)) == {
        "PAYS": True, "PAID": False, "HALF": True,
    }  # fmt: skip


def minutes(prices: dict[str, list[float]], zone: str = ZONE) -> pd.DataFrame:
    """Minute bars as ``yfinance.download`` gives several symbols: columns (field, symbol)."""
    count = len(next(iter(prices.values())))
    times = pd.date_range("2024-07-01 08:00", periods=count, freq="min", tz=zone, name="Datetime")
    fields = ("Open", "Close")
    parts = {(name, symbol): prices[symbol] for name in fields for symbol in prices}
    wide = pd.DataFrame(parts, times)
    return wide.rename_axis(columns=["Price", "Ticker"])


def test_the_newest_price_there_is_counts() -> None:
    wide = minutes({"A": [1.0, 2.0, np.nan], "B": [np.nan] * 3})
    told = newest(wide, ["A", "B", "C"])
    assert told == [("A", 2.0, pd.Timestamp("2024-07-01 12:01", tz="UTC"), False)]
    assert newest(pd.DataFrame(), ["A"]) == []


def test_batches_that_fail_and_symbols_without_an_answer_are_named(
    caplog: pytest.LogCaptureFixture,
) -> None:
    symbols = [f"S{n:03d}" for n in range(2 * BATCH + 5)]
    asked: list[int] = []

    def ask(batch: list[str]) -> pd.DataFrame:
        asked.append(len(batch))
        if batch[0] == symbols[BATCH]:
            raise ConnectionError("reset by peer")
        return minutes({name: [5.0, 6.0] for name in batch if name != "S003"})

    with caplog.at_level(logging.WARNING):
        told = yahoo_quotes(symbols, ask)
    assert asked == [BATCH, BATCH, 5]
    assert len(told) == BATCH + 5 - 1
    assert (told["price"] == 6.0).all()
    assert "no answer for 100 symbols, S100 to S199: reset by peer" in caplog.text
    assert "no pre-market price of S003" in caplog.text
    assert yahoo_quotes([], ask).empty


def test_yfinance_asks_before_the_open_and_a_symbol_without_an_answer_costs_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    sessions = pd.DatetimeIndex(["2024-06-28", "2024-07-01"])
    servers = Servers({"AAPL": Listing(bars(sessions)), "MSFT": Listing(bars(sessions, 300.0))})
    symbols = ["AAPL", "GONE", "MSFT"]
    with caplog.at_level(logging.WARNING):
        told = yahoo_quotes(symbols, lambda batch: premarket(batch, session=servers))
    assert told["symbol"].tolist() == ["AAPL", "MSFT"]
    assert told["price"].tolist() == pytest.approx([100.01, 300.01])
    assert (told["time"] == pd.Timestamp("2024-07-01 13:30", tz="UTC")).all()
    assert "no pre-market price of GONE" in caplog.text
    asked = [params for _, params in servers.asked if params.get("interval") == "1m"]
    assert len(asked) >= 3
    assert all(params["includePrePost"] for params in asked)
