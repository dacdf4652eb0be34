"""The market's index: what regimes and market-relative features are measured against, and why."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.io.store.store import Store
from pipeline.schemas import UNIVERSE_INDEX, BarPanel
from pipeline.selection import sessions_before

PREFERRED = ("^IXIC", "^GSPC", "^NDX", "^DJI", "^RUT")
"""Broad indices, the best first; only their closes, highs and lows are used. ^IXIC has an open of
its own; that of ^GSPC equals the previous close on up to 98 % of the days before 2017."""

MIN_SHARE = 0.95
"""Of the stocks' sessions that an index needs bars on."""


@dataclass(frozen=True)
class MarketIndex:
    """The index chosen.

    Attributes
    ----------
    symbol
        Of an index in the store, or ``schemas.UNIVERSE_INDEX`` for the mean of the universe.
    why
        By which rule, in words.
    """

    symbol: str
    why: str

    @property
    def is_universe(self) -> bool:
        """Whether it is the mean of the universe."""
        return self.symbol == UNIVERSE_INDEX


def market_index(store: Store, configured: str | None) -> MarketIndex:
    """The index that config names, else the first of `PREFERRED` with bars enough, else another.

    Another one, of whatever market, needs bars on as many sessions; an index of volatility is none.
    Without any it is the mean of the universe, as it is, and logged, where the store has no bars of
    the one that config names.
    """
    stored = store.symbols("index").index
    if configured == UNIVERSE_INDEX or configured in stored:
        return MarketIndex(str(configured), "as data.market_index says")
    if configured is not None:
        return MarketIndex(UNIVERSE_INDEX, f"data.market_index={configured} is not in the store")
    shares: dict[str, float] = {}
    for name in (name for name in PREFERRED if name in stored):
        shares[name] = share = _share(store, name)
        if share >= MIN_SHARE:
            rule = f"the first of {', '.join(PREFERRED)} with bars on {MIN_SHARE:.0%} of the"
            why = f"{rule} stocks' sessions, it has {share:.1%}; another by data.market_index"
            return MarketIndex(name, why)
    others = {n: _share(store, n) for n in stored if n not in PREFERRED and not _is_volatility(n)}
    best = max(sorted(others), key=lambda name: others[name], default="")
    if best and others[best] >= MIN_SHARE:
        why = f"none of {', '.join(PREFERRED)} has bars enough, it has them on {others[best]:.1%}"
        return MarketIndex(best, f"{why} of the stocks' sessions; another by data.market_index")
    shares |= others
    few = ", ".join(f"{name} has bars on {share:.1%}" for name, share in shares.items())
    why = f"too little of an index in the store: {few}" if few else "no index in the store"
    return MarketIndex(UNIVERSE_INDEX, f"{why}; the stocks' equal-weight mean")


def _is_volatility(name: str) -> bool:
    return any(word in name.upper() for word in ("VIX", "VOL", "VXN", "VXD", "RVX", "VSTOXX"))


def _share(store: Store, name: str) -> float:
    stocks: pd.DatetimeIndex = store.sessions()
    listed = store.sessions("index", [name])
    return float(stocks.isin(listed).mean()) if len(stocks) else 0.0


def bars_of_index(
    store: Store, symbol: str | None, sessions: pd.DatetimeIndex, before: int
) -> BarPanel | None:
    """Bars of an index from so many sessions before; None where the store lacks it."""
    if symbol is None or symbol not in store.symbols("index").index:
        return None
    start = sessions_before(store.sessions("index"), sessions[0], before)
    return store.bar_panel(start, sessions[-1], [symbol], "index")
