"""Why results of sessions that were complete are made anew: whose past changed, from when on."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from pipeline.io.arrivals import CHANGED, GONE, LATE, NEW
from pipeline.io.store import Store
from pipeline.schemas import SYMBOL
from pipeline.stages import _data

WORDS = {
    NEW: "new in the store: %s; ranks and means of all symbols change from %s on",
    CHANGED: "other values of old bars: %s; ranks and means of their sessions change, the first %s",
    LATE: "bars that came late: %s; ranks and means of their sessions change, the first %s",
    GONE: "bars that are gone: %s; ranks and means of their sessions change, the first %s",
}


def reasons(store: Store, since_revision: int, symbols: Iterable[str]) -> list[str]:
    """In words, what changed the past of these symbols since a revision; new sessions do not."""
    causes = store.causes(since_revision)
    causes = causes[causes[SYMBOL].isin(list(symbols))]
    return [
        sentence % (_shown(rows), f"{rows['first_session'].min():%Y-%m-%d}")
        for what, sentence in WORDS.items()
        if len(rows := causes[causes["what"] == what])
    ]


def _shown(rows: pd.DataFrame) -> str:
    count, names = _data.named(rows[SYMBOL].unique(), 5)
    return f"{count} symbol{'s' if count > 1 else ''} ({names})"
