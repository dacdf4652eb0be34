"""The evening by the clock: whether there is anything to do, and the one line that sums it up."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import pandas as pd

from pipeline.contract import Aliases, LifeTags
from pipeline.errors import Damaged, PipelineError
from pipeline.io import calendar
from pipeline.io.store.protocol import Database
from pipeline.io.store.store import Store
from pipeline.io.tracking import notes, outside, registry
from pipeline.io.tracking.ledger import anchors
from pipeline.monitor.chain import LIVE
from pipeline.report.life import summary_line
from pipeline.secrets import masked
from pipeline.workspace import Workspace

REASON_CHARACTERS = 160
"""Of a reason, what the line for machines holds; the error itself holds all."""

NAMED_FAULTS = 20


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
    of_champion = [e for e in entries if champion and e.evening.model == str(champion.version)]
    session = entries[-1].evening.session if entries else ""
    orders = ""
    if champion and session:
        listed = store.signals(session, champion.version)
        orders = (
            str(len(listed)) if of_champion and of_champion[-1].evening.session == session else ""
        )
    return Evening(
        session=session,
        data_until=f"{sessions[-1]:%Y-%m-%d}" if len(sessions) else "",
        champion=str(champion.version) if champion else "none",
        health=champion.tags.get(LifeTags.HEALTH, "").split(":")[0] if champion else "",
        orders=orders,
        outcomes=str(len(store.outcomes())),
        ledger="damaged" if store.ledger_faults(anchors(store.store_id)) else "whole",
    )


def ledger_damage(store: Store, who: str) -> Damaged | None:
    """What of the forecast ledger is not as it was sealed; None: nothing."""
    faults = store.ledger_faults(anchors(store.store_id))
    if not faults:
        return None
    more = len(faults) - NAMED_FAULTS
    named = "; ".join(map(str, faults[:NAMED_FAULTS])) + (f"; and {more} more" if more > 0 else "")
    return Damaged(
        who,
        f"the forecast ledger is not as it was sealed: {named}",
        "the store from a copy made after its last evening; or another store.path, where a new "
        "ledger begins",
        faults=faults,
    )


@contextmanager
def alone(database: Database, name: str) -> Iterator[None]:
    """Be the only routine of this name on a store while the block runs.

    Raises
    ------
    StoreLocked
        Another one is at work; nobody waits for it.
    """
    database.folder.mkdir(parents=True, exist_ok=True)
    with database.lock(name, name, 0.0):
        yield


@contextmanager
def last_line(name: str) -> Iterator[Callable[[Mapping[str, object]], None]]:
    """Give what prints the last line of a routine, for machines, and keeps it as a tag of its run.

    An error that ends the routine before is in that line too, and raised on.
    """
    printed: list[str] = []

    def report(facts: Mapping[str, object]) -> None:
        printed.append(_line(name, facts))
        print(printed[-1], flush=True)
        notes.set_tags({LifeTags.SUMMARY: printed[-1]})

    try:
        yield report
    except PipelineError as error:
        if not printed:
            report({"result": error.verdict, "reason": error.found})
        raise
    except (
        Exception
    ) as error:  # of the machine, of MLflow, which takes no tag then, or of this code
        known = outside.explained(name, error)
        verdict = known.verdict if known else PipelineError.verdict
        reason = known.found if known else type(error).__name__
        if not printed:
            print(_line(name, {"result": verdict, "reason": reason}), flush=True)
        raise


def _line(name: str, facts: Mapping[str, object]) -> str:
    if "reason" not in facts:
        return summary_line(name, facts)
    reason = textwrap.shorten(masked(str(facts["reason"])), REASON_CHARACTERS, placeholder=" ...")
    return summary_line(name, {**facts, "reason": reason})
