"""Bars from Yahoo Finance, by yfinance.

Not run against the live service by its developers: its tests feed yfinance's own code with answers
of the shape of Yahoo's chart API (version 8) in place of the network.

What is stored: ``Open, High, Low, Close, Volume`` of ``auto_adjust=False``, which Yahoo keeps
**adjusted for splits, not for dividends**. ``Adj Close`` is left out, so that adjusted and raw
prices never meet in one store.

- Within one session all adjustments are one factor: open-to-close returns, the label, are the same.
- A split changes prices and volumes alike, by inverse factors: dollar volume stays what it was.
  A past price level does show later splits; features that are scale-free do not see it. What was
  quoted then follows from the splits, which are kept beside the bars.
- Dividends would multiply all earlier prices by factors known only later: levels, and every limit
  on them, would look ahead, and each ex-date would change a symbol's whole history. Left out, the
  overnight return of an ex-date is a price return, as in the embedded sample.
- A spin-off that Yahoo does not list as a split stays a gap in price.

Rules of cleaning stand in `yahoo_cleaning`. A bar is final once its session closed, by the
exchange's calendar, `close_delay_minutes` before the moment of asking.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from functools import cached_property, partial
from typing import Any

import pandas as pd

from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io import calendar, clock
from pipeline.io.sources.protocol import Delivery, Earnings
from pipeline.io.sources.settings import YahooData
from pipeline.io.sources.universe import Universe, spelling
from pipeline.io.sources.yahoo.cleaning import cleaned
from pipeline.io.sources.yahoo.download import answers, history
from pipeline.io.sources.yahoo.earnings import earnings_dates, earnings_rows, quiet_yfinance
from pipeline.schemas import SYMBOL

INDICES = {"^GSPC": "S&P 500", "^IXIC": "NASDAQ Composite", "^VIX": "CBOE Volatility Index"}


def _now() -> pd.Timestamp:
    return clock.now()


class Yahoo:
    """Yahoo Finance as a `pipeline.io.sources.protocol.LiveProvider`.

    Parameters
    ----------
    how
        Its calendar decides on sessions; nothing else of it but `start` changes what is requested.
    universe
        Symbols as Yahoo writes them, with exchange, sector and name where known.
    now
        The clock.
    session
        For yfinance's requests; by default its own.
    pause
        Waits some seconds.

    Raises
    ------
    NotReady
        The universe names no symbols: Yahoo has no list of all.
    """

    name = "yfinance"
    version = None

    def __init__(
        self,
        how: YahooData,
        universe: Universe | None,
        *,
        now: Callable[[], pd.Timestamp] = _now,
        session: Any = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        if universe is None:
            raise NotReady(
                "ingest",
                "data=yfinance with a universe that names no symbols",
                "a list of symbols: Yahoo has no list of all; symbols=[AAPL,MSFT], universe=sp500, "
                "or universe.path=<a CSV file with a column symbol>",
                Command("ingest", "data=yfinance", "universe=sp500"),
            )
        self.exchange_calendar = how.exchange_calendar
        self._universe, self._rules = universe, how.download
        self._spell = spelling(how)
        self._now, self._session, self._pause = now, session, pause

    @property
    def start(self) -> pd.Timestamp:
        """``data.download.start``."""
        return pd.Timestamp(self._rules.start)

    def symbols(self) -> pd.DataFrame:
        """Those of the universe's file, as Yahoo writes them, and the indices."""
        indices = pd.DataFrame(
            {"exchange": None, "sector": None, "name": list(INDICES.values()), "kind": "index"},
            index=pd.Index(INDICES, name=SYMBOL),
        )
        return pd.concat([self._stocks, indices]).sort_index().astype("str")

    def bars(
        self,
        symbols: Iterable[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> Delivery:
        """Bars of stocks, adjusted for splits, volume in shares; no `start` is `self.start`."""
        requested = self._stocks.index if symbols is None else map(self._spell, symbols)
        return self._delivered(list(requested), start, end)

    def index_bars(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> Delivery:
        """Bars of ^GSPC, ^IXIC and ^VIX, the last as levels without volume."""
        return self._delivered(list(INDICES), start, end)

    def last_session(self) -> pd.Timestamp:
        """The newest session whose bars are final."""
        delay = pd.Timedelta(minutes=self._rules.close_delay_minutes)
        return calendar.last_closed(self.exchange_calendar, self._now(), delay)

    def newest_session(self) -> pd.Timestamp:
        """The newest session that opened."""
        return calendar.last_opened(self.exchange_calendar, self._now())

    @property
    def moment(self) -> pd.Timestamp:
        """Now, in UTC."""
        return self._now().tz_convert("UTC")

    def earnings(self, symbols: Iterable[str]) -> Earnings:
        """Earnings dates of stocks, past and announced ones, as Yahoo lists them now."""
        fetch = partial(earnings_dates, session=self._session)
        names = sorted({self._spell(name) for name in symbols})
        with quiet_yfinance():
            given = answers(names, fetch, self._rules, pause=self._pause)
        zone = calendar.timezone(self.exchange_calendar)
        return Earnings(earnings_rows(given.histories, zone), given.reasons, self.moment)

    @cached_property
    def _stocks(self) -> pd.DataFrame:
        return self._universe.described.assign(kind="stock").sort_index()

    def _delivered(
        self, names: list[str], start: pd.Timestamp | None, end: pd.Timestamp | None
    ) -> Delivery:
        newest, final_until = self.newest_session(), self.last_session()
        first = self.start if start is None else start
        last = newest if end is None else min(end, newest)
        sessions = calendar.sessions(self.exchange_calendar, first, max(first, last))
        if last < first or sessions.empty:
            names = []
        fetch = partial(
            history,
            start=first,
            end=last,
            timezone=calendar.timezone(self.exchange_calendar),
            timeout=self._rules.timeout_seconds,
            session=self._session,
        )
        given = answers(sorted(set(names)), fetch, self._rules, pause=self._pause)
        is_whole = first <= self.start and last == newest
        return cleaned(given, sessions, final_until, INDICES, is_whole=is_whole)
