"""Copies of the forecast ledger's newest hash, on the runs of the evenings that it seals."""

from __future__ import annotations

from pipeline.contract import LifeTags
from pipeline.io.tracking import notes, runs
from pipeline.monitor.chain import Sealed


def note_head(store_id: str, newest: Sealed) -> None:
    """Note the newest hash on the open run, away from the store that it seals."""
    notes.set_tags({LifeTags.LEDGER_HEAD: newest.hash, LifeTags.LEDGER_STORE: store_id})


def anchors(store_id: str, newest: int = 5) -> dict[str, str]:
    """Hashes that the newest runs noted of this store's ledger, each with where."""
    # Monitoring runs name the store as well, and no hash.
    of_this_store = (
        f"tags.`{LifeTags.LEDGER_STORE}` = '{store_id}' and tags.`{LifeTags.LEDGER_HEAD}` != ''"
    )
    noted = runs.search(of_this_store, newest=newest)
    return {run.data.tags[LifeTags.LEDGER_HEAD]: f"run {run.info.run_id}" for run in noted}
