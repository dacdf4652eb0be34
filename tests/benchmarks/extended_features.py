"""Speed of a feature set and the rank IC of each of its features, on the 500-stock panel.

Run by hand: ``python -m tests.benchmarks.extended_features [speed|ic] [--features ranked]``. The
prices are not part of the repository: they are looked for in the folder named by the environment
variable SHARED, or in ``../shared``.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
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

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
IC_FROM = 2014
SIZES = ((3396, 500), (250, 500), (1000, 500), (1700, 50), (1700, 500), (1700, 2000))
AFTER_WARM_UP = ((1, 500), (250, 500), (1000, 500))


def real_inputs() -> FeatureInputs:
    """All 500 stocks with ^IXIC as the market and ^VIX."""
    rows = pd.read_parquet(SHARED / "data/sp500_2010_2023.parquet")
    rows = rows.rename(columns={"date": "session"})
    keyed = {"index": "session", "columns": "symbol"}
    bars = BarPanel(*(rows.pivot_table(f, **keyed).astype(np.float64) for f in BAR_FIELDS))
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


def measured(features: tuple[Feature, ...], earlier: int, sessions: int, symbols: int) -> None:
    """One line of the speed table: the best of three runs, the peak of all.

    Snapshots of the last `sessions`, with `earlier` ones loaded for their look-back alone.

    System time is the kernel's clearing of fresh memory; how much depends on what the process
    has given back before.
    """
    inputs = resized(real_inputs(), earlier + sessions, symbols)
    asked = inputs.bars.sessions[-sessions:]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    held = _resident()
    seconds = []
    for _ in range(3):
        started = os.times()
        rows = snapshots(features, inputs, asked).rows
        ended = os.times()
        spent = ended.user - started.user, ended.system - started.system
        seconds.append((sum(spent), *spent))
        values = rows.shape[0] * rows.shape[1]
        result = rows.select_dtypes("number").to_numpy().nbytes
        rows_made = len(rows)
        del rows
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held, 0)
    known = "" if before < held + peak else " (peak of loading)"
    best, user, system = min(seconds)
    print(
        f"{earlier:7d} {sessions:8d} {symbols:7d} {rows_made:9d} "
        f"{best:8.2f} {values / best / 1e6:8.1f} "
        f"{user / rows_made * 1e6:8.2f} {system / rows_made * 1e6:8.2f} "
        f"{peak / 1024:8.0f} {peak * 1024 / result:8.2f}{known}",
        flush=True,
    )


def _resident() -> int:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def speed(name: str) -> None:
    """The speed table; every line in a process of its own, so that its peak is its own."""
    print(
        f"features={name}; each row: user and system time in us\n"
        "earlier sessions symbols      rows    CPU s  M val/s     user   system  MB peak x result"
    )
    needed = warm_up(FEATURE_SETS[name]) + 1
    sizes = [(0, *size) for size in SIZES] + [(needed, *size) for size in AFTER_WARM_UP]
    for size in sizes:
        arguments = ["measure", *map(str, size), "--features", name]
        subprocess.run([sys.executable, "-m", __spec__.name, *arguments], check=True, cwd=ROOT)


def coefficients(features: tuple[Feature, ...], inputs: FeatureInputs) -> pd.DataFrame:
    """Spearman correlation of each symbol feature with the label, sessions x features."""
    bars = inputs.bars
    known = known_before(inputs, bars.sessions)
    outcome = intraday(
        known_before(inputs, bars.sessions.append(bars.sessions[-1:] + pd.offsets.BDay()))
    )
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
    daily = daily[daily.index.year >= IC_FROM]
    by_year = (1e3 * daily.groupby(daily.index.year).mean()).T.round(1)
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
    if given.what[0] == "measure":
        measured(FEATURE_SETS[given.features], *map(int, given.what[1:]))
    else:
        for table in given.what:
            {"speed": speed, "ic": ic}[table](given.features)
