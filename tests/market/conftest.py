"""Made-up panels, and the golden values of the reference where they are at hand."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.market.features import FeatureInputs, Snapshots
from pipeline.market.features import snapshots as market_snapshots
from pipeline.market.indicators import indicators
from pipeline.market.regimes import index_moves, regimes, universe_moves
from pipeline.schemas import BAR_FIELDS, BarPanel

SHARED = Path(os.environ.get("SHARED", Path(__file__).resolve().parents[3] / "shared"))

ROWS: dict[str, Any] = {"min_history": 40, "min_price": 0.0, "min_dollar_volume": 0.0}
"""The rows that every feature set of conf/features has."""

MakeBars = Callable[..., BarPanel]


def snapshots(features, inputs, sessions, **changes) -> Snapshots:
    """Snapshots of `ROWS`, but for the changes."""
    return market_snapshots(features, inputs, sessions, **ROWS | changes)


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    """Random bars on weekdays; a share `missing` of them does not exist."""

    def make(seed: int, sessions: int = 60, symbols: int = 4, missing: float = 0.0) -> BarPanel:
        rng = np.random.default_rng(seed)
        shape = (sessions, symbols)
        overnight, intraday = 1 + rng.normal(0, 0.02, (2, *shape))
        close = 50 * np.cumprod(overnight * intraday, axis=0)
        opens = close / intraday
        high = np.maximum(opens, close) * (1 + rng.exponential(0.005, shape))
        low = np.minimum(opens, close) * (1 - rng.exponential(0.005, shape))
        volume = rng.lognormal(10, 1, shape)
        index = pd.bdate_range("2020-01-01", periods=sessions, name="session", unit="us")
        names = pd.Index([f"S{k:02d}" for k in range(symbols)], name="symbol")
        absent = rng.random(shape) < missing
        fields = (opens, high, low, close, volume)
        return BarPanel(
            *(pd.DataFrame(field, index, names, copy=True).mask(absent) for field in fields)
        )

    return make


@pytest.fixture(scope="session")
def make_inputs() -> Callable[[BarPanel], FeatureInputs]:
    """Everything that follows from the bars; two symbols a sector, no index."""

    def make(bars: BarPanel) -> FeatureInputs:
        sectors = [f"sector {k // 2}" for k in range(len(bars.symbols))]
        after = bars.sessions.append(bars.sessions[-1:] + pd.offsets.BDay())
        return FeatureInputs(
            bars=bars,
            indicators=indicators(bars),
            market=None,
            regimes=regimes(universe_moves(bars), after, volatility_window=30),
            symbols=pd.DataFrame({"exchange": "X", "sector": sectors}, index=bars.symbols),
        )

    return make


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of real prices and golden values, which are not part of the repository."""
    if not (SHARED / "golden").is_dir():
        pytest.skip(f"golden values and real prices are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def golden_bars(shared: Path) -> BarPanel:
    """The bars that the reference was run on."""
    rows = pd.read_csv(shared / "golden/input_ohlcv.csv", parse_dates=["date"])
    return wide(rows.rename(columns={"date": "session"}))


@pytest.fixture(scope="session")
def real_bars(shared: Path) -> BarPanel:
    """60 stocks over two years."""
    rows = pd.read_parquet(shared / "data/sp500_2010_2023.parquet")
    rows = rows[rows["date"].between("2018-01-01", "2019-12-31")]
    chosen = sorted(rows["symbol"].unique())[::8]
    return wide(rows[rows["symbol"].isin(chosen)].rename(columns={"date": "session"}))


@pytest.fixture(scope="session")
def real_indices(shared: Path) -> tuple[pd.DataFrame, pd.Series]:
    """^IXIC, and closes of ^VIX."""
    prices = pd.read_parquet(shared / "data/indices_1990_2023.parquet").set_index("date")
    index, vix = (prices[prices["symbol"] == name] for name in ("^IXIC", "^VIX"))
    return index, vix["close"]


@pytest.fixture(scope="session")
def real(shared: Path, real_indices: tuple[pd.DataFrame, pd.Series]) -> FeatureInputs:
    """60 stocks over all years, ^IXIC as the market, ^VIX."""
    rows = pd.read_parquet(shared / "data/sp500_2010_2023.parquet")
    chosen = sorted(rows["symbol"].unique())[::8]
    bars = wide(rows[rows["symbol"].isin(chosen)].rename(columns={"date": "session"}))
    index, vix = real_indices
    return FeatureInputs(
        bars=bars,
        indicators=indicators(bars),
        market=index,
        regimes=regimes(index_moves(index), bars.sessions, vix),
        symbols=pd.read_csv(shared / "data/sp500_symbols.csv").set_index("symbol"),
    )


@pytest.fixture(scope="session")
def evening(
    real: FeatureInputs, real_indices: tuple[pd.DataFrame, pd.Series]
) -> Callable[[int], FeatureInputs]:
    """What was there the evening before the session of that number."""
    sessions = real.bars.sessions

    def before(number: int) -> FeatureInputs:
        index, vix = (prices[prices.index < sessions[number]] for prices in real_indices)
        known = sessions[:number]
        return FeatureInputs(
            bars=real.bars.loc(known),
            indicators={name: frame.loc[known] for name, frame in real.indicators.items()},
            market=index,
            regimes=regimes(index_moves(index), sessions[: number + 1], vix),
            symbols=real.symbols,
        )

    return before


def wide(rows: pd.DataFrame) -> BarPanel:
    keyed = {"index": "session", "columns": "symbol"}
    return BarPanel(**{f: rows.pivot_table(f, **keyed).astype(np.float64) for f in BAR_FIELDS})
