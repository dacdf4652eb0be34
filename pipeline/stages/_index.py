"""The market's index: what regimes and market-relative features are measured against, and why."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline.io.store import Store
from pipeline.schemas import UNIVERSE_INDEX
from pipeline.settings import Settings

PREFERRED = ("^IXIC", "^GSPC", "^NDX", "^DJI", "^RUT")
"""Broad indices, the best first; only their closes, highs and lows are used. ^IXIC has an open of
its own; that of ^GSPC equals the previous close on up to 98 % of the days before 2017."""

LEAST_SHARE = 0.95
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


def market_index(settings: Settings, store: Store) -> MarketIndex:
    """The index that config names, else the first of `PREFERRED` with bars enough, else the mean.

    A name the store has no bars of is answered by the mean of the universe, and said.
    """
    wanted = settings.data.market_index
    held = store.symbols("index").index
    if wanted == UNIVERSE_INDEX or wanted in held:
        return MarketIndex(str(wanted), "as data.market_index says")
    if wanted is not None:
        return MarketIndex(UNIVERSE_INDEX, f"data.market_index={wanted} is not in the store")
    shares: dict[str, float] = {}
    for name in (name for name in PREFERRED if name in held):
        shares[name] = share = _share(store, name)
        if share >= LEAST_SHARE:
            rule = f"the first of {', '.join(PREFERRED)} with bars on {LEAST_SHARE:.0%} of the"
            why = f"{rule} stocks' sessions, it has {share:.1%}; another by data.market_index"
            return MarketIndex(name, why)
    few = ", ".join(f"{name} has bars on {share:.1%}" for name, share in shares.items())
    why = f"too little of an index in the store: {few}" if few else "no index in the store"
    return MarketIndex(UNIVERSE_INDEX, f"{why}; the stocks' equal-weight mean")


def regimes(settings: Settings, store: Store) -> pd.DataFrame:
    """Stored regimes by session at whose open they are known."""
    return store.regimes(market_index(settings, store).symbol)


def _share(store: Store, name: str) -> float:
    stocks = store.sessions()
    listed = store.sessions("index", [name])
    return float(stocks.isin(listed).mean()) if len(stocks) else 0.0
