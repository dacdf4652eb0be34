"""The stage on a source that has to be asked again; the network is `yahoo_answers`."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from pipeline.io import calendar
from pipeline.io.providers.yahoo import Yahoo
from pipeline.settings import Settings
from pipeline.stages import _data, ingest
from pipeline.stages._runner import check, compose
from tests.io.yahoo_answers import Listing, Servers, bars

SESSIONS = calendar.sessions("XNYS", pd.Timestamp("2024-05-01"), pd.Timestamp("2024-06-05"))


@pytest.fixture
def servers() -> Servers:
    stocks = {name: Listing(bars(SESSIONS)) for name in ("AAPL", "BRK-B")}
    indices = {name: Listing(bars(SESSIONS, 5000, 0)) for name in ("^GSPC", "^IXIC", "^VIX")}
    return Servers(stocks | indices)


@pytest.fixture
def live(
    tmp_path: Path,
    servers: Servers,
    monkeypatch: pytest.MonkeyPatch,
    forgetful_yfinance: None,
) -> Settings:
    """Settings of a live project in this folder; its clock stands in the evening of 2024-06-05."""
    universe = tmp_path / "mine.csv"
    universe.write_text("symbol,sector\nAAPL,Tech\nBRK.B,Financials\nGONE,\n")
    checked = check(
        compose(
            [
                "data=yfinance",
                "data.download.start=2024-05-01",
                "data.download.backoff_seconds=0",
                f"universe.path={universe}",
                f"store.path={tmp_path / 'yfinance.db'}",
            ]
        )
    )

    def source(settings: Settings) -> Yahoo:
        return Yahoo(
            universe=settings.universe.path,
            download=settings.data.download,
            now=lambda: pd.Timestamp("2024-06-05 22:00", tz="UTC"),
            session=servers,
        )

    monkeypatch.setattr(_data, "source", source)
    return checked


def test_what_came_and_what_did_not_is_counted_and_named(live, metrics, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="pipeline"):
        ingest.run(live)
    assert metrics["ingest/rows"] == 5 * len(SESSIONS)
    assert metrics["ingest/asked"] == 3
    assert metrics["ingest/delisted"] == 1
    assert metrics["ingest/failed"] == 0
    assert "ingest: delisted: 1 symbols: GONE" in caplog.text


def test_a_source_without_a_version_is_asked_again_and_only_for_what_is_missing(
    live, metrics, servers, caplog
) -> None:
    ingest.run(live)
    servers.asked.clear()
    with caplog.at_level(logging.INFO, logger="pipeline"):
        ingest.run(live)
    assert {name for name, _ in servers.asked} == {"GONE"}
    assert metrics["ingest/rows"] == 0


def test_a_failure_and_a_re_adjustment_are_said(live, metrics, servers, caplog) -> None:
    ingest.run(live)
    listing = servers.listings["AAPL"]
    listing.bars[["open", "high", "low", "close"]] /= 4
    servers.always["BRK-B"] = (429, b"Too Many Requests")
    with caplog.at_level(logging.INFO, logger="pipeline"):
        ingest.run(live.model_copy(update={"start_date": SESSIONS[-3].date()}))
    assert "read again as a whole: 1 stocks: AAPL" in caplog.text
    assert "not delivered: rate limited: 1 symbols: BRK-B" in caplog.text
    assert metrics["ingest/readjusted"] == 1
    assert metrics["ingest/failed"] == 1


def test_symbols_given_by_name_may_be_written_with_a_point(live) -> None:
    named = live.model_copy(update={"symbols": ("brk.b",)})
    assert _data.named_symbols(named) == ["BRK-B"]
    assert _data.unknown_symbols(named) == []


def test_a_universe_of_which_the_source_has_a_part_is_no_fault_but_one_without_any_is(
    tmp_path: Path,
) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol\nAAPL\nNIXX\n")
    settings = check(compose([f"universe.path={file}"]))
    assert _data.unknown_symbols(settings) == []
    file.write_text("symbol\nNIXX\n")
    assert "none of its 1 symbols" in _data.unknown_symbols(settings)[0]


def test_a_part_of_the_sample_in_the_store_is_not_taken_for_all_of_it(tmp_path, metrics) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol\nAAPL\n")
    where = f"store.path={tmp_path / 'sample.db'}"
    ingest.run(check(compose([where, f"universe.path={file}"])))
    ingest.run(check(compose([where])))
    assert metrics["ingest/rows"] > 60_000
    ingest.run(check(compose([where, f"universe.path={file}"])))
    assert metrics["ingest/rows"] == 0
