"""The ordinary case by hand: every stage on clean panels of one, three and seven symbols.

``python -m tests.soak.ordinary OUT [world ...]`` prints a line a command: its exit code, its CPU
seconds, and whether it said a traceback or a nan. It ends with 1 where one of them is wrong.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.io import calendar
from tests.stages.conftest import Project

COUNT = 230


class World(NamedTuple):
    """A calendar, its symbols, the first price of each, its last session, and further words."""

    exchange_calendar: str
    symbols: tuple[str, ...]
    price: float
    last: str
    words: tuple[str, ...] = ()


SEVEN = ("AAB", "BBC", "CCD", "DDE", "EEF", "FFG", "GGH")
ALONE = ("features=classic", "model=lightgbm", "model.target.relative=none")
OPEN = ("decision=indicated_open", "strategy=auctions", "strategy.min_dollar_volume=0")
WORLDS = {
    "one": World("XNYS", SEVEN[:1], 50.0, "2021-09-30", ALONE),
    "three": World("XNYS", SEVEN[:3], 50.0, "2021-09-30", ("features=classic", "model=lightgbm")),
    "seven": World("XNYS", SEVEN, 50.0, "2021-09-30"),
    "coin": World("24/7", ("BTC-USD",), 900.0, "2021-09-30", ALONE),
    "coins": World("24/7", ("BTC-USD", "ETH-USD", "XRP-USD"), 900.0, "2021-09-30"),
    "london": World("XLON", ("VOD.L", "BP.L", "AZN.L"), 350.0, "2021-12-24"),
    "morning": World("XNYS", SEVEN, 50.0, "2021-09-30", OPEN),
    "london morning": World("XLON", ("VOD.L", "BP.L", "AZN.L"), 350.0, "2021-12-24", OPEN),
    "one morning": World("XNYS", SEVEN[:1], 50.0, "2021-09-30", (*ALONE, *OPEN)),
}  # fmt: skip


def bars(world: World, seed: int) -> pd.DataFrame:
    """A random walk without a gap, a split or a bad bar, two sessions longer than the first day."""
    last = pd.Timestamp(world.last)
    before = calendar.sessions(world.exchange_calendar, last - pd.Timedelta("450D"), last)
    days = before[-COUNT:].append(
        calendar.sessions(
            world.exchange_calendar, last + pd.Timedelta("1D"), last + pd.Timedelta("14D")
        )[:2]
    )
    random = np.random.default_rng(seed)
    close = world.price * np.exp(np.cumsum(random.normal(0, 0.02, len(days))))
    open_ = np.append(world.price, close[:-1]) * np.exp(random.normal(0, 0.003, len(days)))
    table = pd.DataFrame({"open": open_, "close": close}, days)
    table["high"], table["low"] = table.max(axis=1) * 1.01, table.min(axis=1) * 0.99
    table["volume"] = random.integers(1_000_000, 2_000_000, len(days))
    return table.round(4)


def write(folder: Path, world: World, without: int) -> None:
    folder.mkdir(exist_ok=True)
    for seed, name in enumerate(world.symbols):
        table = bars(world, seed)
        table.iloc[: len(table) - without].to_csv(folder / f"{name}.csv", index_label="date")


def quotes(project: Project, world: World) -> list[str]:
    """Words of a morning ten minutes before the session after the last one given opens."""
    session = bars(world, 0).index[-2]
    now = calendar.opens_at(world.exchange_calendar, session) - pd.Timedelta(minutes=10)
    price = [bars(world, seed)["open"].iloc[-2] for seed in range(len(world.symbols))]
    table = pd.DataFrame({"symbol": world.symbols, "price": price, "time": now.isoformat()})
    table.to_csv(project.folder / "quotes.csv", index=False)
    return [f"morning.quotes={project.folder / 'quotes.csv'}", f"morning.now={now.isoformat()}",
            f"morning.folder={project.folder / 'orders'}"]  # fmt: skip


def commands(project: Project, world: World) -> Iterator[tuple[str, list[str], set[int]]]:
    """Stage, words and the exit codes that are right, in the order of a first day."""
    say = ["signals.unproven_rules=say", "strategy.min_edge_bps=-1000"]
    force = ["promote.force=true", "promote.reason=by hand"]
    prices = project.folder / "prices"
    write(prices, world, 2)
    for stage in ("ingest", "indicators", "regimes", "features", "labels", "quarantine"):
        yield stage, [], {0}
    yield "status", [], {0, 1}
    yield "signals", [], {1}
    yield "daily", [], {0}
    yield "retrain", [], {0}
    yield "backtest", [], {0}
    yield "promote", [], {0, 1}
    yield "promote", force, {0}
    if len(world.symbols) == 1:  # where most of its branches have nothing to compare
        yield "audit", [], {0, 1}
    yield "signals", say, {0}
    by_open = "decision=indicated_open" in world.words
    yield "predict", say, {1 if by_open else 0}  # its forecasts need the quotes of the morning
    if by_open:
        yield "morning", [*say, *quotes(project, world)], {0}
    for without in (2, 1, 0, 0):
        write(prices, world, without)
        yield "daily", say, {0}
    yield "score", [], {0}
    yield "weekly", [], {0}
    yield "daily", say, {0}
    yield "reproduce", [], {0}
    yield "reconcile", [], {1}
    yield "rollback", [], {0, 1}
    yield "status", ["status.deep=true"], {0, 1}
    yield "promote", ["promote.history=true"], {0}


def wrong(said: str, code: int, right: set[int]) -> str:
    """What is wrong with the end of a command; empty: nothing."""
    found = [] if code in right else [f"exit {code}"]
    found += ["traceback"] if "Traceback" in said else []
    said = re.sub(r".*found in sys.modules after import.*", "", said)  # of the forked processes
    found += ["warning"] if "Warning:" in said else []
    bad = re.search(r".*(?<![\w.-])(?:nan|NaN|inf|None|NaT)(?![\w.-]).*", said)
    found += [f"says {bad[0].strip()[:100]!r}"] if bad else []
    return "; ".join(found)


def main() -> None:
    out, *chosen = sys.argv[1:]
    count = 0
    for name in chosen or WORLDS:
        folder = Path(out) / name.replace(" ", "_")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        project, world = Project(folder), WORLDS[name]
        words = ["data=files", f"data.path={folder / 'prices'}", "hpo=quick",
                 f"data.exchange_calendar={world.exchange_calendar}", *world.words]  # fmt: skip
        if not any(word.startswith("features=") for word in words):
            words.append("features=ranked")
        for number, (stage, more, right) in enumerate(commands(project, world)):
            began = time.perf_counter()
            done = project.python(stage, *words, *more, code=None)
            said = done.stdout + done.stderr
            (folder / f"{number:02}-{stage}.txt").write_text(said)
            bad = wrong(said, done.returncode, right)
            count += bool(bad)
            seconds = time.perf_counter() - began
            verdict = f"WRONG {bad}" if bad else "right"
            print(f"{name} {number:02} {stage} {done.returncode} {seconds:.1f} s {verdict}",
                  flush=True)  # fmt: skip
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
