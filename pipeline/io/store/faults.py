"""Damage of the store's database, in words, with the command that heals each part of it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sqlalchemy import Engine
from sqlalchemy.exc import DatabaseError

from pipeline.commands import Command
from pipeline.errors import Damaged
from pipeline.io.store.database import transaction
from pipeline.io.store.digests import ALL, verify

SHOWN = 6


def faults(engine: Engine, path: Path, *, deep: bool = False) -> list[Damaged]:
    """See `Store.faults`."""
    try:
        with engine.connect() as connection:
            listed = connection.exec_driver_sql("PRAGMA quick_check(5)").scalars().all()
            if listed != ["ok"]:
                return [_broken(path, "; ".join(" ".join(line.split()) for line in listed))]
            if not deep:
                return []
            verified = verify(connection)
        if verified.unrecorded:
            with transaction(engine) as connection:
                verified = verify(connection, record=True)
    except (DatabaseError, ValueError) as error:
        return [_broken(path, " ".join(str(getattr(error, "orig", error)).split()))]
    return [_differing(path, table, months) for table, months in verified.differing.items()]


def _broken(path: Path, why: str) -> Damaged:
    needed = "a backup put back, or the file moved away and its prices read again"
    return Damaged("store", f"{path} is damaged: {why}", needed, Command("ingest"))


def _differing(path: Path, table: str, months: list[str]) -> Damaged:
    named = ", ".join([*months[:SHOWN], *(["..."] if len(months) > SHOWN else [])])
    where = "" if months == [ALL] else f", in {len(months)} months: {named}"
    return Damaged(
        "store",
        f"{table} in {path} are not as they were written{where}",
        "a backup put back, or these rows made again",
        _healing(table, months),
    )


def _healing(table: str, months: list[str]) -> Command | str:
    """The command that makes the rows of a table again, those of these months where it can."""
    if table in ("signals", "changes", "builds"):
        return ""
    if table == "indicators":
        return Command("indicators", "indicators.force=true")
    if table == "symbols":
        return Command("ingest")
    first, last = pd.Period(months[0], "M").start_time, pd.Period(months[-1], "M").end_time
    span = {"start_date": f"{first:%Y-%m-%d}", "end_date": f"{last:%Y-%m-%d}"}
    return Command("ingest" if table == "bars" else table, **span)
