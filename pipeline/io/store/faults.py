"""Damage of the store's database, in words, with the command that heals each part of it."""

from __future__ import annotations

import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from pipeline.commands import Command
from pipeline.errors import Damaged, Fault
from pipeline.io.store.database import transaction
from pipeline.io.store.digests import ALL, verify
from pipeline.io.store.protocol import Database, database_of

SHOWN = 6

ONLY_KEPT = ("signals", "changes", "builds")
"""Tables of what was decided or done at a time: nothing makes their rows again."""


def faults(engine: Engine, *, deep: bool = False) -> list[Damaged]:
    """See `Store.faults`."""
    database = database_of(engine)
    try:
        with engine.connect() as connection:
            if damage := database.damage(connection):
                return [_broken(database, "; ".join(damage))]
            if not deep:
                return []
            verified = verify(connection)
        if verified.unrecorded:
            with transaction(engine) as connection:
                verified = verify(connection, record=True)
    except (DatabaseError, ValueError) as error:
        return [_broken(database, " ".join(str(getattr(error, "orig", error)).split()))]
    return [_differing(database, table, months) for table, months in verified.differing.items()]


def _broken(database: Database, why: str) -> Damaged:
    needed = "a backup put back, or the store moved away and its prices read again"
    found = f"{database.name} is damaged: {why}"
    return Damaged("store", found, needed, database.restore_commands())


def _differing(database: Database, table: str, months: list[str]) -> Damaged:
    named = ", ".join([*months[:SHOWN], *(["..."] if len(months) > SHOWN else [])])
    where = "" if months == [ALL] else f", in {len(months)} months: {named}"
    found = f"{table} in {database.name} are not as they were written{where}"
    places = [table if month == ALL else f"{table} of {month}" for month in months]
    faults = [Fault(place, "is not as it was written") for place in places]
    if table in ONLY_KEPT:
        heal = database.restore_commands()
        return Damaged("store", found, "a backup put back", heal, faults=faults)
    needed = "a backup put back, or these rows made again"
    return Damaged("store", found, needed, _made_again(table, months), faults=faults)


def _made_again(table: str, months: list[str]) -> Command:
    """The command that makes the rows of a table again, those of these months where it can."""
    if table == "indicators":
        return Command("indicators", "indicators.force=true")
    if table == "symbols":
        return Command("ingest")
    first, last = pd.Period(months[0], "M").start_time, pd.Period(months[-1], "M").end_time
    span = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{last:%Y-%m-%d}"}
    return Command("ingest" if table in ("bars", "actions") else table, **span)
