"""Indicated opens as people have them: a CSV, standard input, or pre-market prices of Yahoo."""

from __future__ import annotations

import io
import logging
import math
import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.commands import Command, override
from pipeline.errors import Fault, InvalidData, NotReady
from pipeline.io.files import read_limited

log = logging.getLogger("pipeline.morning")

COLUMNS = ("symbol", "price", "time")
ACTIONS = ("dividend", "split")
"""Columns that may be there: what goes ex on the session, whose last close was of other shares."""

NEEDED = "a CSV with the columns symbol, price, time, one row a quote"
STANDARD_INPUT, YFINANCE = "-", "yfinance"
BATCH = 100
"""Symbols requested in one call of yfinance."""

Quote = tuple[str, float, pd.Timestamp, bool]
"""Symbol, price, time in UTC, and whether a dividend or a split goes ex on the session."""

Fetch = Callable[[Sequence[str]], pd.DataFrame]
"""Minute bars of some symbols in yfinance's wide shape: columns (field, symbol)."""


def quotes(
    source: str | None, symbols: Sequence[str], timezone: str, max_megabytes: int
) -> pd.DataFrame:
    """Quotes of a source: columns symbol, price, time (UTC), goes_ex; rows as they are given.

    Parameters
    ----------
    source
        Path of a CSV, ``-`` or ``yfinance``.
    symbols
        Those that Yahoo is queried for.
    timezone
        Of times without one, such as ``America/New_York``.
    max_megabytes
        Of a CSV; a larger one, such as an input without end, is not read.

    Raises
    ------
    NotReady
        No source is named.
    InvalidData
        What it gives are no quotes.
    """
    if source is None:
        raise NotReady(
            "morning", "no quotes are named", "indicated prices",
            Command("morning", override("morning.quotes", "quotes.csv")),
        )  # fmt: skip
    if source == YFINANCE:
        return yahoo_quotes(symbols, premarket)
    name = "standard input" if source == STANDARD_INPUT else source
    try:
        with (
            nullcontext(sys.stdin.buffer) if source == STANDARD_INPUT else Path(source).open("rb")
        ) as stream:
            content = read_limited(stream, name, "morning", "morning.max_megabytes", max_megabytes)
        text = content.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidData("morning", f"{name} cannot be read: {error}", NEEDED) from None
    return parsed(text, name, timezone)


def parsed(text: str, name: str, timezone: str) -> pd.DataFrame:
    """Quotes of a CSV; what is no number or no time is missing.

    Of a symbol that goes ex a dividend or a split on the session, the columns ``dividend`` and
    ``split`` say so by anything but nothing and 0 (of a split, 1).

    Raises
    ------
    InvalidData
        The text is no CSV, or a column is missing.

    >>> parsed("symbol,price,time\\nA,1.5,2024-07-01 09:20\\n", "x", "America/New_York")["time"][0]
    Timestamp('2024-07-01 13:20:00+0000', tz='UTC')
    """
    try:
        rows = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise InvalidData("morning", f"{name}: {error}", NEEDED) from None
    rows.columns = rows.columns.str.strip().str.lower()
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        found = f"{name} lacks {', '.join(missing)}; it has {', '.join(rows.columns) or 'nothing'}"
        faults = [Fault(column, "no such column") for column in missing]
        raise InvalidData("morning", found, NEEDED, faults=faults)
    times = [_moment(text, timezone) for text in rows["time"]]
    return pd.DataFrame(
        {
            "symbol": rows["symbol"].str.strip(),
            "price": pd.Series([_number(text) for text in rows["price"]], dtype="float64"),
            "time": pd.to_datetime(pd.Series(times, dtype="object"), utc=True),
            "goes_ex": _goes_ex(rows),
        }
    )


def _goes_ex(rows: pd.DataFrame) -> pd.Series:
    marked = pd.Series(False, rows.index)
    for name in ACTIONS:
        if name in rows:
            nothing = {"", "0", "1"} if name == "split" else {"", "0"}
            text = rows[name].str.strip().str.replace(r"(?<=\d)\.0*$", "", regex=True)
            marked |= ~text.isin(nothing)
    return marked


def _number(text: str) -> float:
    """To the last bit, which pandas' own reader does not promise."""
    try:
        return float(text)
    except ValueError:
        return math.nan


def _moment(text: str, timezone: str) -> pd.Timestamp | None:
    try:
        moment = pd.Timestamp(text.strip())
    except ValueError:
        return None
    if pd.isna(moment):
        return None
    return (moment.tz_localize(timezone) if moment.tzinfo is None else moment).tz_convert("UTC")


def yahoo_quotes(symbols: Sequence[str], fetch: Fetch) -> pd.DataFrame:
    """The newest price of each symbol that Yahoo answers for, requested in batches.

    A batch that fails is named and left out: its symbols then have no quote.
    """
    rows: list[Quote] = []
    for first in range(0, len(symbols), BATCH):
        batch = list(symbols[first : first + BATCH])
        try:
            answered = newest(fetch(batch), batch)
        except Exception as error:  # yfinance raises what its libraries raise
            names = f"{batch[0]} to {batch[-1]}"
            log.warning("morning: no answer for %d symbols, %s: %s", len(batch), names, error)
            continue
        rows += answered
        silent = sorted(set(batch) - {symbol for symbol, *_ in answered})
        if silent:
            log.warning("morning: no pre-market price of %s", ", ".join(silent))
    quoted = pd.DataFrame(rows, columns=[*COLUMNS, "goes_ex"])
    return quoted.astype({"price": "float64", "goes_ex": "bool"}).assign(
        time=pd.to_datetime(quoted["time"], utc=True)
    )


def newest(bars: pd.DataFrame, symbols: Sequence[str]) -> list[Quote]:
    """Symbol, last price there is, its time and whether it goes ex, of wide minute bars."""
    if bars.empty or "Close" not in bars.columns.get_level_values(0):
        return []
    closes = bars["Close"]
    quotes = []
    for symbol in symbols:
        prices = pd.Series(closes[symbol]).dropna() if symbol in closes else pd.Series()
        if len(prices):
            moment = pd.Timestamp(prices.index[-1])
            utc = moment.tz_localize("UTC") if moment.tzinfo is None else moment.tz_convert("UTC")
            quotes.append((symbol, float(prices.iloc[-1]), utc, _acts(bars, symbol)))
    return quotes


def _acts(bars: pd.DataFrame, symbol: str) -> bool:
    """Whether Yahoo tells a dividend or a split of the day."""
    known = [(name, symbol) for name in ("Dividends", "Stock Splits") if (name, symbol) in bars]
    return bool((bars[known].fillna(0.0) != 0.0).any(axis=None)) if known else False


def premarket(symbols: Sequence[str], session: Any = None) -> pd.DataFrame:
    """Minute bars of today, those before the open too, by yfinance."""
    import yfinance

    # What a symbol fails with stays inside: the others of its batch are answers all the same.
    bars = yfinance.download(
        list(symbols), period="1d", interval="1m", prepost=True, auto_adjust=False,
        actions=True, group_by="column", progress=False, multi_level_index=True,
        session=session,
    )  # fmt: skip
    return pd.DataFrame() if bars is None else bars
