"""Earnings dates by yfinance's own code on pages made by hand; never run against the service."""

from __future__ import annotations

import logging

import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.io import calendar
from pipeline.io.sources.protocol import NOT_DELIVERED
from pipeline.io.sources.universe import of_names
from pipeline.io.sources.yahoo.earnings import NO_DATES
from pipeline.io.sources.yahoo.source import Yahoo
from pipeline.io.store.earnings import refresh_earnings
from pipeline.io.store.store import Store
from tests.io.sources import yahoo_answers as answers
from tests.io.sources.yahoo_answers import Listing, Servers

pytestmark = pytest.mark.usefixtures("forgetful_yfinance")

SESSIONS = calendar.sessions("XNYS", pd.Timestamp("2024-05-01"), pd.Timestamp("2024-06-05"))
PAST = ("May 2, 2024 at 4 PM EDT", "1.50", "1.53", "+2.00")
AHEAD = ("August 1, 2024 at 4 PM EDT", "1.35", "-", "-")
MOVED = ("August 8, 2024 at 4 PM EDT", "1.36", "-", "-")
WINTER = ("February 1, 2024 at 4 PM EST", "2.10", "2.18", "3.81")


@pytest.fixture
def servers() -> Servers:
    listed = {name: Listing(answers.bars(SESSIONS)) for name in ("AAPL", "FUND")}
    listed["AAPL"].earnings = [AHEAD, PAST, WINTER]
    return Servers(listed)


def yahoo(servers: Servers, now: str = "2024-06-05 22:00") -> Yahoo:
    how = check(compose(["data=yfinance", "data.download.backoff_seconds=0"])).data
    universe = of_names(["AAPL", "FUND"])
    return Yahoo(how, universe, now=lambda: pd.Timestamp(now, tz="UTC"), session=servers)


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "yfinance.db") as opened:
        yield opened


def test_dates_come_with_their_day_in_new_york_their_moment_and_their_numbers(servers):
    given = yahoo(servers).earnings(["AAPL", "FUND"])
    assert given.reasons == {"FUND": NO_DATES}
    assert given.downloaded_at == pd.Timestamp("2024-06-05 22:00", tz="UTC")
    rows = given.rows.astype({"session": "str"}).fillna(-1.0).to_numpy().tolist()
    assert rows == [
        ["2024-02-01", "AAPL", "2024-02-01T21:00:00+00:00", 2.10, 2.18, 3.81],
        ["2024-05-02", "AAPL", "2024-05-02T20:00:00+00:00", 1.50, 1.53, 2.00],
        ["2024-08-01", "AAPL", "2024-08-01T20:00:00+00:00", 1.35, -1.0, -1.0],
    ]


def test_a_date_is_known_since_the_download_that_first_listed_it(servers, store):
    refresh_earnings(store, yahoo(servers), ["AAPL", "FUND"], 7)
    servers.listings["AAPL"].earnings = [MOVED, PAST]
    refresh_earnings(store, yahoo(servers, "2024-06-13 08:00"), ["AAPL", "FUND"], 7)
    dates = store.earnings(symbols=["AAPL"]).astype({"session": "str"}).set_index("session")
    first, last = "2024-06-05T22:00:00+00:00", "2024-06-13T08:00:00+00:00"
    assert dates["first_known"].to_dict() == {
        "2024-02-01": first, "2024-05-02": first, "2024-08-01": first, "2024-08-08": last,
    }  # fmt: skip
    assert dates["last_known"].to_dict() == {
        "2024-02-01": first, "2024-05-02": last, "2024-08-01": first, "2024-08-08": last,
    }  # fmt: skip
    assert list(store.earnings(start="2024-08-02")["eps_estimate"]) == [1.36]


def test_they_are_asked_for_again_after_so_many_days_a_fund_too_and_never_with_null(servers, store):
    names = ["AAPL", "FUND"]
    assert refresh_earnings(store, yahoo(servers), names, None) is None
    assert servers.asked == []
    assert refresh_earnings(store, yahoo(servers), names, 7) is not None
    assert refresh_earnings(store, yahoo(servers, "2024-06-12 21:59"), names, 7) is None
    assert len(servers.asked) == 2
    assert refresh_earnings(store, yahoo(servers, "2024-06-12 22:00"), names, 7) is not None
    assert sorted(name for name, _ in servers.asked) == ["AAPL", "AAPL", "FUND", "FUND"]


def test_who_did_not_answer_is_named_and_asked_again_with_the_next_ingestion(
    servers, store, caplog
):
    servers.always["AAPL"] = (429, b"Too Many Requests")
    with caplog.at_level(logging.INFO):
        given = refresh_earnings(store, yahoo(servers), ["AAPL", "FUND"], 7)
    assert given.reasons["AAPL"] == f"{NOT_DELIVERED}: rate limited"
    assert "earnings dates: not delivered: rate limited: 1 symbols: AAPL" in caplog.text
    assert "may be delisted" not in caplog.text, "yfinance's own word on a fund"
    assert store.earnings().empty
    del servers.always["AAPL"]
    servers.asked.clear()
    refresh_earnings(store, yahoo(servers), ["AAPL", "FUND"], 7)
    assert [name for name, _ in servers.asked] == ["AAPL"]
    assert len(store.earnings()) == 3
