"""Stores that a test fills, and the workspace on one of them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.io.sources.protocol import Delivery
from pipeline.io.sources.sample import Sample
from pipeline.io.store.bulk import stacked
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, LABELS, ROW, SYMBOL, TARGET, BarPanel
from pipeline.selection import Selection
from pipeline.trading.order_files import Cutoffs
from pipeline.workspace import Workspace
from tests.recipe import made
from tests.recipe.history import History


def workspace(store: Store, **changes: Any) -> Workspace:
    """What `Workspace.open` makes of a store; a test names what it is about."""
    plain: dict[str, Any] = {
        "store": store,
        "open_source": Sample,
        "is_live": False,
        "data_source": "sample",
        "exchange_calendar": "XNYS",
        "cutoffs": Cutoffs(opening=2, closing=10),
        "configured_index": None,
        "universe": "all",
        "members": None,
        "features": made.feature_set(),
        "snapshot_root": store.database.folder / "snapshots",
        "selection": Selection(),
    }
    return Workspace(**plain | changes)


def stored(path: Path, world: History) -> Store:
    """A store with the bars, labels and snapshots of a made-up history."""
    store = Store.open(path)
    store.write_symbols(listed(world.bars.symbols, sector="X"))
    store.write_bars(delivered(world.bars))
    outcome = world.labels[TARGET].unstack(SYMBOL)
    store.write_labels(dict.fromkeys(LABELS, outcome))
    workspace(store).snapshot_store.write(
        world.features,
        sessions=world.sessions,
        revision=store.revision(),
        store_id=store.store_id,
        whole=True,
    )
    return store


def delivery(rows: pd.DataFrame) -> Delivery:
    """Bars, long, of which none was left out or missed."""
    nothing = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])
    nothing["session"] = pd.to_datetime(nothing["session"])
    return Delivery(rows, nothing, nothing[[*ROW, "reason"]])


def delivered(bars: BarPanel) -> Delivery:
    """A panel of final bars."""
    rows = stacked({name: getattr(bars, name) for name in BAR_FIELDS}).assign(final=True)
    return delivery(rows.dropna())


def listed(symbols: Iterable[str], kind: str = "stock", **known: str) -> pd.DataFrame:
    """A table of symbols, with exchange, sector and name where a test knows them."""
    names = pd.Index(list(symbols), name="symbol")
    described = {"exchange": None, "sector": None, "name": None, "kind": kind}
    return pd.DataFrame(described | known, names).astype("str")
