"""A replayed quarter: 63 evenings and 13 weekends of the real `daily` and `weekly` on real prices.

    python -m tests.soak.quarter [EVENINGS] [FOLDER]

The prices are those of the embedded sample, delivered evening by evening as a live source does; the
clock stands in each evening. From the start an edge is planted in them: a part of the last
session's open-to-close return comes back in the next one. Three events are planted too: the source
is silent for two evenings, the alias is moved by hand, the edge is switched off. After every
evening the script reads the alias and its health as a trader sees them; at the end
``promote.history`` has to tell the same for every day, and why. At last the ledger is damaged.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from mlflow import MlflowClient

from pipeline.config.compose import check, compose
from pipeline.errors import Fault, Refused
from pipeline.io import calendar, clock
from pipeline.io.sources import sample
from pipeline.io.sources.protocol import Delivery, cut
from pipeline.io.sources.yahoo import source as yahoo
from pipeline.io.store.store import Store
from pipeline.io.tracking import experiment, registered, registry
from pipeline.io.tracking.ledger import anchors
from pipeline.stages import daily, promote, status, weekly
from pipeline.stages._cli import Stage, step

SYMBOLS, EVENINGS, EXCHANGE = 40, 63, "XNYS"
SILENT, BY_HAND, SWITCHED_OFF, REPLACED = 1 / 7, 2 / 7, 3 / 7, 2 / 3
"""When what is planted happens, as parts of the evenings; a replacement comes on a weekend."""

EDGE = 0.5
"""Part of the last session's open-to-close return that comes back."""

WORDS = (
    "data=yfinance", "features=classic", "model=ridge", "hpo=none", "strategy.min_edge_bps=-1000",
    "signals.unproven_rules=say", "monitor.promise_min_sessions=20", "monitor.shadow_versions=1",
    "gates.no_leak_suspected.threshold=1", "gates.no_leak_in_order.threshold=1",
    "gates.no_leak_in_t.threshold=100", "promote.reason='the edge is planted, no leak'",
)  # fmt: skip


@dataclass
class Replayed:
    """The sample's prices as a `pipeline.io.sources.protocol.LiveProvider` at the clock's hour."""

    known: Delivery
    indices: Delivery
    listed: pd.DataFrame
    silent_after: pd.Timestamp | None = None
    name: str = "yfinance"
    version: str | None = None
    exchange_calendar: str = EXCHANGE
    start: pd.Timestamp = field(default_factory=lambda: pd.Timestamp("2009-08-21"))

    def symbols(self) -> pd.DataFrame:
        return self.listed

    def bars(
        self,
        symbols: Iterable[str] | None = None,
        start: pd.Timestamp | None = None,
        end: pd.Timestamp | None = None,
    ) -> Delivery:
        return cut(self.known, None if symbols is None else set(symbols), start, self._until(end))

    def index_bars(
        self, start: pd.Timestamp | None = None, end: pd.Timestamp | None = None
    ) -> Delivery:
        return cut(self.indices, None, start, self._until(end))

    def last_session(self) -> pd.Timestamp:
        return calendar.last_closed(EXCHANGE, clock.now(), pd.Timedelta(minutes=30))

    newest_session = last_session

    def _until(self, end: pd.Timestamp | None) -> pd.Timestamp:
        bounds = (end, self.last_session(), self.silent_after)
        return min(each for each in bounds if each is not None)


@dataclass(frozen=True)
class Day:
    """What a trader saw after an evening, of the session that it was made for."""

    session: str
    version: str
    state: str
    why: str


class Quarter:
    """The replay in a folder."""

    def __init__(self, folder: Path, evenings: int) -> None:
        self.folder, self.evenings = folder, evenings
        off, hand, silent = (round(p * evenings) for p in (SWITCHED_OFF, BY_HAND, SILENT))
        self.off, self.hand, self.silent = off, hand, (silent, silent + 1)
        self.source = delivered()
        sessions = self.source.known.bars.index.unique("session").sort_values()
        self.all_sessions, self.days = sessions, sessions[-evenings - 1 :]
        plant(self.source, self.days[off])
        universe = folder / "universe.csv"
        stocks = self.source.listed[self.source.listed["kind"] == "stock"]
        stocks.index.to_frame().to_csv(universe, index=False)
        self.words = (*WORDS, f"store.path={folder / 'quarter.db'}", f"universe.path={universe}")
        self.truth: list[Day] = []
        self.seconds: dict[str, float] = {}

    def say(self, stage: Stage, name: str, *words: str) -> str:
        """What a stage prints, a refusal at the end of it."""
        printed, began = io.StringIO(), time.process_time()
        with contextlib.redirect_stdout(printed):
            try:
                step(name, stage, check(compose([*self.words, *words])))
            except Refused as refusal:
                print(f"REFUSED {refusal.found}")
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - began
        return printed.getvalue()

    def run(self) -> None:
        """Evening after evening, with what is planted."""
        self.evening(self.days[0])
        self.weekend(self.days[0])
        self.person("the first model", "promote")
        why = "promote"
        for number, day in enumerate(self.days[1:]):
            self.source.silent_after = self.days[self.silent[0]] if number in self.silent else None
            if number == self.hand:
                why = self.move_by_hand(why)
            line = self.evening(day)
            why = self.seen(day, line, why)
            following = calendar.next_session(EXCHANGE, day)
            if following - day > pd.Timedelta(days=2) and following.weekday() < 2:
                self.weekend(day)
                if number >= REPLACED * self.evenings and why == "stop":
                    self.person("the edge is gone; what learned since then", "promote")
                    why = "promote"

    def move_by_hand(self, why: str) -> str:
        """The alias to the newest version; an evening later where no weekend has made one yet."""
        newest = max(int(each.version) for each in registry.versions())
        holder = registry.holder("champion")
        if holder is not None and int(holder.version) == newest:
            self.hand += 1
            return why
        name = registered.name()
        MlflowClient().set_registered_model_alias(name, "champion", str(newest))
        return "by hand"

    def evening(self, day: pd.Timestamp) -> str:
        """18:00 in New York of a session; the last line."""
        self.at(day, 18)
        printed = self.say(daily.run, "daily")
        line = next(x for x in printed.splitlines() if x.startswith("daily result="))
        print(line, flush=True)
        return line

    def weekend(self, day: pd.Timestamp) -> None:
        """Saturday, or the first day off: nothing to do for `daily`, a retrain for `weekly`."""
        self.at(day + pd.Timedelta(days=1), 10)
        if registry.holder("champion") is not None and self.source.silent_after is None:
            assert "result=holiday" in self.say(daily.run, "daily"), "a holiday is at rest"
        (line,) = [x for x in self.say(weekly.run, "weekly").splitlines()
                   if x.startswith("weekly result=")]  # fmt: skip
        print(line, flush=True)

    def person(self, reason: str, name: str) -> None:
        """A person's promotion of the challenger, whatever the gates say of so short a history."""
        self.say(promote.run, name, "promote.force=true", f"promote.reason='{reason}'")

    def seen(self, day: pd.Timestamp, line: str, why: str) -> str:
        """Note what is deployed, from the registry itself."""
        holder = registry.holder("champion")
        assert holder is not None
        stopped = holder.tags.get("health", "").startswith("stop")
        why = "stop" if stopped else why
        silent = self.source.silent_after is not None
        state = "silent" if silent else "stopped" if stopped else "traded"
        assert ("result=ok" in line) == (state == "traded"), line
        session = f"{calendar.next_session(EXCHANGE, day):%Y-%m-%d}"
        self.truth.append(Day(session, str(holder.version), state, why))
        return why

    def at(self, day: pd.Timestamp, hour: int) -> None:
        moment = (day + pd.Timedelta(hours=hour)).tz_localize("America/New_York").tz_convert("UTC")
        clock.now = lambda: moment  # type: ignore[assignment]

    def told(self, day: Day) -> str:
        """What ``promote.history`` says of a session."""
        return self.say(promote.run, "promote", "promote.history=true", f"date={day.session}")

    def wrong(self) -> list[str]:
        """Days of which the history says something else than what was seen."""
        words = {"traded": "", "stopped": ", stopped: it traded nothing",
                 "silent": ", of which no forecasts are kept"}  # fmt: skip
        found = []
        for day in self.truth:
            start = f"{day.session}: version {day.version}{words[day.state]}; {day.why} at "
            if not (said := self.told(day)).startswith(start):
                found.append(f"saw {day}, told {said.strip()}")
        return found


def delivered() -> Replayed:
    """The sample, of its most traded symbols."""
    given = sample.Sample()
    bars = given.bars().bars
    dollars = (bars["close"] * bars["volume"]).groupby("symbol").agg(["median", "size"])
    whole = dollars[dollars["size"] == dollars["size"].max()]
    chosen = set(whole["median"].nlargest(SYMBOLS).index)
    listed = given.symbols()
    listed = listed[listed.index.isin(chosen) | (listed["kind"] == "index")]
    return Replayed(cut(given.bars(), chosen, None, None), given.index_bars(), listed)


def plant(source: Replayed, until: pd.Timestamp) -> None:
    """Let a part of each session's move come back in the next one, up to a session."""
    bars = source.known.bars
    wide = {name: bars[name].unstack("symbol") for name in ("open", "high", "low", "close")}
    moves = wide["close"] / wide["open"] - 1.0
    edge = (-EDGE * moves.sub(moves.mean(axis=1), axis=0).clip(-0.05, 0.05).shift()).fillna(0.0)
    edge[edge.index > until] = 0.0
    after = (1.0 + edge).cumprod()
    before = after.shift(fill_value=1.0)
    made = {"open": wide["open"] * before, "close": wide["close"] * after}
    ends = [made["open"], made["close"], wide["high"] * before, wide["low"] * before]
    made["high"], made["low"] = np.maximum.reduce(ends[:3]), np.minimum.reduce([*ends[:2], ends[3]])
    planted = pd.concat({k: pd.DataFrame(v, moves.index, moves.columns).stack() for k, v in
                         made.items()}, axis=1).reindex(bars.index)  # fmt: skip
    known = bars.assign(**planted)
    source.known = Delivery(known, source.known.quarantine, source.known.gaps)


DAMAGES: dict[str, Callable[[sqlite3.Connection, int], object]] = {
    "a byte changed": lambda db, n: db.execute(
        "update forecasts set prediction = prediction + 1e-9 where number = ? and symbol = "
        "(select min(symbol) from forecasts where number = ?)", (n, n)),
    "a line removed": lambda db, n: db.execute(
        "delete from forecasts where number = ? and symbol = "
        "(select min(symbol) from forecasts where number = ?)", (n, n)),
    "a line inserted": lambda db, n: db.execute(
        "insert into forecasts select number, 'ZZZ', prediction, seal from forecasts where number "
        "= ? limit 1", (n,)),
    "an evening removed": lambda db, n: db.execute("delete from evenings where number = ?", (n,)),
    "the last evening removed": lambda db, n: [
        db.execute(f"delete from {table} where number = (select max(number) from evenings)")
        for table in ("forecasts", "evenings")],
}  # fmt: skip


def damages(path: Path) -> Iterator[tuple[str, list[Fault]]]:
    """Each damage on a copy of the store, and the faults that `status` names."""
    with Store.open(path) as store:
        middle = store.evenings()[len(store.evenings()) // 2].number
        noted = anchors(store.store_id)
        assert store.ledger_faults(noted) == [], "the chain is whole"
    for name, damage in DAMAGES.items():
        copy = path.with_name("damaged.db")
        shutil.copy(path, copy)
        with contextlib.closing(sqlite3.connect(copy)) as db:
            damage(db, middle)
            db.commit()
        with Store.open(copy) as store:
            yield f"{name} (entry {middle})", store.ledger_faults(noted)


def main(evenings: int = EVENINGS, folder: str = "") -> None:
    """Replay, print, check."""
    began, root = time.process_time(), Path(folder or tempfile.mkdtemp())
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{root / 'mlflow.db'}"
    experiment.prepare(os.environ["MLFLOW_TRACKING_URI"], "quarter")
    registered.select("intraday_return_yfinance", "yfinance")
    quarter = Quarter(root, evenings)
    yahoo.Yahoo = lambda how, universe: quarter.source  # type: ignore[assignment,misc]
    quarter.run()
    print(quarter.say(promote.run, "promote", "promote.history=true"))
    print("\n".join(f"{d.session} {d.version} {d.state} {d.why}" for d in quarter.truth))
    wrong = quarter.wrong()
    print(f"{len(quarter.truth)} days, {len(wrong)} told otherwise than seen", *wrong, sep="\n  ")
    ledger = [x for x in quarter.say(status.run, "status").splitlines() if "ledger" in x]
    print(*ledger)
    unnamed = []
    for name, faults in damages(root / "quarter.db"):
        print(f"{name}: {'; '.join(map(str, faults)) or 'NOT NAMED'}")
        unnamed += [] if faults else [name]
    stops = [place for place, day in enumerate(quarter.truth) if day.state == "stopped"]
    if stops:
        print(f"edge off after evening {quarter.off}, stopped on evening {stops[0]}")
    print({name: round(seconds) for name, seconds in quarter.seconds.items()})
    print(f"{evenings} evenings, {time.process_time() - began:.0f} CPU seconds; {root}")
    sys.exit(bool(wrong or unnamed))


if __name__ == "__main__":
    mlflow.autolog(disable=True)
    main(*(int(word) if word.isdigit() else word for word in sys.argv[1:]))  # type: ignore[arg-type]
