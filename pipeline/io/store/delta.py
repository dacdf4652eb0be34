"""What differs in a source that gives all it has each time: what the store lacks, what is gone.

A digest of each month tells which months stand in the store bar for bar as they were delivered;
only the others are looked at. So a changed old bar is found without reading what did not change.

A stored bar that the source no longer gives was withdrawn. But a file that holds the last year only
withdraws nothing of the years before: bars before a symbol's first one in the files stay. So do
those of a symbol that cannot be read now, and of absent symbols while some file cannot be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.errors import Fault, Refused
from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.month_digests import month_digests, month_runs, months
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

WITHDRAWN = "withdrawn by the source"
SHOWN = 5


@dataclass(frozen=True)
class Delta:
    """What there is to write of a delivery.

    Attributes
    ----------
    delivery
        Bars of the months that differ; those withdrawn are among the quarantine.
    withdrawn
        Stored bars that go, indexed by ``schemas.ROW``: withdrawn, or quarantined by now.
    undecided
        Stored bars that would go too if all of the source could be read.
    unchanged
        Number of bars in the months that do not differ.
    digests
        By month, where what the store will have is what was delivered, no more.
    """

    delivery: Delivery
    withdrawn: pd.DataFrame
    undecided: pd.DataFrame
    unchanged: int
    digests: Mapping[str, str]

    @classmethod
    def everything(cls, delivery: Delivery) -> Delta:
        """Everything is to be written and nothing known of what is not delivered."""
        return cls(delivery, delivery.bars[:0], delivery.bars[:0], 0, {})


def compare_with_store(
    store: Store,
    delivery: Delivery,
    kind: str,
    symbols: list[str] | None,
    max_withdrawn: float,
) -> Delta:
    """Compare a whole delivery with the store.

    Parameters
    ----------
    symbols
        The requested symbols; None: all. No other can be withdrawn.
    max_withdrawn
        Share of the stored bars, from the delivery's first session on, that may go at once.

    Raises
    ------
    Refused
        More would go.
    """
    delivered = month_digests(delivery.bars)
    stored = _stored_digests(store, kind, symbols)
    same = [month for month, digest in delivered.items() if stored.get(month) == digest]
    missing = _missing_bars(store, delivery, kind, symbols, same)
    is_withdrawn, is_undecided = classify_missing(missing, delivery)
    withdrawn = missing[is_withdrawn]
    _check_share(store, delivery, kind, symbols, withdrawn, max_withdrawn)
    mixed = set(months(_days(missing[~is_withdrawn])))
    differs = ~_in_months(delivery.bars, same)
    return Delta(
        replace(
            delivery,
            bars=delivery.bars[differs],
            quarantine=_with_withdrawn(delivery.quarantine, withdrawn),
        ),
        withdrawn,
        missing[is_undecided],
        int((~differs).sum()),
        {month: digest for month, digest in delivered.items() if month not in mixed},
    )


def mark_digests(store: Store, kind: str, symbols: list[str] | None, delta: Delta) -> None:
    """Note what the store holds, once all of it is written."""
    detail = {"symbols": symbols, "months": dict(delta.digests)}
    store.mark_built(f"bars {kind}", store.revision(), detail)


def _stored_digests(store: Store, kind: str, symbols: list[str] | None) -> dict[str, str]:
    """Digests by month that still hold: no bar of the month changed since."""
    built = store.built(f"bars {kind}")
    if built is None or built.detail["symbols"] != symbols:
        return {}
    changes = store.changes(since_revision=built.revision)
    changes = changes[changes["kind"] == "bars"]
    ranges = zip(changes["first_session"], changes["last_session"], strict=True)
    touched = {f"{m}" for first, last in ranges for m in pd.period_range(first, last, freq="M")}
    return {month: d for month, d in built.detail["months"].items() if month not in touched}


def _missing_bars(
    store: Store, delivery: Delivery, kind: str, symbols: list[str] | None, same: list[str]
) -> pd.DataFrame:
    """Stored bars, from the delivery's first session on, that it does not hold."""
    bars = delivery.bars
    first = bars.index[0][0] if len(bars) else pd.Timestamp.max
    days = store.sessions(kind)
    days = days[(days >= first) & ~months(days).isin(same)]
    parts = [store.bars(start, end, symbols, kind) for start, end in month_runs(days)]
    parts = [part[~part.index.isin(bars.index)] for part in parts]
    return pd.concat(parts) if parts else bars[:0]


def classify_missing(missing: pd.DataFrame, delivery: Delivery) -> tuple[np.ndarray, np.ndarray]:
    """Of the bars that a delivery lacks: which are withdrawn, and which of them cannot be
    determined.

    Parameters
    ----------
    missing
        Long, indexed by ``schemas.ROW``.

    Returns
    -------
    tuple of np.ndarray
        Two masks over `missing`: withdrawn; undecided, because a file cannot be read. Neither:
        the source gives only what came later.
    """
    symbol = missing.index.get_level_values(SYMBOL)
    first = _first_sessions(delivery) if len(missing) else pd.Series(dtype="datetime64[us]")
    since = pd.Series(symbol.map(first.to_dict()))
    is_absent = since.isna().to_numpy()
    inside = np.asarray(_days(missing) >= since.fillna(first.min()).to_numpy())
    unclear = symbol.isin(list(delivery.refused)) | (is_absent & (not delivery.all_read))
    return inside & ~unclear, inside & unclear


def _first_sessions(delivery: Delivery) -> pd.Series:
    """First session of each symbol, quarantined or not."""
    index = delivery.bars.index
    is_first = ~pd.Series(index.codes[1]).duplicated().to_numpy()  # type: ignore[attr-defined]
    given = pd.concat([index[is_first].to_frame(index=False), delivery.quarantine[ROW]])
    return given.groupby(SYMBOL, observed=True)[SESSION].min()


def _check_share(
    store: Store,
    delivery: Delivery,
    kind: str,
    symbols: list[str] | None,
    withdrawn: pd.DataFrame,
    max_withdrawn: float,
) -> None:
    if withdrawn.empty:
        return
    since = delivery.bars.index[0][0]
    stored = store.bar_count(kind, since, symbols)
    share = len(withdrawn) / stored
    if share <= max_withdrawn:
        return
    names = withdrawn.index.unique(SYMBOL).sort_values()
    shown = ", ".join([*names[:SHOWN], *(["..."] if len(names) > SHOWN else [])])
    raise Refused(
        "ingest",
        f"{len(withdrawn):,} of the {stored:,} stored bars since {since:%Y-%m-%d} ({share:.0%}), "
        f"of {len(names)} symbols ({shown}), are no longer in the files: a truncated file, or "
        "other files than before",
        "the whole files, or another store.path for other files; where these bars are really gone: "
        f"data.max_withdrawn={min(1.0, np.ceil(100 * share) / 100):g}",
        faults=[
            Fault(str(name), f"{count} bars are no longer in the files")
            for name, count in withdrawn.groupby(level=SYMBOL).size().items()
        ],
    )


def _with_withdrawn(quarantine: pd.DataFrame, withdrawn: pd.DataFrame) -> pd.DataFrame:
    """The quarantine, and what the source withdrew as it was last given."""
    known = pd.MultiIndex.from_frame(quarantine[ROW])
    new = withdrawn.loc[~withdrawn.index.isin(known), list(BAR_FIELDS)].reset_index()
    new.insert(2, "reason", WITHDRAWN)
    return pd.concat([quarantine, new], ignore_index=True) if len(new) else quarantine


def _in_months(bars: pd.DataFrame, same: list[str]) -> np.ndarray:
    days = pd.DatetimeIndex(bars.index.levels[0])  # type: ignore[attr-defined]
    return np.asarray(months(days).isin(same))[bars.index.codes[0]]  # type: ignore[attr-defined]


def _days(bars: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.index.get_level_values(SESSION))
