"""The stage on a source that has to be asked again; the network is `yahoo_answers`."""

from __future__ import annotations

import logging
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.contract import Tables
from pipeline.errors import PipelineError
from pipeline.io import calendar
from pipeline.io.sources.yahoo.source import Yahoo
from pipeline.io.store.store import Store
from pipeline.stages import ingest
from tests.io.sources.yahoo_answers import Listing, Servers, bars

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
            settings.data,
            build.universe(settings),
            now=lambda: pd.Timestamp("2024-06-05 22:00", tz="UTC"),
            session=servers,
        )

    monkeypatch.setattr(build, "source", source)
    return checked


def test_what_came_and_what_did_not_is_counted_and_named(live, metrics, servers, caplog) -> None:
    servers.listings["AAPL"].dividends = {"2024-05-15": 0.25}
    with caplog.at_level(logging.INFO, logger="pipeline"):
        ingest.run(live)
    assert metrics["ingest/rows"] == 5 * len(SESSIONS)
    assert metrics["ingest/asked"] == 3
    assert metrics["ingest/delisted"] == 1
    assert metrics["ingest/failed"] == 0
    assert "ingest: delisted: 1 symbols: GONE" in caplog.text
    with Store.open(live.store.path) as store:
        assert store.goes_ex().loc["2024-05-15", "AAPL"]


def test_splits_and_earnings_dates_are_tables_of_the_store_and_of_the_run(
    live, metrics, servers, monkeypatch
) -> None:
    logged: dict[str, pd.DataFrame] = {}
    monkeypatch.setattr(ingest.runs, "log_table", lambda rows, name: logged.update({name: rows}))
    servers.listings["AAPL"].splits = {"2024-05-20": (4, 1)}
    servers.listings["AAPL"].earnings = [("May 2, 2024 at 4 PM EDT", "1.5", "1.53", "2.0")]
    ingest.run(live)
    with Store.open(live.store.database) as store:
        assert store.splits()[["symbol", "ratio"]].to_numpy().tolist() == [["AAPL", 4.0]]
        assert store.earnings()["eps_reported"].to_list() == [1.53]
    assert list(logged[Tables.ACTIONS]["split"]) == [4.0]
    assert list(logged[Tables.EARNINGS]["symbol"]) == ["AAPL"]


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


@pytest.mark.parametrize("source", ["files", "yfinance"])
def test_a_source_that_cannot_be_opened_leaves_no_store(tmp_path: Path, source: str) -> None:
    where = tmp_path / "prices.db"
    with pytest.raises(PipelineError):
        ingest.run(check(compose([f"data={source}", f"store.path={where}"])))
    assert not where.exists()


def test_a_part_of_the_sample_in_the_store_is_not_taken_for_all_of_it(tmp_path, metrics) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol\nAAPL\n")
    where = f"store.path={tmp_path / 'sample.db'}"
    ingest.run(check(compose([where, f"universe.path={file}"])))
    ingest.run(check(compose([where])))
    assert metrics["ingest/rows"] > 60_000
    ingest.run(check(compose([where, f"universe.path={file}"])))
    assert metrics["ingest/rows"] == 0
