"""The identity of data: evidence counts for a version only whose own data extends it.

Data is known again by *witnesses*: cells (session, symbol) that a hash of their own names chooses,
with the move from open to close that the labels hold and the range that the bars hold. Both are
shares of the open, so that a later adjustment for a split or a dividend, which scales all prices,
leaves them as they were.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Annotated, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field

from pipeline.schemas import SESSION, SYMBOL, TARGET
from pipeline.values import Value

WITNESSES = 256
"""Of an identity: a revision of one bar in a hundred is noticed."""

LOOK_WITNESSES = 24
"""Of a look, which has to fit into a tag."""

TOLERANCE = 1e-4
"""Of a move or a range; prices rounded to cents after an adjustment differ by less."""

MIN_AGREEMENT = 0.97
"""Part of an evidence's witnesses that must be as they were: sources mend single bars."""

MAX_SYMBOL_CHANGES = 0.05
"""Part of a universe that may join or leave it: an index replaces about that much a year."""


class Witness(NamedTuple):
    """One cell of the data.

    Attributes
    ----------
    session
        As ``YYYY-MM-DD``.
    move, range
        Close less open, and high less low, as fractions of the open.
    """

    session: str
    symbol: str
    move: float
    range: float


class DataIdentity(Value):
    """What data a result was measured on and learned from.

    Attributes
    ----------
    source, calendar
        Of the bars.
    symbols
        First session (``YYYY-MM-DD``) with a bar, by symbol of the universe.
    first, last
        Sessions that are predicted out of sample, both included.
    digest
        Over bars and labels of these sessions, bit for bit; for people, since an adjustment
        changes every bit.
    witnesses
        Of these sessions.
    learned
        Witnesses of what the final model was fitted on.
    learned_digest, learned_sessions
        Over all rows of that, features included, bit for bit, and its first and last session; None
        where an older release recorded none.
    """

    source: str
    calendar: str
    symbols: Mapping[str, str]
    first: str
    last: str
    digest: str
    witnesses: Annotated[tuple[Witness, ...], Field(min_length=1)]
    learned: tuple[Witness, ...]
    learned_digest: str | None = None
    learned_sessions: tuple[str, str] | None = None


def witness_rows(rows: pd.Index, count: int = WITNESSES) -> pd.Index:
    """The rows of (session, symbol) that stand for all of them, whatever their order."""
    sessions, symbols = rows.get_level_values(SESSION), rows.get_level_values(SYMBOL)
    days = pd.util.hash_array(sessions.to_numpy().astype("datetime64[D]").astype("int64"))
    names = pd.util.hash_array(symbols.to_numpy().astype(object))
    mixed = pd.util.hash_array(days ^ (names * np.uint64(3)))
    return rows[np.argsort(mixed, kind="stable")[:count]].sort_values()


def witnesses(cells: pd.DataFrame) -> tuple[Witness, ...]:
    """Witnesses of cells: open, high, low and label by (session, symbol); incomplete ones go.

    Parameters
    ----------
    cells
        By (session, symbol): prices in currency per share, the label a fraction.
    """
    whole = cells.dropna()
    ranges = (whole["high"] - whole["low"]) / whole["open"]
    return tuple(
        Witness(f"{session:%Y-%m-%d}", str(symbol), round(float(move), 9), round(float(width), 9))
        for (session, symbol), move, width in zip(whole.index, whole[TARGET], ranges, strict=True)
    )


def rows_of(listed: Sequence[Witness]) -> pd.MultiIndex:
    """Session and symbol of these witnesses."""
    sessions = pd.DatetimeIndex([witness.session for witness in listed]).as_unit("us")
    return pd.MultiIndex.from_arrays(
        [sessions, [witness.symbol for witness in listed]], names=[SESSION, SYMBOL]
    )


def agreement(listed: Sequence[Witness], cells: pd.DataFrame) -> float:
    """Part of the witnesses that data confirms; NaN without any.

    Parameters
    ----------
    cells
        Of that data, see `witnesses`; a cell that is absent confirms nothing.
    """
    if not listed:
        return np.nan
    known = {witness[:2]: witness for witness in witnesses(cells)}
    return float(np.mean([_confirmed(witness, known.get(witness[:2])) for witness in listed]))


def _confirmed(one: Witness, other: Witness | None) -> bool:
    return (
        other is not None
        and abs(one.move - other.move) <= TOLERANCE
        and abs(one.range - other.range) <= TOLERANCE
    )


def differences(evidence: DataIdentity, version: DataIdentity) -> list[str]:
    """Why a version's data is no extension of the evidence's, in words; empty where it is one.

    Whether the bars are the same is for `agreement` to tell.
    """
    reasons = [
        f"{name} is {getattr(version, name)}, the evidence's {getattr(evidence, name)}"
        for name in ("source", "calendar")
        if getattr(version, name) != getattr(evidence, name)
    ]
    if version.last < evidence.last:
        reasons.append(f"its data ends on {version.last}, the evidence's on {evidence.last}")
    by_then = {name for name, first in version.symbols.items() if first <= evidence.last}
    changed = by_then.symmetric_difference(evidence.symbols)
    changed |= {
        name for name in by_then - changed if version.symbols[name] > evidence.symbols[name]
    }
    if len(changed) > MAX_SYMBOL_CHANGES * len(evidence.symbols):
        named = ", ".join(sorted(changed)[:5])
        reasons.append(
            f"{len(changed)} symbols joined, left or lost history ({named}"
            f"{', ...' if len(changed) > 5 else ''}), the evidence has {len(evidence.symbols)}"
        )
    return reasons


def bars_digest(rows: pd.DataFrame) -> str:
    """32 hex digits over bars and labels by (session, symbol), bit for bit.

    Parameters
    ----------
    rows
        Final bars and labels, sorted: known after the last session's close.
    """
    hashed = pd.util.hash_pandas_object(rows.sort_index().astype("float64"))
    return hashlib.sha256(hashed.to_numpy().tobytes()).hexdigest()[:32]
