"""Made-up markets to trade on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.schemas import BarPanel
from pipeline.trading.indication import WORSE_BPS, Indication
from pipeline.trading.market import Market

PRICES = ("open", "high", "low", "close", "volume")
KNOWN = (
    "previous_close",
    "mean_dollar_volume",
    "volatility",
    "spread",
    "average_true_range",
    "beta",
)


@dataclass(frozen=True)
class Case:
    """Predictions and the market they are traded on."""

    predictions: pd.DataFrame
    market: Market

    @property
    def both(self) -> tuple[pd.DataFrame, Market]:
        return self.predictions, self.market

    def at(self, sessions: Any) -> Case:
        """Some of the sessions."""
        return Case(self.predictions.loc[sessions], self.market.at(sessions))

    def with_columns(self, columns: Any) -> Case:
        """The symbols in another order."""
        market = self.market
        own = {name: getattr(market, name)[columns] for name in PRICES}
        known = {name: frame[columns] for name, frame in market.known.items()}
        return Case(self.predictions[columns], replaced(market, **own, known=known))


def replaced(market: Market, **changes: Any) -> Market:
    fields = {name: getattr(market, name) for name in Market.__dataclass_fields__}
    return Market(**fields | changes)


def market_of(
    frames: dict[str, pd.DataFrame],
    regimes: pd.Series,
    sectors: pd.Series | None = None,
    hedge: pd.DataFrame | None = None,
) -> Market:
    """A market from frames by name; highs, lows and volumes default to what disturbs nothing."""
    opened, closed = frames["open"], frames["close"]
    bars: dict[str, Any] = {
        "high": np.fmax(opened, closed),
        "low": np.fmin(opened, closed),
        "volume": opened * 0.0 + 1e6,
        **frames,
    }
    return Market(
        **{name: bars[name] for name in PRICES},
        regimes=regimes,
        known={name: frames[name] for name in KNOWN if name in frames},
        sectors=pd.Series(dtype="str") if sectors is None else sectors,
        previous_session=opened.index[0] - pd.Timedelta(days=1),
        hedge=hedge,
    )


def one_session(**rows: list[float]) -> Case:
    """Symbols A, B, ... on one session, by default in falling order of prediction."""
    count = len(rows["previous_close"])
    given = {
        "predictions": [0.05 - 0.01 * place for place in range(count)],
        "mean_dollar_volume": [1e9] * count,
        **rows,
    }
    session = pd.DatetimeIndex(["2024-01-02"], name="session").as_unit("us")
    names = pd.Index(list("ABCDEFGH")[:count], name="symbol")
    frames = {
        name: pd.DataFrame([row], session, names, dtype="float64") for name, row in given.items()
    }
    return Case(frames.pop("predictions"), market_of(frames, pd.Series(["RANGING"], session)))


def random_case(seed: int, sessions: int = 8, symbols: int = 5) -> Case:
    """Random prices with gaps, missing bars, halts, missing snapshots and unknown estimates."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=sessions, name="session").as_unit("us")
    names = pd.Index([f"S{number:02d}" for number in range(symbols)], name="symbol")
    shape = (sessions, symbols)

    def frame(values: np.ndarray, missing: float = 0.05) -> pd.DataFrame:
        known = rng.random(values.shape) >= missing
        return pd.DataFrame(values, days, names).where(known)

    previous = rng.uniform(5.0, 500.0, shape).round(2)
    opened = previous * np.exp(rng.normal(0.0, 0.03, shape))
    closed = opened * np.exp(rng.normal(0.0, 0.05, shape))
    has_bar = rng.random(shape) >= 0.1
    reach = np.abs(rng.normal(0.0, 0.03, (2, *shape)))
    bars = {
        "open": opened,
        "high": np.maximum(opened, closed) * (1.0 + reach[0]),
        "low": np.minimum(opened, closed) * (1.0 - reach[1]),
        "close": closed,
        "volume": np.where(rng.random(shape) < 0.05, 0.0, 1e6),
    }
    frames = {name: pd.DataFrame(v, days, names).where(has_bar) for name, v in bars.items()}
    frames |= {
        "previous_close": frame(previous),
        "mean_dollar_volume": frame(rng.uniform(0.0, 2e6, shape)),
        "volatility": frame(rng.uniform(0.005, 0.05, shape)),
        "spread": frame(np.maximum(rng.normal(0.001, 0.002, shape), 0.0)),
        "average_true_range": frame(previous * rng.uniform(0.01, 0.08, shape)),
        "beta": pd.DataFrame(rng.normal(1.0, 0.5, shape), days, names),
    }
    predictions = frame(rng.normal(0.0, 0.01, shape).round(3), missing=0.1)
    regimes = pd.Series(rng.choice(["RANGING", "HIGH_VOL"], sessions), days)
    sectors = pd.Series(rng.choice(["X", "Y", "Z"], symbols), names)
    sectors = sectors.where(rng.random(symbols) > 0.2)
    return Case(predictions, market_of(frames, regimes, sectors, random_hedge(rng, days)))


def indicated(case: Case, seed: int) -> Case:
    """The same case, decided on indicated opens that miss the print by up to a percent or two."""
    rng = np.random.default_rng(seed)
    opened, forecast = case.market.open, case.predictions
    price = opened * (1.0 + rng.normal(0.0, 0.01, opened.shape))
    price = price.where(rng.random(opened.shape) >= 0.05)
    fall = forecast.abs() * rng.uniform(0.0, 0.02, opened.shape)
    worse = {bps: forecast - np.sign(forecast) * fall * bps for bps in WORSE_BPS}
    return Case(forecast, replaced(case.market, indication=Indication(price, worse)))


def random_hedge(rng: np.random.Generator, days: pd.DatetimeIndex) -> pd.DataFrame:
    reference = rng.uniform(1000.0, 2000.0, len(days))
    opened = reference * np.exp(rng.normal(0.0, 0.005, len(days)))
    closed = opened * np.exp(rng.normal(0.0, 0.01, len(days)))
    missing = rng.random(len(days)) < 0.1
    return pd.DataFrame(
        {
            "symbol": "^IXIC",
            "reference": reference,
            "open": np.where(missing, np.nan, opened),
            "close": np.where(missing, np.nan, closed),
        },
        days,
    )


def random_bars(seed: int, sessions: int = 120, symbols: int = 6) -> BarPanel:
    """A history of daily bars with holes."""
    rng = np.random.default_rng(seed)
    days = pd.bdate_range("2023-01-02", periods=sessions, name="session").as_unit("us")
    names = pd.Index([f"S{number:02d}" for number in range(symbols)], name="symbol")
    shape = (sessions, symbols)
    closed = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, shape), axis=0))
    opened = closed * np.exp(rng.normal(0.0, 0.01, shape))
    high = np.maximum(opened, closed) * (1.0 + np.abs(rng.normal(0.0, 0.005, shape)))
    low = np.minimum(opened, closed) * (1.0 - np.abs(rng.normal(0.0, 0.005, shape)))
    volume = rng.uniform(1e4, 1e6, shape)
    has_bar = rng.random(shape) >= 0.03
    fields = (opened, high, low, closed, volume)
    return BarPanel(*(pd.DataFrame(values, days, names).where(has_bar) for values in fields))
