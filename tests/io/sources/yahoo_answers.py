"""Stands in for Yahoo's servers: answers in the shape of the chart API, version 8, made by hand.

`Servers` is a session of curl_cffi whose `request` reaches no network, so that everything above it
is yfinance's own code: cookie, crumb, time zone, retries with the other cookie, parsing.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from http.cookiejar import Cookie
from typing import Any
from urllib.parse import unquote

import pandas as pd
from curl_cffi.requests import Session
from curl_cffi.requests.models import Response

NEW_YORK = "America/New_York"
DELISTED = {"code": "Not Found", "description": "No data found, symbol may be delisted"}


@dataclass
class Listing:
    """What the servers know of one symbol: bars by session, and events."""

    bars: pd.DataFrame
    splits: dict[str, tuple[int, int]] = field(default_factory=dict)
    dividends: dict[str, float] = field(default_factory=dict)
    kind: str = "EQUITY"
    earnings: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Date as the calendar's page writes it, estimate, reported, surprise; "-" where unknown."""


def bars(sessions: pd.DatetimeIndex, close: float = 100.0, volume: float = 1e6) -> pd.DataFrame:
    """Bars that rise by one cent a session; open two below, high three above, low four below."""
    closes = close + 0.01 * pd.Series(range(len(sessions)), index=sessions, dtype="float64")
    columns = {"open": closes - 2, "high": closes + 3, "low": closes - 4, "close": closes}
    return pd.DataFrame(columns | {"volume": volume, "adjclose": closes * 0.98})


class Servers(Session):
    """All of Yahoo that yfinance asks for daily histories."""

    def __init__(self, listings: dict[str, Listing]) -> None:
        super().__init__()
        self.listings = listings
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.refusals: dict[str, list[Any]] = defaultdict(list)
        self.always: dict[str, Any] = {}
        self._lock = threading.Lock()

    def charts(self, symbol: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """Requests for histories, without those for a time zone alone."""
        named = [(name, p) for name, p in self.asked if "period1" in p]
        return [entry for entry in named if symbol in (None, entry[0])]

    def request(self, method: str, url: str, params: Any = None, **_: Any) -> Response:
        if "fc.yahoo.com" in url:
            self.cookies.jar.set_cookie(cookie())
            return answer(url, 404, b"")
        if "getcrumb" in url:
            return answer(url, 200, b"dFhR4.nVbA1")
        if "/calendar/earnings?" in url:
            return self._calendar(url)
        if "/v8/finance/chart/" not in url:
            return answer(url, 404, json.dumps({"quoteSummary": {"result": None}}).encode())
        symbol = unquote(url.rsplit("/", 1)[1])
        with self._lock:
            self.asked.append((symbol, dict(params or {})))
            refused = self.refusals[symbol].pop(0) if self.refusals[symbol] else None
        refused = refused or self.always.get(symbol)
        if refused is not None:
            status, body = refused
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            return answer(url, status, raw)
        return self._chart(url, symbol, params)

    def _calendar(self, url: str) -> Response:
        """The page of earnings dates of one symbol; without any it has no table."""
        symbol = url.split("symbol=")[1].split("&")[0]
        self.asked.append((symbol, {"earnings": True}))
        if symbol in self.always:
            status, body = self.always[symbol]
            return answer(url, status, body if isinstance(body, bytes) else b"")
        listed = self.listings.get(symbol, Listing(pd.DataFrame())).earnings
        head = (
            "Symbol",
            "Company",
            "Earnings Date",
            "EPS Estimate",
            "Reported EPS",
            "Surprise (%)",
        )
        rows = "".join(
            "<tr>" + "".join(f"<td>{cell}</td>" for cell in (symbol, "Inc.", *cells)) + "</tr>"
            for cells in listed
        )
        names = "".join(f"<th>{name}</th>" for name in head)
        table = f"<table><thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"
        return answer(url, 200, f"<html><body>{table if listed else ''}</body></html>".encode())

    def _chart(self, url: str, symbol: str, params: dict[str, Any]) -> Response:
        if symbol not in self.listings:
            return answer(url, 404, json.dumps(error(DELISTED)).encode())
        listing = self.listings[symbol]
        opened = opening(listing.bars.index)
        if "period1" in params:
            inside = (opened >= params["period1"]) & (opened < params["period2"])
        else:
            inside = opened == opened.max()
        return answer(url, 200, json.dumps(chart(symbol, listing, inside)).encode())


def opening(sessions: pd.DatetimeIndex) -> pd.Index:
    """Seconds since 1970 of half past nine in New York."""
    moments = (sessions + pd.Timedelta("9h30min")).tz_localize(NEW_YORK)
    return pd.Index(moments.as_unit("s").astype("int64"))


def chart(symbol: str, listing: Listing, inside: Any) -> dict[str, Any]:
    """The body for one symbol; without bars in range it has neither timestamps nor quotes."""
    rows = listing.bars[inside]
    result: dict[str, Any] = {"meta": meta(symbol, listing)}
    result["indicators"] = {"quote": [{}], "adjclose": [{}]}
    if len(rows):
        values = rows.astype(object).where(rows.notna(), None)
        result["timestamp"] = opening(rows.index).tolist()
        quote = {name: values[name].tolist() for name in rows if name != "adjclose"}
        quote["volume"] = [None if v is None else int(v) for v in quote["volume"]]
        result["indicators"] = {
            "quote": [quote],
            "adjclose": [{"adjclose": values["adjclose"].tolist()}],
        }
        events = {"splits": _splits(listing, rows), "dividends": _dividends(listing, rows)}
        if any(events.values()):
            result["events"] = {name: found for name, found in events.items() if found}
    return {"chart": {"result": [result], "error": None}}


def error(words: dict[str, str]) -> dict[str, Any]:
    return {"chart": {"result": None, "error": words}}


def meta(symbol: str, listing: Listing) -> dict[str, Any]:
    last = int(opening(listing.bars.index)[-1])
    period = {"timezone": "EDT", "start": last, "end": last + 23_400, "gmtoffset": -14_400}
    return {
        "currency": "USD",
        "symbol": symbol,
        "exchangeName": "NMS",
        "fullExchangeName": "NasdaqGS",
        "instrumentType": listing.kind,
        "firstTradeDate": int(opening(listing.bars.index)[0]),
        "regularMarketTime": last + 23_401,
        "hasPrePostMarketData": True,
        "gmtoffset": -14_400,
        "timezone": "EDT",
        "exchangeTimezoneName": NEW_YORK,
        "regularMarketPrice": 100.0,
        "chartPreviousClose": 99.0,
        "priceHint": 2,
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
    }


def cookie() -> Cookie:
    """The one Yahoo sets; yfinance keeps it on disk until it expires."""
    name, value = "A3", "d=AQABBK&S=AQAAAg"
    expires = int(time.time()) + 31_536_000
    return Cookie(
        0, name, value, None, False, ".yahoo.com", True, True, "/", True, True, expires, False,
        None, None, {},
    )  # fmt: skip


def answer(url: str, status: int, content: bytes) -> Response:
    response = Response()
    response.url, response.status_code, response.content = url, status, content
    response.ok = status < 400
    return response


def _splits(listing: Listing, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        str(at): {"date": at, "numerator": new, "denominator": old, "splitRatio": f"{new}:{old}"}
        for day, (new, old) in listing.splits.items()
        if pd.Timestamp(day) in rows.index
        for at in [int(opening(pd.DatetimeIndex([day]))[0])]
    }


def _dividends(listing: Listing, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        str(at): {"amount": amount, "date": at}
        for day, amount in listing.dividends.items()
        if pd.Timestamp(day) in rows.index
        for at in [int(opening(pd.DatetimeIndex([day]))[0])]
    }
