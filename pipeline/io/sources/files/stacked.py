"""Wide tables: a column for each pair of a field and a ticker, one block of rows per ticker."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping, Sequence

from pipeline.io.sources.files.columns import NEEDED, as_written, plain
from pipeline.io.sources.files.currencies import is_money
from pipeline.io.sources.files.header_words import ALIASES

DATES = ("date", "datetime", "timestamp", "time", "session", "day", "")
CORNERS = (
    "price", "ticker", "tickers", "symbol", "symbols", "attributes", "field", "fields", "", "name",
    "variable", "level 0", "level 1", "stock", "instrument", "asset",
)  # fmt: skip
_FIELDS = frozenset(
    alias
    for name in ("open", "high", "low", "close", "volume", "adjusted_close", "split", "dividend")
    for alias in ALIASES[name]
) | {"capital gains", "change", "vwap", "trades", "turnover", "returns"}
_MARKS = r"[_ .|:/\[-]"
_NO_TICKERS = ("adj", "adjusted", "unadjusted", "raw", "price", "prc", "px", "bid", "ask", "mid")
"""Words beside a field that say which price it is, not whose."""

Pair = tuple[str, str]
"""Field and ticker of one column."""


def header_lines(lines: Sequence[Sequence[str]]) -> int:
    """How many of the first lines are the header of a wide table: 3, 2, or 0 where it is none.

    The first two hold fields and tickers; the third, where there is one, the index's name alone.
    """
    if len(lines) < 3 or len({len(line) for line in lines[:3]}) > 1:
        return 0
    corners = [plain(line[0]) for line in lines[:3]]
    if corners[0] not in (*CORNERS, *DATES) or corners[1] not in (*CORNERS, *DATES):
        return 0
    if lines[0] == lines[1] or _are_units(lines[1][1:]) or not pairs(cells(lines)):
        return 0
    if corners[2] in DATES and not any(cell.strip() for cell in lines[2][1:]):
        return 3
    return 2 if re.match(r"\d", lines[2][0].strip()) else 0


def cells(lines: Sequence[Sequence[str]]) -> list[Pair]:
    """Of each column but the first, what the first two lines call it.

    A name above several columns may stand over the first of them alone, as merged cells have it.
    """
    above, last = [], ""
    for name in as_written(lines[0][1:]):
        last = name if name.strip() else last
        above.append(last)
    return list(zip(above, lines[1][1:], strict=True))


def pairs(columns: Sequence[Pair]) -> list[Pair]:
    """Field and ticker of each column, given both in either order; empty where they are none.

    A ticker may be a letter that also stands for a field, such as C or O: the level whose names are
    all fields, and hold the four prices, is that of the fields.
    """
    levels = [[plain(column[place]) for column in columns] for place in (0, 1)]
    scores = [_is_fields(level) for level in levels]
    if not any(scores):
        return []
    if all(scores):  # prefer whole words over letters
        lengths = [sum(map(len, set(level))) / len(set(level)) for level in levels]
        scores = [lengths[0] >= lengths[1], lengths[1] > lengths[0]]
    if scores[0]:
        return list(columns)
    return [(field, ticker) for ticker, field in columns]


def named_pairs(names: Iterable[str]) -> dict[str, Pair]:
    """Field and ticker by column, of columns named ``('Close', 'AAPL')`` or ``Close_AAPL``.

    Columns that are no pair are left out; empty where the names are no pairs.
    """
    names = list(names)
    tuples = {name: pair for name in names if (pair := _tuple(name))}
    if tuples:
        return _in_order(tuples)
    for ticker_last in (True, False):
        split = {name: pair for name in names if (pair := _flat(name, ticker_last))}
        tickers = {ticker for _, ticker in split.values()}
        if len(split) >= len(names) - 2:
            whole = all(
                len({plain(f) for f, t in split.values() if t == ticker} & set(NEEDED)) == 4
                for ticker in tickers
            )
            if not whole or all(map(_says_no_ticker, tickers)):
                continue
            if len(tickers) == 1:  # a volume without its name is that of the one ticker
                alone = [name for name in names if plain(name) in _FIELDS]
                split |= {name: (name, next(iter(tickers))) for name in alone}
            return split
    return {}


def blocks(by_column: Mapping[str, Pair]) -> dict[str, dict[str, str]]:
    """By ticker, the column of each field as it is named there."""
    grouped: dict[str, dict[str, str]] = {}
    for column, (field, ticker) in by_column.items():
        grouped.setdefault(ticker, {})[field] = column
    return grouped


def _in_order(tuples: Mapping[str, Pair]) -> dict[str, Pair]:
    return dict(zip(tuples, pairs(list(tuples.values())), strict=False))


def _is_fields(names: Iterable[str]) -> bool:
    unique = set(names)
    fields = {field for field in NEEDED[1:] if unique & set(ALIASES[field])}
    return unique <= _FIELDS and len(fields) == 4


def _tuple(name: str) -> Pair | None:
    """Two header lines as pandas writes them into one name: ``('Close', 'UHS')``.

    ``('Date', '')`` is no pair: what was the index has no ticker.
    """
    if not re.fullmatch(r"\(['\"].*['\"], ['\"].*['\"]\)", name):
        return None
    try:
        first, second = ast.literal_eval(name)
    except (ValueError, SyntaxError):
        return None
    return (str(first), str(second)) if second else None


def _flat(name: str, ticker_last: bool) -> Pair | None:
    """``Close_AAPL``, ``Close (AAPL)`` or ``AAPL_Close``, where one part is a field."""
    for match in re.finditer(_MARKS, name):
        left, right = (
            side.strip(" ()[]_") for side in (name[: match.start()], name[match.end() :])
        )
        field, ticker = (left, right) if ticker_last else (right, left)
        is_field = len(plain(field)) > 1 and plain(field) in _FIELDS
        if ticker and is_field and _is_ticker(ticker, field):
            return field, ticker
    return None


def _are_units(names: Sequence[str]) -> bool:
    """Of a second line: what is counted in what, as USD,USD,USD,USD,shares."""
    money = [is_money(name) for name in names]
    return sum(money) > 3 and not all(money)


def _says_no_ticker(word: str) -> bool:
    """Of a word beside a field: a currency, what it is the price of, or a side of a merge."""
    is_side = word in ("x", "y", "left", "right")
    is_kind = plain(word) in ("stock", "share", "spot", "day")
    return is_side or is_kind or is_money(re.sub(r"^in ", "", word))


def _is_ticker(text: str, field: str) -> bool:
    """A word for a field is a ticker beside one in other letters: ``Close_LOW``."""
    if plain(text) in _NO_TICKERS:
        return False
    is_word = plain(text) in _FIELDS and len(text) > 1
    return not is_word or (text.isupper() and not field.isupper())
