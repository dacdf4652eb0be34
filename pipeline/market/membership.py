"""Snapshots and gaps of a universe whose members change: each session's among its own members.

A symbol that joins brings its whole history; ranks, means and counts of a session hold the members
of that session alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.market.features import FeatureInputs, Snapshots
from pipeline.market.indication import Evening

MEASURES = ("previous_close", "deviation", "beta")
"""Of an `Evening`, by symbol."""

Make = Callable[[FeatureInputs, pd.DatetimeIndex], Snapshots]
"""Snapshots of sessions from inputs."""


def among(inputs: FeatureInputs, symbols: pd.Index) -> FeatureInputs:
    """The inputs of these symbols alone, as far as there are any."""
    listed = inputs.bars.symbols[inputs.bars.symbols.isin(symbols)]
    return replace(
        inputs,
        bars=inputs.bars.loc(slice(None), listed),
        indicators={
            name: frame.reindex(columns=listed) for name, frame in inputs.indicators.items()
        },
    )


def of_members(make: Make, inputs: FeatureInputs, members: pd.DataFrame) -> Snapshots:
    """Snapshots of the sessions of `members`, each among the symbols that are members then.

    Parameters
    ----------
    make
        Makes the snapshots of some sessions; called once for each stretch of the same members.
    members
        bool, sessions x symbols, ascending; known before the session opens.
    """
    parts = [
        make(among(inputs, members.columns[members.loc[first].to_numpy()]), sessions)
        for first, sessions in stretches(members)
    ]
    left_out: Counter[str] = Counter()
    for part in parts:
        left_out.update(part.left_out)
    return Snapshots(pd.concat([part.rows for part in parts]), dict(left_out))


def evening_of_members(whole: Evening, parts: Iterable[Evening]) -> Evening:
    """What gaps are measured by, each session's among its own members; NaN for everybody else.

    Parameters
    ----------
    whole
        Among everybody who ever was a member.
    parts
        Each of some of its sessions, among the members of these.
    """
    measures = {name: np.full_like(whole.beta, np.nan) for name in MEASURES}
    tilts = {name: np.full_like(whole.beta, np.nan) for name in whole.tilts}
    for part in parts:
        row, column = (
            whole.targets.get_indexer(part.targets), whole.symbols.get_indexer(part.symbols)
        )  # fmt: skip
        cells = np.ix_(row, column)
        for name, values in measures.items():
            values[cells] = getattr(part, name)
        for name, values in tilts.items():
            values[cells] = part.tilts[name]
    return replace(
        whole,
        previous_close=measures["previous_close"],
        deviation=measures["deviation"],
        beta=measures["beta"],
        tilts=tilts,
    )


def stretches(members: pd.DataFrame) -> Iterator[tuple[pd.Timestamp, pd.DatetimeIndex]]:
    """First session, and all, of each stretch in which nobody joins or leaves."""
    changed = (members != members.shift(fill_value=False)).any(axis=1)
    number = changed.cumsum()
    for _, sessions in members.index.to_series().groupby(number.to_numpy()):
        yield sessions.iloc[0], pd.DatetimeIndex(sessions)
