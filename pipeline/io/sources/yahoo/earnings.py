"""Earnings dates from Yahoo's calendar of earnings, by yfinance, one symbol a request.

Not run against the live service by its developers, as the rest of this room. A date is knowledge
as of the download that lists it: announced dates move, and the reported number of a past date came
after it.
"""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from pipeline.io.sources.yahoo.download import RATE_LIMITED, Unanswered, failure
from pipeline.schemas import ROW, SESSION, SYMBOL

NO_DATES = "no earnings dates"
LIMIT = 100
"""Dates of a symbol, newest first: 25 years; more Yahoo does not give at once."""

COLUMNS = {
    "EPS Estimate": "eps_estimate",
    "Reported EPS": "eps_reported",
    "Surprise(%)": "surprise_percent",
}


def earnings_dates(symbol: str, *, session: Any = None) -> pd.DataFrame:
    """Earnings dates as yfinance gives them: indexed by moment, with a zone.

    Raises
    ------
    Unanswered
        There are none, as for a fund or an index, or they did not come.
    """
    import yfinance
    from yfinance.exceptions import YFRateLimitError

    try:
        given = yfinance.Ticker(symbol, session=session).get_earnings_dates(limit=LIMIT)
    except YFRateLimitError:
        raise Unanswered(RATE_LIMITED, final=False) from None
    except Exception as error:
        raise failure(error) from error
    if given is None or given.empty:
        raise Unanswered(NO_DATES, final=True)
    return given


def earnings_rows(given: Mapping[str, pd.DataFrame], zone: str) -> pd.DataFrame:
    """Tables of several symbols as rows of `protocol.Earnings`, sorted; the last of a day counts.

    Parameters
    ----------
    given
        What `earnings_dates` gives, by symbol.
    zone
        The exchange's time zone, whose days are the sessions.
    """
    parts = [_rows(symbol, dates, zone) for symbol, dates in given.items()]
    empty = pd.DataFrame({SYMBOL: [], "announced_at": []}, dtype="str")
    empty[[*COLUMNS.values()]] = pd.DataFrame(columns=[*COLUMNS.values()], dtype="float64")
    empty.insert(0, SESSION, pd.DatetimeIndex([]).as_unit("us"))
    listed = pd.concat(parts) if parts else empty
    return listed.drop_duplicates(ROW, keep="last").sort_values(ROW, ignore_index=True)


def _rows(symbol: str, dates: pd.DataFrame, zone: str) -> pd.DataFrame:
    moments = pd.DatetimeIndex(dates.index).tz_convert("UTC")
    numbers = dates.reindex(columns=list(COLUMNS)).rename(columns=COLUMNS)
    rows = numbers.apply(pd.to_numeric, errors="coerce").astype("float64").reset_index(drop=True)
    days = moments.tz_convert(zone).tz_localize(None).normalize().as_unit("us")
    rows.insert(0, SESSION, days)
    rows.insert(1, SYMBOL, pd.Series(symbol, rows.index, dtype="str"))
    rows.insert(2, "announced_at", pd.Series([m.isoformat() for m in moments], dtype="str"))
    return rows.sort_values("announced_at", ignore_index=True)


@contextlib.contextmanager
def quiet_yfinance() -> Iterator[None]:
    """Keep from being printed what yfinance says of a symbol without dates, and pandas to it."""
    log = logging.getLogger("yfinance")
    before, log.disabled = log.disabled, True
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Series.values returning")
            yield
    finally:
        log.disabled = before
