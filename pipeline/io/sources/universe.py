"""Universes: which symbols are traded, and when each was a member.

The file is a CSV with a column symbol (Symbol or Ticker are understood), and as far as known
exchange, sector and name. With columns ``from`` and ``to`` it tells memberships: the first and the
last day of each, both inclusive and open where empty. A symbol that left and came back has a line
for each time. A line without both was a member throughout. A file with a column ``date`` and the
members of each date, one a line or several in a cell, is understood too: they are members until the
day before the next date.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.io.calendar import AMERICAN
from pipeline.io.sources.files.date_forms import MIDNIGHT
from pipeline.io.sources.files.numbers import MISSING
from pipeline.io.sources.lists import ATTRIBUTES, FROM, TO, Limit, read_list
from pipeline.io.sources.settings import FilesData, SampleData, YahooData
from pipeline.schemas import SESSION, SYMBOL

OTHER_DATES = r"ipo|list|found|birth|updat|report|incept|fiscal|as of|public"
"""Parts of names of columns whose dates are no memberships."""

Spell = Callable[[str], str]
"""A symbol as the source writes it."""


@dataclass(frozen=True, eq=False)
class Universe:
    """A list of symbols.

    Attributes
    ----------
    lines
        One row a membership: symbol, exchange, sector, name (NaN: unknown), from, to (NaT: open).
    """

    lines: pd.DataFrame

    @property
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that ever was a member, once, in the file's order."""
        return tuple(self.lines[SYMBOL].drop_duplicates())

    @property
    def is_dated(self) -> bool:
        """Whether a membership begins or ends."""
        return bool(self.lines[[FROM, TO]].notna().any(axis=None))

    def left_before(self, session: pd.Timestamp) -> int:
        """How many symbols were members, and are no longer on a session."""
        ends = self.lines[TO].fillna(pd.Timestamp.max).groupby(self.lines[SYMBOL]).max()
        return int((ends < session).sum())

    @property
    def digest(self) -> str:
        """12 hex digits over who is a member since and until when."""
        text = self.lines[[SYMBOL, FROM, TO]].sort_values([SYMBOL, FROM]).to_csv(index=False)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def described(self) -> pd.DataFrame:
        """Exchange, sector and name by symbol; those of its last line."""
        return self.lines.drop_duplicates(SYMBOL, keep="last").set_index(SYMBOL)[list(ATTRIBUTES)]


def spelling(data: SampleData | FilesData | YahooData) -> Spell:
    """How the chosen source writes a symbol: in the US a share class stands after a dash."""
    if isinstance(data, FilesData):
        from pipeline.io.sources.files.symbols import symbol

        by_dot = data.exchange_calendar in AMERICAN
        return lambda name: symbol(name, share_class_by_dot=by_dot)
    by_dash = isinstance(data, SampleData) or data.exchange_calendar in AMERICAN

    def written(name: str) -> str:
        bare = name.strip().upper()
        return bare.replace(".", "-").replace("/", "-") if by_dash else bare

    return written


def read_universe(file: Path, spell: Spell, max_megabytes: int) -> Universe:
    """The universe of a file of at most so many megabytes.

    Raises
    ------
    InvalidData
        It has no column of symbols, a date is none, a membership ends before it begins, or the
        file is larger.
    """
    limit = Limit(max_megabytes, "universe.max_megabytes")
    rows = read_list(file, (SYMBOL,), limit, "universe")
    rows = _of_dates(rows[rows[SYMBOL].str.strip() != ""].reset_index(drop=True), file)
    _check_dates_are_known(rows, file)
    lines = rows.reindex(columns=[SYMBOL, *ATTRIBUTES]).replace("", np.nan)
    lines[SYMBOL] = [spell(name) for name in rows[SYMBOL]]
    for name in (FROM, TO):
        lines[name] = _days(rows, name, file)
    wrong = lines[FROM] > lines[TO]
    if wrong.any():
        faults = [
            Fault(str(name), f"is a member from {first:%Y-%m-%d} to {last:%Y-%m-%d}")
            for name, first, last in lines.loc[wrong, [SYMBOL, FROM, TO]].to_numpy()
        ]
        more = f"; so are {len(faults) - 1} others" if len(faults) > 1 else ""
        found = f"{file.name}: {faults[0].key} {faults[0].found}{more}"
        raise InvalidData("universe", found, "from before to", faults=faults)
    return Universe(lines)


def of_names(names: Iterable[str]) -> Universe:
    """A universe of these symbols, members throughout, of which nothing else is known."""
    lines = pd.DataFrame({SYMBOL: list(names)}).reindex(columns=[SYMBOL, *ATTRIBUTES])
    lines[[FROM, TO]] = pd.NaT
    return Universe(lines)


def members(universe: Universe, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Whether each symbol is a member on each session; known before the session opens.

    Returns
    -------
    bool, sessions x symbols, both sorted.

    Examples
    --------
    >>> lines = pd.DataFrame({"symbol": ["A", "B"], "from": [pd.NaT, pd.Timestamp("2024-01-03")],
    ...                       "to": [pd.Timestamp("2024-01-02"), pd.NaT]})
    >>> members(Universe(lines), pd.DatetimeIndex(["2024-01-02", "2024-01-03"])).to_numpy().tolist()
    [[True, False], [False, True]]
    """
    names = pd.Index(sorted(universe.symbols), name=SYMBOL)
    days = pd.DatetimeIndex(sessions, name=SESSION).sort_values()
    lines = universe.lines
    begins, ends = (lines[name].astype("datetime64[us]") for name in (FROM, TO))
    first = np.where(begins.isna(), 0, days.searchsorted(begins.to_numpy(), side="left"))
    after = np.where(ends.isna(), len(days), days.searchsorted(ends.to_numpy(), side="right"))
    member = np.zeros((len(days), len(names)), dtype=bool)
    for place, start, end in zip(
        names.get_indexer(pd.Index(lines[SYMBOL])), first, after, strict=True
    ):
        member[start:end, place] = True
    return pd.DataFrame(member, days, names)


def members_on(universe: Universe, session: pd.Timestamp) -> tuple[str, ...]:
    """Symbols that are members on a session, sorted."""
    table = members(universe, pd.DatetimeIndex([session]))
    return tuple(table.columns[table.to_numpy()[0]])


def is_member(universe: Universe, rows: pd.MultiIndex) -> np.ndarray:
    """Whether the symbol of each row (session, symbol) is a member on the row's session.

    A row depends on the membership of its own session alone: later lines of the file change none.
    """
    sessions = rows.get_level_values(SESSION)
    table = members(universe, pd.DatetimeIndex(sessions.unique()))
    at = table.index.get_indexer(sessions)
    column = table.columns.get_indexer(rows.get_level_values(SYMBOL))
    return (column >= 0) & table.to_numpy()[at, column]


def _of_dates(rows: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Lists of the members on certain dates as memberships, a line each; other rows as they are.

    Raises
    ------
    InvalidData
        There are dates, and each symbol has one: whether it came or went then is not said.
    """
    if SESSION not in rows or {FROM, TO} & set(rows):
        return rows
    dates = _days(rows, SESSION, file)
    if dates.nunique() < 2:
        return rows
    held = pd.DataFrame({SESSION: dates, SYMBOL: rows[SYMBOL].str.split(r"[,;|]", regex=True)})
    held = held.explode(SYMBOL).dropna(subset=[SESSION])
    held[SYMBOL] = held[SYMBOL].str.strip()
    held = held[held[SYMBOL] != ""].drop_duplicates()
    if held[SYMBOL].is_unique:
        given = f"{file.name}: a column of dates, and one date a symbol"
        raise InvalidData("universe", given, "columns from and to: its days as a member")
    known = np.sort(dates.dropna().unique())
    held["place"] = known.searchsorted(held[SESSION].to_numpy())
    held = held.sort_values([SYMBOL, "place"])
    held["spell"] = (held.groupby(SYMBOL)["place"].diff() != 1).cumsum()
    spells = held.groupby("spell").agg({SYMBOL: "first", "place": ["min", "max"]})
    first, last = spells["place", "min"].to_numpy(), spells["place", "max"].to_numpy()
    after = np.append(known - np.timedelta64(1, "D"), np.datetime64("NaT"))[last + 1]
    texts = {FROM: np.datetime_as_string(known[first], "D"), TO: np.datetime_as_string(after, "D")}
    lines = pd.DataFrame({SYMBOL: spells[SYMBOL, "first"].to_numpy(), **texts}).astype("str")
    return lines.replace("NaT", "").sort_values([FROM, SYMBOL], ignore_index=True)


def _check_dates_are_known(rows: pd.DataFrame, file: Path) -> None:
    """Refuse columns of dates that may be memberships under another name.

    Raises
    ------
    InvalidData
        Without from and to there is a column of dates.
    """
    if {FROM, TO} & set(rows):
        return
    for name in rows.columns.difference([SYMBOL, SESSION, *ATTRIBUTES]):
        texts = rows[name].str.strip()
        filled = texts[texts != ""]
        is_date = filled.str.fullmatch(r"(?:19|20)\d\d-\d\d-\d\d(?:[T ].*)?")
        if len(filled) and is_date.all() and not re.search(OTHER_DATES, name):
            given = f"{file.name}: column {name} holds dates"
            needed = "columns from and to where they are days as a member; else none of dates"
            raise InvalidData("universe", given, needed)


def _days(rows: pd.DataFrame, name: str, file: Path) -> pd.Series:
    if name not in rows:
        return pd.Series(pd.NaT, rows.index, dtype="datetime64[us]")
    texts = rows[name].str.strip().str.replace(MIDNIGHT, "", regex=True)
    texts = texts.mask(texts.str.lower().isin(MISSING), "")
    days = pd.to_datetime(texts, format="%Y-%m-%d", errors="coerce").dt.as_unit("us")
    wrong = days.isna() & (texts != "")
    if wrong.any():
        more = f", nor are {wrong.sum() - 1} others" if wrong.sum() > 1 else ""
        raise InvalidData(
            "universe",
            f"{file.name}: {texts[wrong].iloc[0]!r} in column {name} is no date{more}",
            "dates as 2015-01-02, or nothing where it is open",
            faults=[
                Fault(str(symbol), f"{name}: {text!r} is no date")
                for symbol, text in zip(rows.loc[wrong, SYMBOL], texts[wrong], strict=True)
            ],
        )
    return days
