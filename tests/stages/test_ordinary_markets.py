"""The ordinary case in every market: nothing late, nothing wrong, through the real commands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from pipeline.io import calendar
from tests.stages.conftest import Project

COUNT = 220


class Market(NamedTuple):
    """A calendar, what its files are called, and the first price of the first of them."""

    exchange_calendar: str
    symbols: tuple[str, ...]
    price: float
    last: str
    following: str
    index: str = ""


MARKETS = {
    "coins": Market("24/7", ("BTC-USD", "ETH_USDT"), 900.0, "2021-10-01", "2021-10-02"),
    "london": Market("XLON", ("VOD.L", "BP.L"), 350.0, "2021-12-24", "2021-12-29", "^FTSE"),
}


def write(folder: Path, market: Market, names: tuple[str, ...], price: float) -> Path:
    """A file a symbol: random walks without a gap, a split or a bad bar."""
    folder.mkdir()
    last = pd.Timestamp(market.last)
    sessions = calendar.sessions(market.exchange_calendar, last - pd.Timedelta("400D"), last)
    for seed, name in enumerate(names):
        random = np.random.default_rng(seed)
        close = price * np.exp(np.cumsum(random.normal(0, 0.02, COUNT)))
        opened = np.concatenate([[price], close[:-1]]) * np.exp(random.normal(0, 0.003, COUNT))
        bars = pd.DataFrame({"open": opened, "close": close}, sessions[-COUNT:])
        bars["high"], bars["low"] = bars.max(axis=1) * 1.01, bars.min(axis=1) * 0.99
        bars["volume"] = random.integers(1_000_000, 2_000_000, COUNT)
        bars.round(4).to_csv(folder / f"{name}.csv", index_label="date")
    return folder


@pytest.mark.parametrize("name", ["coins", pytest.param("london", marks=pytest.mark.soak)])
def test_from_prices_to_orders_in(name: str, project: Project) -> None:
    market = MARKETS[name]
    prices = write(project.folder / "prices", market, market.symbols, market.price)
    words = ["data=files", f"data.path={prices}", "experiment=quick",
             f"data.exchange_calendar={market.exchange_calendar}"]  # fmt: skip
    if market.index:
        indices = write(project.folder / "indices", market, (market.index,), 7000.0)
        words.append(f"data.index_path={indices}")
    unproven = ("signals.unproven_rules=say", "strategy.min_edge_bps=-1000")

    learned = project.python("retrain", *words)
    refused = project.python("signals", *words, code=1)
    promoted = project.python("promote", *words, "promote.force=true", "promote.reason=by hand")
    evening = project.python("daily", *words, *unproven)
    status = project.python("status", *words)

    for done in (learned, refused, promoted, evening, status):
        said = done.stdout + done.stderr
        assert "Traceback" not in said
        assert not re.search(r"\bnan\b", said, re.IGNORECASE)
    assert f"regimes: from {market.index or 'UNIVERSE'}" in learned.stdout
    assert f"Universe: 0 of {len(market.symbols)} symbols end" in learned.stdout
    assert f"pipeline.stages.promote data=files data.path={prices}" in refused.stderr
    assert f"pipeline.stages.signals data=files data.path={prices}" in promoted.stdout
    assert f"Session {market.following}" in evening.stdout
    metrics = project.newest("signals").data.metrics
    assert metrics["signals/orders"] == len(market.symbols)
    assert metrics["signals/stale_symbols"] == 0
    assert "NO   bars" not in status.stdout
