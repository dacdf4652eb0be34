"""Which column of a file is which field: by the names people's files have, or as config says."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Mapping, Sequence

from pipeline.commands import Command, override
from pipeline.errors import Fault, InvalidData
from pipeline.io.sources.files.currencies import is_money
from pipeline.io.sources.files.header_words import ALIASES, CODES, TURNOVERS, folded

NEEDED = ("date", "open", "high", "low", "close")

KNOWN = frozenset(alias for aliases in ALIASES.values() for alias in aliases)

_PRICES = frozenset(alias for field in NEEDED[1:] for alias in ALIASES[field])
_UNIT = re.compile(r"\s*[(\[](?:in )?([^()\[\]]{1,8})[)\]]\s*$")
_MAY_BE_ISSUED = ("number of shares", "no of shares")
_SHARES = ("shares", "share", "shs", "股", "주", "株")
_WORD = re.compile(r"^(?:price|px|prc|stock) | (?:price|px|prc)$")
_IN_MONEY = re.compile(r"(?: in)? (\S{1,4})$")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")

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
    """Lower case, single spaces, no accents, no decoration.

    What a price or a number of shares is counted in is decoration; other words in brackets, such
    as (adj) or (lakhs), and money behind a volume change what the column is.

    >>> plain("<Adj_Close>"), plain("Vol."), plain("4. close"), plain("Open (USD)")
    ('adj close', 'vol', 'close', 'open')
    >>> plain("Close (ADJ)"), plain("Volume (USD)"), plain("Volume (MIL)")
    ('close (adj)', 'volume (usd)', 'volume (mil)')
    """
    name = unicodedata.normalize("NFKC", name)
    unit = _UNIT.search(name)
    if unit:
        bare = _bare(name[: unit.start()])
        in_shares = folded(unit[1]) in _SHARES
        if in_shares or (is_money(unit[1]) and bare not in ALIASES["volume"]):
            return bare
    return _bare(name)


def _bare(name: str) -> str:
    bare = re.sub(r"^\d+[a-z]?\. ", "", name.strip().strip("\ufeff\"'#")).strip("<>*.# ")
    return re.sub(r"[\s_.]+", " ", folded(bare)).strip()


def known(name: str) -> str:
    """As `plain`; of a price also without words and currencies that say no more.

    >>> known("OpenPrice"), known("px_mid_high"), known("Close USD"), known("adj_open")
    ('open price', 'px mid high', 'close', 'adj open')
    """
    bare = plain(name)
    words = plain(_HUMP.sub(" ", name))
    if bare in KNOWN or words in KNOWN:
        return bare if bare in KNOWN else words
    money = _IN_MONEY.search(words)
    without = words[: money.start()] if money and is_money(money[1]) else words
    for shorter in (words, without, _WORD.sub("", without)):
        if shorter in _PRICES and len(shorter) > 1:
            return shorter
    return bare


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
        raise InvalidData(
            "ingest", f"{who}: no such column: {', '.join(absent)}", shown_names,
            faults=[Fault(key, "no such column", shown_names) for key in absent],
        )  # fmt: skip
    fields_of = {field: column for field, column in chosen.items() if column is not None}
    free = [name for name in names if name not in fields_of.values()]
    written = as_written(free)
    for field, aliases in ALIASES.items():
        if field in fields_of:
            continue
        ranked = sorted(
            (plain(n) != known(n), aliases.index(known(n)), place, free[place])
            for place, n in enumerate(written)
            if known(n) in aliases
        )
        if len(ranked) > 1:
            is_tie = ranked[0][:2] == ranked[1][:2]
            if is_tie or known(ranked[0][3]) in _MAY_BE_ISSUED:
                either = f"{who}: {field} is column {ranked[0][3]!r} or {ranked[1][3]!r}"
                needed = "which of them" if is_tie else "the shares traded"
                raise InvalidData("ingest", either, needed, say(field))
        if ranked:
            fields_of[field] = ranked[0][3]
    if plain(fields_of.get("symbol", "name")) == "name" and "symbol" not in elsewhere:
        codes = [name for name in free if plain(name) in CODES]
        fields_of |= {"code": codes[0]} if codes else {}
    if not {"split", "factor"} & fields_of.keys():
        named = [n for n in free if "split" in plain(_HUMP.sub(" ", n))]
        fields_of |= {"factor": named[0]} if named else {}
    paid = [name for name in free if plain(name) in TURNOVERS]
    if paid:
        fields_of["turnover"] = min(paid, key=lambda name: TURNOVERS.index(plain(name)))
    missing = [field for field in NEEDED if field not in fields_of and field not in elsewhere]
    if missing:
        shown = f"{who}: no column for {', '.join(missing)} among: {shown_names}"
        needed = f"columns {', '.join(NEEDED)}"
        if known(who.rpartition("/")[2].partition(".")[0]) in KNOWN:
            needed += "; of sheets of one field each one table of all fields: close AAPL, open AAPL"
        raise InvalidData(
            "ingest", shown, needed, say(missing[0]),
            faults=[Fault(f"data.columns.{field}", "no column for it") for field in missing],
        )  # fmt: skip
    return fields_of


def as_written(names: Sequence[str]) -> list[str]:
    """Names of columns before pandas numbered those that occur twice.

    >>> as_written(["Close", "Close.1", "Q.1"])
    ['Close', 'Close', 'Q.1']
    """
    bare = [re.sub(r"\.\d+$", "", name) for name in names]
    return [b if b in names else name for b, name in zip(bare, names, strict=True)]


def is_header(names: Sequence[str], given: Mapping[str, str]) -> bool:
    """Whether a line names columns: three of the known ones, or one that config names."""
    if any(_named(column, names) for column in given.values()):
        return True
    return len({known(name) for name in names} & KNOWN) > 2


def has_prices(names: Sequence[str]) -> bool:
    """Whether a line names the date and the four prices."""
    held = {known(name) for name in names}
    return all(held & set(ALIASES[field]) for field in NEEDED)


def layout(names: Sequence[str], chosen: Mapping[str, str]) -> str:
    """What files of these columns are called, for the report."""
    have = {plain(name) for name in names}
    known = next((name for name, needed in LAYOUTS.items() if needed <= have), None)
    rows = "one row a symbol and session" if "symbol" in chosen else "one symbol a file"
    return f"{known}, {rows}" if known else rows


def say(field: str, column: str = "...") -> Command:
    """The command that says which column a field is."""
    key = f"data.columns.{field}"
    bare = re.fullmatch(r"[\w.]+", column)
    named = f"{key}={column}" if bare else override(key, column)
    return Command("ingest", "data=files", "data.path=...", named)


def _named(column: str, names: Sequence[str]) -> str | None:
    """The column of this name, exactly or but for case and decoration."""
    if column in names:
        return column
    alike = [name for name in names if plain(name) == plain(column)]
    return alike[0] if len(alike) == 1 else None
