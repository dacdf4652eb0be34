"""The evening by the clock: whether there is anything to do, and the one line that sums it up."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from pipeline.contract import Aliases
from pipeline.io import calendar
from pipeline.io.tracking import registry
from pipeline.io.tracking.ledger import anchors
from pipeline.monitor.chain import LIVE
from pipeline.workspace import Workspace


class Evening(NamedTuple):
    """What a monitoring system reads of an evening; empty where it is not known."""

    session: str = ""
    data_until: str = ""
    champion: str = ""
    health: str = ""
    orders: str = ""
    outcomes: str = ""
    ledger: str = ""


def holiday(workspace: Workspace, now: pd.Timestamp) -> str:
    """Why there is nothing to do on a day without a session; empty where there is something.

    On such a day the evening before is made up for, if it was missed: the next session's forecasts
    are not kept yet, or its bars are not there. Of a source that does not go on every day is one.

    Parameters
    ----------
    now
        UTC.
    """
    if not workspace.is_live:
        return ""
    name = workspace.exchange_calendar
    today = now.tz_convert(calendar.timezone(name)).tz_localize(None).normalize().as_unit("us")
    if len(calendar.sessions(name, today, today)):
        return ""
    sessions, last = workspace.store.sessions(), workspace.source.last_session()
    following = workspace.next_session(today)
    is_kept = any(
        entry.evening.session == f"{following:%Y-%m-%d}" and entry.evening.kind == LIVE
        for entry in workspace.store.evenings()
    )
    if sessions.empty or sessions[-1] < last or not is_kept:
        return ""
    return (
        f"{today:%Y-%m-%d} is no session of {name}: nothing to do, the forecasts for "
        f"{following:%Y-%m-%d} are kept"
    )


def summed_up(workspace: Workspace) -> Evening:
    """What the store and the registry hold after the evening."""
    store, champion = workspace.store, registry.holder(Aliases.CHAMPION)
    sessions, entries = store.sessions(), store.evenings()
    own = [e for e in entries if champion and e.evening.model == str(champion.version)]
    session = entries[-1].evening.session if entries else ""
    orders = ""
    if champion and session:
        listed = store.signals(session, champion.version)
        orders = str(len(listed)) if own and own[-1].evening.session == session else ""
    return Evening(
        session=session,
        data_until=f"{sessions[-1]:%Y-%m-%d}" if len(sessions) else "",
        champion=str(champion.version) if champion else "none",
        health=champion.tags.get("health", "").split(":")[0] if champion else "",
        orders=orders,
        outcomes=str(len(store.outcomes())),
        ledger="damaged" if store.ledger_faults(anchors(store.store_id)) else "whole",
    )
