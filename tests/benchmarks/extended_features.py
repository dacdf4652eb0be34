"""Speed of a feature set and the rank IC of each of its features, on the 500-stock panel.

Run by hand: ``python -m tests.benchmarks.extended_features [speed|ic] [--features ranked]``. On
Linux with the GNU C library, whose allocator the speed table sets. The
prices are not part of the repository: they are looked for in the folder named by the environment
variable SHARED, or in ``../shared``.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.market.cross_section import centred_ranks
from pipeline.market.definitions import Feature
from pipeline.market.features import (
    FEATURE_SETS,
    FeatureInputs,
    known_before,
    snapshots,
    warm_up,
)
from pipeline.market.indicators import indicators
from pipeline.market.regimes import index_moves, regimes
from pipeline.market.series import intraday
from pipeline.market.windows import Array
from pipeline.schemas import BAR_FIELDS, BarPanel
from tests.market.conftest import ROWS

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
IC_FROM = 2014
SYMBOLS, SESSIONS = (50, 200, 500, 2000), (250, 1000, 3396)
YEAR = 250
RUNS = 3
MEMORY_IS_KEPT = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(1 << 40)}
"""Freed memory stays with the process. Otherwise a run also pays the kernel for clearing fresh
pages, and on a virtual machine the host for giving back what it took: up to 2 s a GB, at some
sizes and not at others, for the pages of the result alone."""

MEMORY_IS_GIVEN_BACK = {"ARROW_DEFAULT_MEMORY_POOL": "system"}
"""What reading the prices freed can be given back before the peak is measured."""


def real_inputs() -> FeatureInputs:
    """All 500 stocks with ^IXIC as the market and ^VIX."""
    rows = pd.read_parquet(SHARED / "data/sp500_2010_2023.parquet")
    rows = rows.rename(columns={"date": "session"})
    panels = (rows.pivot_table(f, index="session", columns="symbol") for f in BAR_FIELDS)
    bars = BarPanel(*(panel.astype(np.float64) for panel in panels))
    indices = pd.read_parquet(SHARED / "data/indices_1990_2023.parquet").set_index("date")
    index, vix = (indices[indices["symbol"] == name] for name in ("^IXIC", "^VIX"))
    return FeatureInputs(
        bars=bars,
        indicators=indicators(bars),
        market=index,
        regimes=regimes(index_moves(index), bars.sessions, vix["close"]),
        symbols=pd.read_csv(SHARED / "data/sp500_symbols.csv").set_index("symbol"),
    )


def resized(inputs: FeatureInputs, sessions: int, symbols: int) -> FeatureInputs:
    """The last sessions of as many symbols, the same ones several times over where needed."""
    names = [f"S{k:04d}" for k in range(symbols)]
    taken = np.arange(symbols) % len(inputs.bars.symbols)

    # Copies are told apart, since equal values are sorted at another speed.
    rng = np.random.default_rng(0)

    def part(frame: pd.DataFrame) -> pd.DataFrame:
        noise = 1 + 1e-6 * rng.normal(size=(sessions, symbols))
        return frame.iloc[-sessions:, taken].set_axis(names, axis=1) * noise

    return FeatureInputs(
        bars=BarPanel(*(part(getattr(inputs.bars, f)) for f in BAR_FIELDS)),
        indicators={name: part(frame) for name, frame in inputs.indicators.items()},
        market=inputs.market,
        regimes=inputs.regimes,
        symbols=inputs.symbols.reindex(inputs.bars.symbols[taken]).set_axis(names),
    )


def made(name: str, earlier: int, sessions: int, symbols: int) -> Callable[[], pd.DataFrame]:
    """Makes snapshots of the last `sessions`, with `earlier` ones loaded for their look-back."""
    inputs = resized(real_inputs(), earlier + sessions, symbols)
    asked = inputs.bars.sessions[-sessions:]
    return lambda: snapshots(FEATURE_SETS[name], inputs, asked, **ROWS).rows


def cost(name: str, *size: int) -> None:
    """Rows, then user time, user and system time in us a row, and ns a value; least of the runs."""
    make, spent = made(name, *size), []
    for _ in range(RUNS):
        began = resource.getrusage(resource.RUSAGE_SELF)
        rows = make()
        ended = resource.getrusage(resource.RUSAGE_SELF)
        values, number = rows.size, len(rows)
        del rows
        user = ended.ru_utime - began.ru_utime
        spent.append((user, user + ended.ru_stime - began.ru_stime))
    user, total = (min(seconds) for seconds in zip(*spent, strict=True))
    each = 1e6 * user / number, 1e6 * total / number, 1e9 * total / values
    print(f"{number:9d} {each[0]:8.2f} {each[1]:8.2f} {each[2]:8.2f}", end="", flush=True)


def memory(name: str, *size: int) -> None:
    """Of a first run: system time in us a row, page faults a row, peak in MB and as multiple."""
    make = made(name, *size)
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    held, before = _status("VmRSS"), resource.getrusage(resource.RUSAGE_SELF)
    rows = make()
    after, peak = resource.getrusage(resource.RUSAGE_SELF), _status("VmHWM") - held
    result = rows.select_dtypes("number").to_numpy().nbytes
    print(
        f" {(after.ru_stime - before.ru_stime) / len(rows) * 1e6:8.2f}"
        f" {(after.ru_minflt - before.ru_minflt) / len(rows):8.3f}"
        f" {peak / 1024:8.0f} {peak * 1024 / result:8.2f}",
        flush=True,
    )


def _status(key: str) -> int:
    """Kilobytes of this process."""
    return int(Path("/proc/self/status").read_text().split(f"{key}:")[1].split()[0])


def speed(name: str) -> None:
    """The speed table; every figure from a process of its own, so that its peak is its own."""
    print(
        f"features={name}; us a row and ns a value with memory that the process has; a first run\n"
        "earlier sessions symbols      rows     user      CPU ns/value"
        "   system   faults  peak MB x result"
    )
    needed = warm_up(FEATURE_SETS[name], ROWS["min_history"], 5) + 1
    sizes = [(0, *size) for size in product(SESSIONS, SYMBOLS)]
    for size in sizes + [(needed, YEAR, symbols) for symbols in SYMBOLS]:
        print(f"{size[0]:7d} {size[1]:8d} {size[2]:7d} ", end="", flush=True)
        for figures, ways in (("cost", MEMORY_IS_KEPT), ("memory", MEMORY_IS_GIVEN_BACK)):
            words = [sys.executable, "-m", __spec__.name, figures, *map(str, size)]
            words += ["--features", name]
            subprocess.run(words, check=True, cwd=ROOT, env=os.environ | ways)


def coefficients(features: tuple[Feature, ...], inputs: FeatureInputs) -> pd.DataFrame:
    """Spearman correlation of each symbol feature with the label, sessions x features."""
    bars = inputs.bars
    known = known_before(inputs, bars.sessions)
    one_more = pd.DatetimeIndex([*bars.sessions, bars.sessions[-1] + pd.offsets.BDay()])
    outcome = intraday(known_before(inputs, one_more))
    label = np.ascontiguousarray(outcome[1:])
    return pd.DataFrame(
        {
            feature.name: rank_correlation(feature(known), label)
            for feature in features
            if feature.kind == "symbol"
        },
        index=known.targets,
    )


def rank_correlation(values: Array, label: Array) -> Array:
    """Per session, over the symbols that have both."""
    both = ~np.isnan(values) & ~np.isnan(label)
    one, other = (centred_ranks(np.where(both, part, np.nan)) for part in (values, label))
    spread = np.sqrt(np.nansum(one**2, axis=1) * np.nansum(other**2, axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(one * other, axis=1) / spread


def ic(name: str) -> None:
    """Mean IC (x 1e-3) and its t over sessions, in total and by year."""
    daily = coefficients(FEATURE_SETS[name], real_inputs())
    daily = daily.loc[f"{IC_FROM}-01-01" :]
    by_year = (1e3 * daily.groupby(pd.DatetimeIndex(daily.index).year).mean()).T.round(1)
    t = daily.mean() / daily.std() * np.sqrt(daily.count())
    table = pd.DataFrame({"ic": (1e3 * daily.mean()).round(1), "t": t.round(1)}).join(by_year)
    order = t.abs().sort_values(ascending=False).index
    print(
        f"features={name}: rank IC x 1e-3 with the open-to-close return, "
        f"{len(daily)} sessions from {IC_FROM}"
    )
    print(table.loc[order].to_string())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", default=["speed", "ic"])
    parser.add_argument("--features", default="extended", choices=FEATURE_SETS)
    given = parser.parse_args()
    if given.what[0] in ("cost", "memory"):
        figures = {"cost": cost, "memory": memory}[given.what[0]]
        figures(given.features, *map(int, given.what[1:]))
    else:
        for table in given.what:
            {"speed": speed, "ic": ic}[table](given.features)
