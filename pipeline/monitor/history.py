"""The life of the deployed model: who was live when, why, who decided, on which evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import pandas as pd

from pipeline.monitor.chain import LIVE, Sealed

STOPPED, EXPIRED, RESUMED = "stop", "expire", "resume"
"""Actions that leave the alias where it is; all others move it."""

STAYING = (STOPPED, EXPIRED, RESUMED)

SILENT = "silent"

STATES = {"stopped": ", stopped: it traded nothing", SILENT: ", of which no forecasts are kept"}


@dataclass(frozen=True)
class Event:
    """Something that decided, or ended, the trading of a version.

    Attributes
    ----------
    at
        UTC, ``YYYY-MM-DDTHH:MM:SSZ``; of a move by hand, when it was seen.
    action
        ``promote``, ``rollback``, ``by hand``, or one of ``STAYING``.
    version, previous
        Who is live from then on, and who was; None: nobody.
    evidence
        Id of the run, or what else the decision rests on.
    session
        The session it was decided for, where that is known.
    """

    at: str
    action: str
    version: int | None
    previous: int | None
    reason: str
    by: str
    forced: bool = False
    evidence: str = ""
    session: str = ""


@dataclass(frozen=True)
class Live:
    """Who was live, and since which event; ``state`` is traded, stopped, silent or nobody.

    Silent: of that session no forecasts are kept, although there are some of earlier and later
    ones; the data were stale, or nothing ran.
    """

    version: int | None
    state: str
    event: Event | None

    @property
    def in_words(self) -> str:
        """One sentence."""
        if self.event is None:
            return "nobody was live: nothing had been promoted"
        e = self.event
        who = "nobody" if self.version is None else f"version {self.version}"
        state = STATES.get(self.state, "")
        forced = ", forced" if e.forced else ""
        basis = f", evidence {e.evidence}" if e.evidence else ""
        return f"{who}{state}; {e.action} at {e.at} by {e.by}{forced}: {e.reason}{basis}"


def live_at(events: Sequence[Event], moment: str) -> Live:
    """Who was live at a moment (UTC, as ``Event.at``); stopped, a version stays so till resumed.

    Examples
    --------
    >>> born = Event("2024-01-02T00:00:00Z", "promote", 1, None, "passed", "me")
    >>> died = Event("2024-03-01T00:00:00Z", "stop", 1, 1, "no skill", "score")
    >>> live_at([born, died], "2024-02-01T00:00:00Z").state
    'traded'
    >>> live_at([born, died], "2024-03-01T00:00:00Z").state
    'stopped'
    """
    live, stopped = Live(None, "nobody", None), set[int | None]()
    for event in events:
        if event.at > moment:
            break
        if event.action == EXPIRED:
            continue
        if event.action == STOPPED:
            stopped.add(event.version)
        elif event.action == RESUMED:
            stopped.discard(event.version)
        state = "stopped" if event.version in stopped else "traded"
        live = Live(event.version, "nobody" if event.version is None else state, event)
    return live


def live_in(entries: Sequence[Sealed], events: Sequence[Event], session: str) -> Live | None:
    """Who was live in a session by the forecast ledger, and why; None where it holds none of it.

    The newest entry of the champion that was made before the session counts; a replay tells what
    was made of it later, not who was live.
    """
    of_session = [
        entry
        for entry in entries
        if entry.evening.session == session
        and entry.evening.role == "champion"
        and entry.evening.kind == LIVE
    ]
    if not of_session:
        return None
    entry = of_session[-1]
    version, made = int(entry.evening.model), entry.evening.made_at
    at = [e for e in events if e.at <= made and e.version == version]
    if entry.evening.state != "stopped":
        at = [e for e in at if e.action not in (STOPPED, EXPIRED)]
    return Live(version, entry.evening.state, at[-1] if at else None)


def is_silent(entries: Sequence[Sealed], session: str) -> bool:
    """Whether sessions before and after this one have forecasts made in time, and it has none."""
    live = [entry.evening.session for entry in entries if entry.evening.kind == LIVE]
    return bool(live) and session not in live and min(live) < session < max(live)


def history_table(events: Sequence[Event]) -> pd.DataFrame:
    """One row an event, oldest first: from, until, version, state, action, reason, by, evidence.

    ``until`` is empty for what still holds.
    """
    columns = ["from", "until", "version", "state", "action", "reason", "by", "forced",
               "evidence", "session"]  # fmt: skip
    rows = []
    for place, event in enumerate(events):
        live = live_at(events[: place + 1], event.at)
        ends = next((later.at for later in events[place + 1 :] if later.action != EXPIRED), "")
        content = asdict(event)
        rows.append(
            {name: content.get(name) for name in columns}
            | {
                "from": event.at,
                "until": ends,
                "version": "none" if live.version is None else str(live.version),
                "state": "expired" if event.action == EXPIRED else live.state,
                "forced": "yes" if event.forced else "",
            }
        )
    return pd.DataFrame(rows, columns=columns)
