"""Snapshots of a universe whose members change: each session's are made among its own members.

A symbol that joins brings its whole history; ranks, means and counts of a session hold the members
of that session alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace

import pandas as pd

from pipeline.market.features import FeatureInputs, Snapshots

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
        for first, sessions in _stretches(members)
    ]
    left_out: Counter[str] = Counter()
    for part in parts:
        left_out.update(part.left_out)
    return Snapshots(pd.concat([part.rows for part in parts]), dict(left_out))


def _stretches(members: pd.DataFrame) -> Iterator[tuple[pd.Timestamp, pd.DatetimeIndex]]:
    """First session, and all, of each stretch in which nobody joins or leaves."""
    changed = (members != members.shift(fill_value=False)).any(axis=1)
    number = changed.cumsum()
    for _, sessions in members.index.to_series().groupby(number.to_numpy()):
        yield sessions.iloc[0], pd.DatetimeIndex(sessions)
