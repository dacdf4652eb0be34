"""The forecast ledger: what was forecast on an evening, sealed by a hash chained to the one before.

An entry holds one model's forecasts and orders for one session. Its hash covers all of its fields,
every forecast, and the hash of the entry before it, so that a past entry cannot be changed, taken
out or put in without `chain_faults` naming it. Whoever can write the store can still append: what
an entry says of when it was made is worth as much as the clock, and the copies of the newest hash
that are kept elsewhere (`Sealed.hash` on the run of the evening).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise

import pandas as pd

from pipeline.errors import Fault

GENESIS = ""
"""What the first entry names as the hash before it."""

LIVE, REPLAY = "live", "replay"
"""Kinds: made before the session opened, by the clock; made later."""

SEAL_DIGITS = 16


@dataclass(frozen=True, kw_only=True)
class Evening:
    """What is sealed of one model's forecasts for one session.

    Attributes
    ----------
    session
        Whose open-to-close returns are forecast, ``YYYY-MM-DD``.
    model
        Version of the registered model, or the name of a baseline.
    role
        ``champion``, ``challenger``, ``shadow`` or ``baseline`` at that moment.
    kind
        ``LIVE`` or ``REPLAY``.
    unseen
        Whether the store held no bar of the session or a later one.
    made_at
        UTC, ``YYYY-MM-DDTHH:MM:SSZ``.
    data_until, revision
        Last session whose bars were used, and the store's revision.
    digest
        Of the model's files; of a baseline, what it was fitted on.
    state
        ``traded``; ``stopped``: a champion that may not trade; ``shadow``: all others.
    rules, bankroll
        What the forecasts are traded by (JSON), and currency.
    orders
        Symbol, side, shares and reference price of each order, JSON.
    """

    session: str
    model: str
    role: str
    kind: str
    unseen: bool
    made_at: str
    data_until: str
    revision: str
    digest: str
    state: str
    rules: str
    bankroll: float
    orders: str

    def says_the_same(self, other: Evening) -> bool:
        """Whether it differs in nothing but when it was made and from which revision."""
        ignored = {"made_at", "revision"}
        mine, theirs = asdict(self), asdict(other)
        return all(mine[name] == theirs[name] for name in mine if name not in ignored)


@dataclass(frozen=True)
class Sealed:
    """An entry of the ledger.

    Attributes
    ----------
    number
        Counts up from 1.
    symbols
        How many forecasts it has.
    content
        Digest of the forecasts.
    previous, hash
        Of the entry before, and its own: 64 hex digits.
    """

    number: int
    evening: Evening
    symbols: int
    content: str
    previous: str
    hash: str

    @property
    def name(self) -> str:
        """What people call it."""
        return f"entry {self.number} ({self.evening.session}, {self.evening.model})"


FIELDS = tuple(field.name for field in fields(Evening))


def sealed(number: int, evening: Evening, forecasts: pd.Series, previous: str) -> Sealed:
    """The entry of these forecasts (a fraction, by symbol), chained to the one before.

    Parameters
    ----------
    forecasts
        Fractions by symbol.
    number
        Of the entry, from 1 on.
    evening
        What was decided, and when.
    previous
        Hash of the entry before; `GENESIS` for the first one.
    """
    content = content_digest(forecasts)
    draft = Sealed(number, evening, len(forecasts), content, previous, "")
    return Sealed(number, evening, len(forecasts), content, previous, entry_hash(draft))


def entry_hash(entry: Sealed) -> str:
    """SHA-256 over all that an entry says and the hash before it."""
    content = {**asdict(entry.evening), "bankroll": float(entry.evening.bankroll).hex()}
    words = [entry.number, entry.symbols, entry.content, entry.previous]
    return hashlib.sha256(json.dumps([words, content], sort_keys=True).encode()).hexdigest()


def content_digest(forecasts: pd.Series) -> str:
    """SHA-256 over symbols and forecasts, bit for bit, in order of the symbols.

    Parameters
    ----------
    forecasts
        Fractions by symbol.
    """
    rows = sorted(zip(forecasts.index.astype(str), forecasts.tolist(), strict=True))
    text = "\n".join(f"{symbol} {float(value).hex()}" for symbol, value in rows)
    return hashlib.sha256(text.encode()).hexdigest()


def row_seal(number: int, symbol: str, forecast: float) -> str:
    """What names a changed forecast: 16 hex digits over it, its symbol and its entry."""
    text = f"{number} {symbol} {float(forecast).hex()}"
    return hashlib.sha256(text.encode()).hexdigest()[:SEAL_DIGITS]


def countable(entries: Sequence[Sealed]) -> list[Sealed]:
    """The entry of each session, model and kind that is held to account: the newest one.

    Replays of sessions whose bars were known already are left out: they prove nothing.
    """
    newest = {
        (entry.evening.session, entry.evening.model, entry.evening.kind): entry
        for entry in entries
        if entry.evening.kind == LIVE or entry.evening.unseen
    }
    return list(newest.values())


def chain_faults(
    entries: Sequence[Sealed], rows: pd.DataFrame, anchors: Mapping[str, str] | None = None
) -> list[Fault]:
    """What is not as it was written, by entry; empty: nothing.

    Parameters
    ----------
    entries
        All of them, in order of their numbers.
    rows
        Forecasts: columns number, symbol, prediction, seal.
    anchors
        Hashes that were noted elsewhere, each with where.
    """
    by_hash = {entry.hash: entry for entry in entries}
    by_hash |= {entry_hash(entry): entry for entry in entries}
    faults = [
        Fault(entry.name, "was changed") for entry in entries if entry_hash(entry) != entry.hash
    ]
    linked, broken = _linked(entries, by_hash)
    faults += [
        Fault(entry.name, "was put in, no later entry is chained to it")
        for entry in entries
        if entry.number not in linked
    ]
    faults += broken
    faults += [
        Fault(where, f"the entry that it noted is missing, hash {known[:12]}")
        for known, where in (anchors or {}).items()
        if known not in by_hash or by_hash[known].number not in linked
    ]
    faults += [
        Fault(later.name, f"says it was made before {earlier.name}, which it follows")
        for earlier, later in pairwise(e for e in entries if e.number in linked)
        if later.evening.made_at < earlier.evening.made_at
    ]
    return faults + _row_faults(entries, rows)


def _linked(
    entries: Sequence[Sealed], by_hash: Mapping[str, Sealed]
) -> tuple[set[int], list[Fault]]:
    """Numbers of the entries that the newest one leads back to, and where the chain is broken."""
    linked: set[int] = set()
    broken: list[Fault] = []
    rest = list(entries)
    while rest:
        entry = rest.pop()
        linked.add(entry.number)
        if entry.previous == GENESIS:
            break
        before = by_hash.get(entry.previous)
        if before is None or before.number >= entry.number:
            last = f"entry {rest[-1].number}" if rest else "the beginning"
            broken.append(
                Fault(entry.name, f"one or more entries before it and after {last} are missing")
            )
        else:
            rest = [other for other in rest if other.number <= before.number]
    return linked, broken


def _row_faults(entries: Sequence[Sealed], rows: pd.DataFrame) -> list[Fault]:
    faults: list[Fault] = []
    known = {entry.number for entry in entries}
    of_entry = {int(str(number)): group for number, group in rows.groupby("number", sort=False)}
    for number in sorted(set(of_entry) - known):
        faults.append(
            Fault(f"entry {number}", f"is not there, {len(of_entry[number])} forecasts are of it")
        )
    for entry in entries:
        group = of_entry.get(entry.number, rows.iloc[:0])
        if content_digest(group.set_index("symbol")["prediction"]) == entry.content:
            continue
        changed = [
            str(row.symbol)
            for row in group.itertuples()
            if row_seal(entry.number, str(row.symbol), float(str(row.prediction))) != row.seal
        ]
        named = f": {', '.join(changed[:5])}" if changed else ""
        faults.append(
            Fault(
                entry.name,
                f"its forecasts are not those that were sealed{named}; "
                f"{len(group)} rows, {entry.symbols} were written",
            )
        )
    return faults
