"""A simulated year of evenings on people's files, against a store that is made of them at once.

``python -m tests.soak.year_of_evenings FOLDER [SESSIONS [EVERY]]``

Every evening (or every third one, as a person does who forgets it) all data stages run on the same
store. Between evenings files change as they do:
newest bars arrive a session late, old bars are corrected or withdrawn, a whole history is divided
by a split, a file is renamed, a symbol is listed, another one ends. At the end all stages run once
on another store from the files as they are then. Bars, indicators, regimes, labels and snapshots
of features have to be the same, bit for bit; it ends with 1 where they are not.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.io import calendar
from pipeline.io.store.store import Store
from pipeline.io.tracking import experiment
from pipeline.schemas import ROW
from pipeline.stages import features, indicators, ingest, labels, regimes
from pipeline.stages._cli import step

SYMBOLS = tuple(f"{letter}{letter}Q" for letter in "ABCDEFGHIJKL")
BEFORE, YEAR = 110, 252
LATE, CORRECTED, WITHDRAWN, SPLIT = 0.10, 0.06, 0.02, 0.015
"""How often an evening has one of them."""

RENAMED, LISTED, DELISTED = 0.3, 0.5, 0.6
"""When in the year these happen, as parts of it."""


@dataclass
class Files:
    """Files as they are given on an evening, and what happened to them so far."""

    folder: Path
    sessions: pd.DatetimeIndex
    random: np.random.Generator
    whole: dict[str, pd.DataFrame] = field(default_factory=dict)
    ends: dict[str, int] = field(default_factory=dict)
    events: Counter[str] = field(default_factory=Counter)

    def walk(self, name: str) -> None:
        """A random walk over all sessions."""
        count = len(self.sessions)
        close = 60 * np.exp(np.cumsum(self.random.normal(0, 0.015, count)))
        opened = np.append(60.0, close[:-1]) * np.exp(self.random.normal(0, 0.004, count))
        bars = pd.DataFrame({"open": opened, "close": close}, self.sessions)
        bars["high"], bars["low"] = bars.max(axis=1) * 1.008, bars.min(axis=1) * 0.992
        bars["volume"] = self.random.integers(500_000, 900_000, count).astype(float)
        self.whole[name] = bars.round(6)

    def write(self, name: str, until: int) -> None:
        bars = self.whole[name]
        bars = bars[bars.index <= self.sessions[min(until, self.ends.get(name, until))]]
        bars.to_csv(self.folder / f"{name}.csv", index_label="date", float_format="%.6f")

    def evening(self, today: int, part: float) -> None:
        """Change the files as they are found after the session `today`."""
        names = list(self.whole)
        late = self.happens("late", LATE)
        late_name = str(self.random.choice(names)) if late else ""
        old = self.sessions[today - int(self.random.integers(2, 60))]
        name = str(self.random.choice(names))
        bars = self.whole[name]
        if self.happens("corrected", CORRECTED) and old in bars.index:
            bars.loc[old, ["close", "high"]] *= 1.004
        if self.happens("withdrawn", WITHDRAWN) and old in bars.index:
            self.whole[name] = bars.drop(old)
        if self.happens("split", SPLIT):  # as vendors do: what was before is given anew
            before = self.whole[name].index < self.sessions[today]
            self.whole[name].loc[:, ["open", "high", "low", "close"]] /= 2
            self.whole[name].loc[before, "volume"] *= 2
        if self.once("renamed", part, RENAMED):
            self.whole["RNQ"] = self.whole.pop("CCQ")
            (self.folder / "CCQ.csv").unlink()
        if self.once("listed", part, LISTED):
            self.walk("NEWQ")
            self.whole["NEWQ"] = self.whole["NEWQ"].iloc[today - 1 :]
        if self.once("delisted", part, DELISTED):
            self.ends["DDQ"] = today
        for each in self.whole:
            self.write(each, today - 1 if each == late_name else today)

    def happens(self, what: str, share: float) -> bool:
        found = bool(self.random.random() < share)
        self.events[what] += found
        return found

    def once(self, what: str, part: float, at: float) -> bool:
        found = part >= at and not self.events[what]
        self.events[what] += found
        return found


def evening(settings: Settings) -> None:
    for stage in (ingest, indicators, regimes, features, labels):
        step(stage.__name__.rpartition(".")[2], stage.run, settings)


def configured(folder: Path, store: str) -> Settings:
    words = ["data=files", f"data.path={folder / 'prices'}", "features=classic",
             f"store.path={folder / store / 'files.db'}", "regimes.volatility_window=20",
             "data.max_withdrawn=0.2"]  # fmt: skip
    return check(compose(words))


def contents(folder: Path, store: str) -> dict[str, pd.DataFrame]:
    """Everything that is computed, by what it is."""
    with Store.open(folder / store / "files.db", create=False) as held:
        found = {
            "bars": held.bars(),
            "indicators": pd.concat(held.indicator_panel(), axis=1),
            "regimes": held.regimes("UNIVERSE"),
            "labels": held.labels(),
        }
    months = sorted((folder / store / "snapshots").glob("files/classic-*/*"))
    read = pd.concat([pd.read_parquet(month) for month in months], ignore_index=True)
    found["features"] = read.sort_values(ROW, ignore_index=True)
    return found


def main() -> None:
    folder = Path(sys.argv[1])
    count = int(sys.argv[2]) if len(sys.argv) > 2 else YEAR
    every_nth = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    (folder / "prices").mkdir(parents=True)
    experiment.prepare(f"sqlite:///{folder / 'mlflow.db'}", "year")
    known = calendar.sessions("XNYS", pd.Timestamp("2019-01-02"), pd.Timestamp("2021-12-31"))
    files = Files(folder / "prices", known[: BEFORE + count + 1], np.random.default_rng(17))
    for name in SYMBOLS:
        files.walk(name)
    began = time.process_time()
    for number in range(count):
        files.evening(BEFORE + number, number / count)
        if number % every_nth == 0:
            evening(configured(folder, "evenings"))
    files.evening(BEFORE + count, 1.0)  # a last one, after which the rebuild reads the same files
    evening(configured(folder, "evenings"))
    seconds = time.process_time() - began
    evening(configured(folder, "rebuilt"))
    one, other = (contents(folder, store) for store in ("evenings", "rebuilt"))
    said = ", ".join(f"{number} {what}" for what, number in sorted(files.events.items()))
    print(f"{count + 1} sessions, stages every {every_nth}, {seconds:.0f} CPU s: {said}")
    wrong = 0
    for what, table in one.items():
        same = table.equals(other[what])
        wrong += not same
        print(f"{what:12}{len(table):>8,} rows  {'equal' if same else 'DIFFERENT'}")
    mlflow.end_run()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
