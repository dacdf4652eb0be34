"""Of which symbols a source tells every split, so that their quoted prices are known."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.io.sources.protocol import Delivery
from pipeline.io.store.store import Store
from pipeline.schemas import SYMBOL

MARK = "splits"


def mark_splits(store: Store, delivery: Delivery, *, is_whole: bool) -> None:
    """Note the symbols of which every split is among the actions of the store.

    Parameters
    ----------
    is_whole
        Whether the delivery is all that its source has, so that what it does not tell is not known.
    """
    known = _known(store)
    now = known.difference(delivery.bars.index.unique(SYMBOL) if is_whole else ())
    now |= delivery.all_splits
    if now != known:
        store.mark_built(MARK, store.revision(), {"symbols": sorted(now)})


def without_splits(store: Store, symbols: Iterable[str]) -> list[str]:
    """Those of the symbols whose source does not tell every split."""
    return sorted(set(symbols).difference(_known(store)))


def _known(store: Store) -> set[str]:
    built = store.built(MARK)
    return set(built.detail["symbols"]) if built else set()
