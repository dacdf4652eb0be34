"""People's files change: through the real command, what is rebuilt, what is said, what is left."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io import calendar
from pipeline.io.store.store import Store
from tests.stages.conftest import Project

SESSIONS = calendar.sessions("XNYS", pd.Timestamp("2021-01-04"), pd.Timestamp("2021-06-30"))


def bars(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(rng.normal(0, 0.02, len(SESSIONS))))
    prices = {"open": close * 1.001, "high": close * 1.02, "low": close * 0.98, "close": close}
    return pd.DataFrame(prices, SESSIONS).assign(volume=rng.integers(1e5, 1e6, len(SESSIONS)))


class Prices:
    """A folder of CSV files, and the evening routine over them."""

    def __init__(self, folder: Path, symbols: str) -> None:
        self.folder = folder / "prices"
        self.folder.mkdir(parents=True)
        self.project = Project(folder)
        for symbol in symbols:
            self.write(symbol, bars(ord(symbol)))

    def write(self, symbol: str, rows: pd.DataFrame) -> None:
        rows.to_csv(self.folder / f"{symbol}.csv", index_label="date")

    def daily(self, *overrides: str, store: str = "files", code: int = 0) -> str:
        """What the command says; without a champion it ends after the data stages."""
        where = f"store.path={self.project.folder / store / 'files.db'}"
        words = [
            "data=files",
            f"data.path={self.folder}",
            where,
            "features=classic",
            "features.min_history=40",
        ]
        done = self.project.python("daily", *words, *overrides, code=code)
        return done.stdout + done.stderr

    def snapshots(self, store: str = "files") -> pd.DataFrame:
        months = sorted((self.project.folder / store / "snapshots").glob("files/classic-*/*"))
        return pd.concat([pd.read_parquet(month) for month in months], ignore_index=True)

    def store(self) -> Store:
        return Store.open(self.project.folder / "files" / "files.db")


@pytest.fixture
def prices(tmp_path: Path) -> Prices:
    return Prices(tmp_path, "ABCDE")


def test_a_new_symbol_and_an_old_changed_bar_are_said_and_end_as_a_rebuild(prices) -> None:
    assert "rebuilt" not in prices.daily()

    prices.write("NEW", bars(1).loc["2021-04-12":])
    changed = bars(ord("B"))
    changed.loc["2021-05-05", ["high", "close"]] *= 1.01
    prices.write("B", changed)
    said = prices.daily()

    # The first snapshots that differ are those of the session after a change.
    assert (
        "features: rebuilt 4 months from 2021-04 on: new in the store: 1 symbol (NEW); "
        "ranks and means of all symbols change from 2021-04-12 on"
    ) in said
    assert (
        "features: rebuilt 4 months from 2021-04 on: other values of old bars: 1 symbol (B); "
        "ranks and means of their sessions change, the first 2021-05-05"
    ) in said
    assert "regimes: rebuilt from 2021-04-12 on: new in the store: 1 symbol (NEW)" in said
    prices.daily(store="anew")
    pd.testing.assert_frame_equal(prices.snapshots(), prices.snapshots("anew"), check_exact=True)


def test_what_the_files_withdraw_is_quarantined_and_ends_as_a_rebuild(prices) -> None:
    prices.daily()
    prices.write("A", bars(ord("A")).drop(pd.Timestamp("2021-05-05")))
    for symbol in "BCDE":  # the last session is withdrawn as a whole, but for A's bar
        prices.write(symbol, bars(ord(symbol))[:-1])
    said = prices.daily()

    assert (
        "ingest: stocks: 5 bars no longer in the files, quarantined, from 2021-05-05 to "
        "2021-06-30: "
        "5 symbols: A, B, C, D, E"
    ) in said
    assert "bars that are gone: 5 symbols (A, B, C, D, E)" in said
    assert prices.project.newest("ingest").data.metrics["ingest/withdrawn"] == 5
    store = prices.store()
    assert store.quarantine()["reason"].to_list() == ["withdrawn by the source"] * 5
    store.close()
    prices.daily(store="anew")
    pd.testing.assert_frame_equal(prices.snapshots(), prices.snapshots("anew"), check_exact=True)

    prices.write("A", bars(ord("A"))[:-1])
    assert "ingest: stocks: 1 bars new" in prices.daily()
    prices.daily(store="later")
    pd.testing.assert_frame_equal(prices.snapshots(), prices.snapshots("later"), check_exact=True)


@pytest.mark.soak
def test_a_truncated_file_stops_the_evening_and_says_how_to_accept_it(prices) -> None:
    prices.daily()
    for symbol in "ABCDE":
        prices.write(symbol, bars(ord(symbol))[:40])

    said = prices.daily(code=1)

    assert f"{5 * (len(SESSIONS) - 40)} of the {5 * len(SESSIONS)} stored bars since" in said
    assert "data.max_withdrawn=0.68" in said
    store = prices.store()
    assert store.bar_count() == 5 * len(SESSIONS)
    store.close()
    assert "no longer in the files, quarantined" in prices.daily("data.max_withdrawn=0.68")


@pytest.mark.soak
def test_a_file_of_the_last_months_keeps_the_months_before(prices) -> None:
    prices.daily()
    before = prices.snapshots()
    for symbol in "ABCDE":
        prices.write(symbol, bars(ord(symbol))[-40:])

    said = prices.daily()

    assert "ingest: stocks: 0 bars new, 0 changed, 200 as before" in said
    assert "up to date, classic" in said
    pd.testing.assert_frame_equal(prices.snapshots(), before, check_exact=True)
