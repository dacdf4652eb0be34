"""Who was live on a day, by the ledger and the history of the deployed model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import pandas as pd

from pipeline.io import calendar, clock
from pipeline.monitor.history import SILENT, Event, Live, is_silent, live_at, live_in
from pipeline.workspace import Workspace


def live_on(workspace: Workspace, events: Sequence[Event], day: date) -> Live:
    """By the ledger; else who held the alias when the exchange opened."""
    session, entries = f"{day:%Y-%m-%d}", workspace.store.evenings()
    sealed = live_in(entries, events, session)
    if sealed is not None:
        return sealed
    name, stamp = workspace.exchange_calendar, pd.Timestamp(day)
    if calendar.sessions(name, stamp, stamp).empty:
        return live_at_end_of(events, day)
    live = live_at(events, clock.as_text(calendar.opening(name, stamp)))
    is_one = live.version is not None and live.state == "traded" and is_silent(entries, session)
    return replace(live, state=SILENT) if is_one else live


def live_at_end_of(events: Sequence[Event], day: date) -> Live:
    """Who held the alias at the end of a day, whatever was traded."""
    return live_at(events, f"{day:%Y-%m-%d}T23:59:59Z")
