"""Whether the symbols that a configuration names are known to its source."""

from __future__ import annotations

from pipeline.config import build
from pipeline.config.sections import Named
from pipeline.errors import Fault
from pipeline.io.store.store import Store


def unknown_symbols(settings: Named) -> list[Fault]:
    """Faults of the symbols given by name, and of a universe of which the source has none."""
    known = _known_symbols(settings)
    has = f"{settings.data.name} has {len(known)} symbols"
    names = build.named_symbols(settings) or ()
    faults = [
        Fault("symbols", f"unknown symbol {name!r}", has) for name in names if name not in known
    ]
    members = build.members(settings)
    if members is not None and known.isdisjoint(members):
        count = f"none of its {len(members)} symbols is known"
        faults.append(Fault("universe.path", count, has))
    return faults


def _known_symbols(settings: Named) -> set[str]:
    """From the store where it is up to date: reading all prices again takes seconds."""
    source, chosen = build.source(settings), settings.store
    database = chosen.database
    if source.version is not None and database.exists():
        store = Store.open(database, create=False, lock_timeout=chosen.lock_timeout_seconds)
        try:
            built = store.built("ingest")
            if built and built.detail.get("source") == source.version:
                return set(store.symbols().index)
        finally:
            store.close()
    return set(source.symbols().index)
