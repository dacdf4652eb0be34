"""What was read, kept and left out of a delivery, by rule."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.io.sources.protocol import EVERY_SYMBOL, Delivery
from pipeline.schemas import SESSION, SYMBOL

COLUMNS = ("kind", "what", "rule", "bars", "symbols", "first", "last")
READ, LOADED, PROVISIONAL, QUARANTINED, GAPS, REFUSED = (
    "read", "kept", "of these provisional", "quarantined", "missing", "refused whole",
)  # fmt: skip


def quality(deliveries: Mapping[str, Delivery]) -> pd.DataFrame:
    """One row a rule, of each kind of symbols.

    Parameters
    ----------
    deliveries
        By kind, such as stocks and indices.

    Returns
    -------
    Columns kind, what (read, kept, quarantined, ...), rule (empty for sums), bars, symbols, and the
    first and last session they are of (NaT: none). A gap is one bar of each symbol without one, a
    file or symbol refused whole counts as one symbol.
    """
    rows = [row for kind, delivery in deliveries.items() for row in _rows(kind, delivery)]
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    return table.astype({"first": "datetime64[us]", "last": "datetime64[us]"})


def _rows(kind: str, delivery: Delivery) -> list[tuple[object, ...]]:
    bars = delivery.bars.index.to_frame(index=False)
    left_out = delivery.quarantine
    if bars.empty and left_out.empty and not delivery.refused:
        return []
    every = pd.concat([bars, left_out[[SESSION, SYMBOL]]]).drop_duplicates()
    rows = [_row(kind, READ, "", every), _row(kind, LOADED, "", bars)]
    provisional = bars[~delivery.bars["final"].to_numpy(dtype=bool)]
    rows += [_row(kind, PROVISIONAL, "", provisional)] if len(provisional) else []
    for what, table in ((QUARANTINED, left_out), (GAPS, delivery.gaps)):
        for rule in table["reason"].value_counts().index:
            rows.append(_row(kind, what, str(rule), table[table["reason"] == rule]))
    if delivery.refused:
        rows.append((kind, REFUSED, "", 0, len(delivery.refused), pd.NaT, pd.NaT))
    return rows


def _row(kind: str, what: str, rule: str, bars: pd.DataFrame) -> tuple[object, ...]:
    symbols = bars[SYMBOL][bars[SYMBOL] != EVERY_SYMBOL].nunique()
    return (kind, what, rule, len(bars), symbols, bars[SESSION].min(), bars[SESSION].max())
