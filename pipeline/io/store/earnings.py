"""When earnings dates are requested from a live source, and what is logged of the answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pandas as pd

from pipeline.io.sources.protocol import NOT_DELIVERED, Earnings, LiveProvider
from pipeline.io.store.store import Store
from pipeline.values import listed_names

log = logging.getLogger("pipeline.ingest")

MARK = "earnings"


def refresh_earnings(
    store: Store, source: LiveProvider, symbols: Sequence[str], days: int | None
) -> Earnings | None:
    """Request the earnings dates of these symbols and keep them, where that is due.

    What did not arrive is requested by the next ingestion; nothing else of it depends on that.

    Parameters
    ----------
    days
        After which they are requested again; None: never.

    Returns
    -------
    Earnings or None
        None where nothing was requested.
    """
    if days is None:
        return None
    built = store.built(MARK)
    last = dict(built.detail) if built else {}
    oldest = (source.moment - pd.Timedelta(days=days)).isoformat()
    due = [name for name in sorted(set(symbols)) if last.get(name, "") <= oldest]
    if not due:
        return None
    given = source.earnings(due)
    store.write_earnings(given)
    failed = [name for name, why in given.reasons.items() if why.startswith(NOT_DELIVERED)]
    answered = dict.fromkeys(set(due).difference(failed), given.downloaded_at.isoformat())
    store.mark_built(MARK, store.revision(), last | answered)
    _log(given, len(due), failed)
    return given


def _log(given: Earnings, requested: int, failed: Sequence[str]) -> None:
    answered = requested - len(given.reasons)
    log.info("ingest: %d earnings dates of %d symbols", len(given.rows), answered)
    if failed:
        why = given.reasons[failed[0]]
        log.warning("ingest: earnings dates: %s: %d symbols: %s", why, *listed_names(failed))
