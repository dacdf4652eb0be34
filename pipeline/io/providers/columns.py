"""Which column of a file is which field: by the names people's files have, or as config says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipeline.errors import InvalidData

NEEDED = ("date", "open", "high", "low", "close")

ALIASES: Mapping[str, tuple[str, ...]] = {
    "date": (
        "date", "session", "timestamp", "datetime", "day", "trading day", "dtyyyymmdd",
        "index", "unnamed: 0", "index level 0",
    ),
    "symbol": ("symbol", "ticker", "name", "stock", "tic", "act symbol"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c", "close/last", "last", "price"),
    "volume": ("volume", "v", "vol", "shares traded"),
    "adjusted_close": ("adj close", "adjusted close", "adjclose", "close adjusted"),
    "split": ("split coefficient", "stock splits", "split factor", "splitfactor"),
    "exchange": ("exchange",),
    "sector": ("sector", "gics sector"),
}  # fmt: skip
"""Names by field; an earlier one wins over a later one."""

LAYOUTS: Mapping[str, frozenset[str]] = {
    "Alpha Vantage daily adjusted": frozenset({"timestamp", "adjusted close", "split coefficient"}),
    "yfinance history": frozenset({"dividends", "stock splits"}),
    "Nasdaq web export": frozenset({"close/last"}),
    "Investing.com export": frozenset({"price", "vol", "change %"}),
    "Yahoo web export": frozenset({"date", "open", "high", "low", "close", "adj close", "volume"}),
}
"""Recognised by these columns, the first that fits; for the report alone."""


def plain(name: str) -> str:
    """Lower case, single spaces, no decoration.

    >>> plain("<Adj_Close>"), plain("Vol."), plain("4. close")
    ('adj close', 'vol', 'close')
    """
    bare = re.sub(r"^\d+\. ", "", name.strip()).strip("<>*.").lower()
    return re.sub(r"[\s_.]+", " ", bare).strip()


def fields(names: Sequence[str], said: Mapping[str, str], who: str) -> dict[str, str]:
    """The file's column for each field that it has.

    Parameters
    ----------
    names
        Columns of the file.
    said
        Column by field, as ``data.columns`` has it; wins over what is recognised.
    who
        The file, for messages.

    Raises
    ------
    InvalidData
        A column that config names is absent, two columns may be the same field, or a price or the
        date is missing.
    """
    absent = [f"data.columns.{field}={name}" for field, name in said.items() if name not in names]
    listed = ", ".join(names)
    if absent:
        raise InvalidData("ingest", f"{who}: no such column: {', '.join(absent)}", listed)
    free = [name for name in names if name not in said.values()]
    found = dict(said)
    for field, aliases in ALIASES.items():
        if field in found:
            continue
        ranked = sorted(
            (aliases.index(plain(n)), place, n)
            for place, n in enumerate(free)
            if plain(n) in aliases
        )
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            shown = f"{who}: {field} is column {ranked[0][2]!r} or {ranked[1][2]!r}"
            raise InvalidData("ingest", shown, "which of them", _say(field))
        if ranked:
            found[field] = ranked[0][2]
    missing = [field for field in NEEDED if field not in found]
    if missing:
        shown = f"{who}: no column for {', '.join(missing)} among: {listed}"
        raise InvalidData("ingest", shown, f"columns {', '.join(NEEDED)}", _say(missing[0]))
    return found


def layout(names: Sequence[str], found: Mapping[str, str]) -> str:
    """What files of these columns are called, for the report."""
    have = {plain(name) for name in names}
    known = next((name for name, needed in LAYOUTS.items() if needed <= have), None)
    rows = "one row a symbol and session" if "symbol" in found else "one symbol a file"
    return f"{known}, {rows}" if known else rows


def _say(field: str) -> str:
    return (
        f"python -m pipeline.stages.ingest data=files data.path=... data.columns.{field}=<column>"
    )
