"""The feature set "extended": a year and more of history, for long windows and many symbols.

The classic features that hold more than the last month's noise, and the extended families, each
in a file of its own. Every feature is free of units. Where a formula ranks dollar volumes, all
symbols share one currency.
"""

from __future__ import annotations

from pipeline.market import (
    features_momentum,
    features_overnight,
    features_risk,
    features_seasonal,
    features_state,
    features_volume,
)
from pipeline.market.definitions import Definitions
from pipeline.market.features_classic import classic

CLASSIC = (
    "return_1", "overnight_1", "overnight_5", "intraday_1", "range_position_1", "rsi", "atr",
    "relative_volume_5", "relative_sector_1", "market_return_1", "market_return_5",
    "market_volatility_20", "regime_bull_trending", "regime_bear_trending", "regime_high_vol",
    "regime_low_vol", "trend_strength", "volatility_percentile", "vix_level", "weekday",
    "days_since_previous", "month_position", "turn_of_month", "exchange", "sector",
)  # fmt: skip

extended = Definitions(
    *(feature for feature in classic if feature.name in CLASSIC),
    *features_overnight.definitions,
    *features_seasonal.definitions,
    *features_momentum.definitions,
    *features_risk.definitions,
    *features_volume.definitions,
    *features_state.definitions,
)
