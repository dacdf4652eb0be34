"""What is new in a source that gives all it has each time: what the store lacks, what is gone.

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

from pipeline.errors import Refused
from pipeline.io import months
from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

WITHDRAWN = "withdrawn by the source"
SHOWN = 5


@dataclass(frozen=True)
class News:
    """What there is to write of a delivery.

    Attributes
    ----------
    delivery
        Bars of the months that differ; those withdrawn are among the quarantine.
    gone
        Stored bars that go, indexed by ``schemas.ROW``: withdrawn, or set aside by now.
    kept
        Stored bars that would go too if all of the source could be read.
    as_before
        Number of bars in the months that do not differ.
    digests
        By month, where what the store will have is what was delivered, no more.
    """

    delivery: Delivery
    gone: pd.DataFrame
    kept: pd.DataFrame
    as_before: int
    digests: Mapping[str, str]

    @classmethod
    def all_of(cls, delivery: Delivery) -> News:
        """Everything is to be written and nothing known of what is not delivered."""
        return cls(delivery, delivery.bars[:0], delivery.bars[:0], 0, {})


def news(
    store: Store, delivery: Delivery, kind: str, symbols: list[str] | None, most: float
) -> News:
    """Compare a whole delivery with the store.

    Parameters
    ----------
    symbols
        The symbols asked for; None: all. No other can be withdrawn.
    most
        Share of the stored bars, from the delivery's first session on, that may go at once.

    Raises
    ------
    Refused
        More would go.
    """
    ours = months.digests(delivery.bars)
    held = _held(store, kind, symbols)
    same = [month for month, digest in ours.items() if held.get(month) == digest]
    lacking = _lacking(store, delivery, kind, symbols, same)
    goes, stays = _fate(lacking, delivery)
    _check_share(store, delivery, kind, symbols, lacking[goes], most)
    mixed = set(months.names(_days(lacking[~goes])))
    differs = ~_in_months(delivery.bars, same)
    return News(
        replace(
            delivery,
            bars=delivery.bars[differs],
            quarantine=_set_aside(delivery.quarantine, lacking[goes]),
        ),
        lacking[goes],
        lacking[stays],
        int((~differs).sum()),
        {month: digest for month, digest in ours.items() if month not in mixed},
    )


def mark(store: Store, kind: str, symbols: list[str] | None, found: News) -> None:
    """Note what the store holds, once all of it is written."""
    detail = {"symbols": symbols, "months": dict(found.digests)}
    store.mark_built(f"bars {kind}", store.revision(), detail)


def _held(store: Store, kind: str, symbols: list[str] | None) -> dict[str, str]:
    """Digests by month that still hold: no bar of the month changed since."""
    built = store.built(f"bars {kind}")
    if built is None or built.detail["symbols"] != symbols:
        return {}
    changes = store.changes(since_revision=built.revision)
    changes = changes[changes["kind"] == "bars"]
    ranges = zip(changes["first_session"], changes["last_session"], strict=True)
    touched = {f"{m}" for first, last in ranges for m in pd.period_range(first, last, freq="M")}
    return {month: d for month, d in built.detail["months"].items() if month not in touched}


def _lacking(
    store: Store, delivery: Delivery, kind: str, symbols: list[str] | None, same: list[str]
) -> pd.DataFrame:
    """Stored bars, from the delivery's first session on, that it does not hold."""
    bars = delivery.bars
    first = bars.index[0][0] if len(bars) else pd.Timestamp.max
    days = store.sessions(kind)
    days = days[(days >= first) & ~months.names(days).isin(same)]
    parts = [store.bars(start, end, symbols, kind) for start, end in months.spans(days)]
    parts = [part[~part.index.isin(bars.index)] for part in parts]
    return pd.concat(parts) if parts else bars[:0]


def _fate(lacking: pd.DataFrame, delivery: Delivery) -> tuple[np.ndarray, np.ndarray]:
    """Which of the bars that a delivery lacks go, and which stay though they look withdrawn."""
    symbol = lacking.index.get_level_values(SYMBOL)
    first = _first_sessions(delivery) if len(lacking) else pd.Series(dtype="datetime64[us]")
    since = pd.Series(symbol.map(first.to_dict()))
    is_absent = since.isna().to_numpy()
    inside = np.asarray(_days(lacking) >= since.fillna(first.min()).to_numpy())
    unclear = symbol.isin(list(delivery.set_aside)) | (is_absent & (not delivery.all_read))
    return inside & ~unclear, inside & unclear


def _first_sessions(delivery: Delivery) -> pd.Series:
    """First session of each symbol, set aside or not."""
    index = delivery.bars.index
    is_first = ~pd.Series(index.codes[1]).duplicated().to_numpy()  # type: ignore[attr-defined]
    given = pd.concat([index[is_first].to_frame(index=False), delivery.quarantine[ROW]])
    return given.groupby(SYMBOL, observed=True)[SESSION].min()


def _check_share(
    store: Store,
    delivery: Delivery,
    kind: str,
    symbols: list[str] | None,
    gone: pd.DataFrame,
    most: float,
) -> None:
    if gone.empty:
        return
    since = delivery.bars.index[0][0]
    stored = store.bar_count(kind, since, symbols)
    share = len(gone) / stored
    if share <= most:
        return
    names = gone.index.unique(SYMBOL).sort_values()
    shown = ", ".join([*names[:SHOWN], *(["..."] if len(names) > SHOWN else [])])
    raise Refused(
        "ingest",
        f"{len(gone):,} of the {stored:,} stored bars since {since:%Y-%m-%d} ({share:.0%}), of "
        f"{len(names)} symbols ({shown}), are no longer in the files: a truncated file, or other "
        "files than before",
        "the whole files, or another store.path for other files; where these bars are really gone: "
        f"data.max_withdrawn={min(1.0, np.ceil(100 * share) / 100):g}",
    )


def _set_aside(quarantine: pd.DataFrame, gone: pd.DataFrame) -> pd.DataFrame:
    """The quarantine, and what the source withdrew as it was last given."""
    known = pd.MultiIndex.from_frame(quarantine[ROW])
    withdrawn = gone.loc[~gone.index.isin(known), list(BAR_FIELDS)].reset_index()
    withdrawn.insert(2, "reason", WITHDRAWN)
    return pd.concat([quarantine, withdrawn], ignore_index=True) if len(withdrawn) else quarantine


def _in_months(bars: pd.DataFrame, same: list[str]) -> np.ndarray:
    days = pd.DatetimeIndex(bars.index.levels[0])  # type: ignore[attr-defined]
    return np.asarray(months.names(days).isin(same))[bars.index.codes[0]]  # type: ignore[attr-defined]


def _days(bars: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(bars.index.get_level_values(SESSION))
