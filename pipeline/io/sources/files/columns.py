"""Which column of a file is which field: by the names people's files have, or as config says."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping, Sequence

from pipeline.commands import Command
from pipeline.errors import InvalidData
from pipeline.io.sources.files.header_words import ALIASES

NEEDED = ("date", "open", "high", "low", "close")

KNOWN = frozenset(alias for aliases in ALIASES.values() for alias in aliases)

_UNIT = re.compile(r"\s*[(\uff08\[](?:[A-Z]{3}|shares|[股주株원円元₹$€£¥]|Rs\.?)[)\uff09\]]\s*$")
"""What a column is counted in; others, such as (adj) or (lakhs), change what it is."""

LAYOUTS: Mapping[str, frozenset[str]] = {
    "Alpha Vantage daily adjusted": frozenset({"timestamp", "adjusted close", "split coefficient"}),
    "Quandl WIKI": frozenset({"ex-dividend", "split ratio", "adj close"}),
    "yfinance history": frozenset({"dividends", "stock splits"}),
    "Nasdaq web export": frozenset({"close/last"}),
    "Investing.com export": frozenset({"price", "vol", "change %"}),
    "NSE bhavcopy": frozenset({"series", "tottrdqty", "prevclose"}),
    "Yahoo web export": frozenset({"date", "open", "high", "low", "close", "adj close", "volume"}),
}
"""Recognised by these columns, the first that fits; for the report alone."""


def plain(name: str) -> str:
    """Lower case, single spaces, no decoration.

    >>> plain("<Adj_Close>"), plain("Vol."), plain("4. close"), plain("Open (USD)")
    ('adj close', 'vol', 'close', 'open')
    """
    name = _UNIT.sub("", name)
    bare = re.sub(r"^\d+\. ", "", name.strip().strip("\ufeff\"'")).strip("<>*. ").lower()
    return re.sub(r"[\s_.]+", " ", bare).strip()


def fields(
    names: Sequence[str], given: Mapping[str, str], who: str, elsewhere: Container[str] = ()
) -> dict[str, str]:
    """The file's column for each field that it has.

    Parameters
    ----------
    names
        Columns of the file.
    given
        Column by field, as ``data.columns`` has it; wins over what is recognised.
    who
        The file, for messages.
    elsewhere
        Fields that the file's folders hold.

    Raises
    ------
    InvalidData
        A column that config names is absent, two columns may be the same field, or a price or the
        date is missing.
    """
    chosen = {field: _named(column, names) for field, column in given.items()}
    absent = [f"data.columns.{field}={given[field]}" for field, c in chosen.items() if c is None]
    shown_names = ", ".join(names)
    if absent:
        raise InvalidData("ingest", f"{who}: no such column: {', '.join(absent)}", shown_names)
    fields_of = {field: column for field, column in chosen.items() if column is not None}
    free = [name for name in names if name not in fields_of.values()]
    for field, aliases in ALIASES.items():
        if field in fields_of:
            continue
        ranked = sorted(
            (aliases.index(plain(n)), place, n)
            for place, n in enumerate(free)
            if plain(n) in aliases
        )
        if len(ranked) > 1 and ranked[0][0] == ranked[1][0]:
            shown = f"{who}: {field} is column {ranked[0][2]!r} or {ranked[1][2]!r}"
            raise InvalidData("ingest", shown, "which of them", say(field))
        if ranked:
            fields_of[field] = ranked[0][2]
    missing = [field for field in NEEDED if field not in fields_of and field not in elsewhere]
    if missing:
        shown = f"{who}: no column for {', '.join(missing)} among: {shown_names}"
        raise InvalidData("ingest", shown, f"columns {', '.join(NEEDED)}", say(missing[0]))
    return fields_of


def is_header(names: Sequence[str], given: Mapping[str, str]) -> bool:
    """Whether a line names columns: three of the known ones, or one that config names."""
    if any(_named(column, names) for column in given.values()):
        return True
    return len({plain(name) for name in names} & KNOWN) > 2


def layout(names: Sequence[str], chosen: Mapping[str, str]) -> str:
    """What files of these columns are called, for the report."""
    have = {plain(name) for name in names}
    known = next((name for name, needed in LAYOUTS.items() if needed <= have), None)
    rows = "one row a symbol and session" if "symbol" in chosen else "one symbol a file"
    return f"{known}, {rows}" if known else rows


def say(field: str, column: str = "...") -> Command:
    """The command that says which column a field is."""
    return Command("ingest", "data=files", "data.path=...", f"data.columns.{field}={column}")


def _named(column: str, names: Sequence[str]) -> str | None:
    """The column of this name, exactly or but for case and decoration."""
    if column in names:
        return column
    alike = [name for name in names if plain(name) == plain(column)]
    return alike[0] if len(alike) == 1 else None
