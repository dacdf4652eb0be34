"""Looks for knowledge of the future: everything recomputed from history that is cut.

What is known before session t opens must follow from bars up to t-1, from no more of them than the
stated look-back, and must not depend on what a symbol is called.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from typing import Any

import numpy as np
import pandas as pd

from pipeline.audit.checks import Check, CheckResult, combine, compare
from pipeline.audit.recomputation import (
    Calculation,
    History,
    Recomputation,
    Rows,
    indicator_rows,
    recompute,
)
from pipeline.market.definitions import Feature
from pipeline.market.features import days_a_week, in_week, known_before, snapshots
from pipeline.market.indicators import WARM_UP, first_values, indicators
from pipeline.market.labels import labels
from pipeline.market.regimes import lookback
from pipeline.schemas import ROW, SYMBOL, UNIVERSE_INDEX, BarPanel

MIN_AGREEMENT = 0.9
"""Part of a column's places that agree where it follows from a symbol alone: one that is wrong in
more of them is found on any session."""


@dataclass(frozen=True)
class StoredResults:
    """What a store holds of each audited session.

    Attributes
    ----------
    indicators
        As of the close of the session before, see `indicator_rows`.
    regimes
        See `regime_rows`.
    snapshots
        Feature rows.
    labels
        Outcomes of the label-ready ones among the sessions.
    final
        Of the same sessions, sessions x symbols: the bar was read after its session closed.
    """

    indicators: Rows
    regimes: Rows
    snapshots: Rows
    labels: Rows
    final: Mapping[pd.Timestamp, pd.DataFrame]


def market_checks(
    stored: StoredResults,
    recomputation: Recomputation,
    history: History,
    sessions: pd.DatetimeIndex,
    *,
    seed: int,
) -> dict[str, Check]:
    """Whether what the store and the snapshots hold follows from what was known."""
    calculations: list[tuple[Calculation, Rows]] = [
        (recomputation.indicators, stored.indicators),
        (recomputation.regimes, stored.regimes),
        (recomputation.snapshots, stored.snapshots),
    ]
    recomputed = cache(lambda calculate: recompute(calculate, history, sessions))
    return {
        "truncation": lambda: combine(
            truncation(rows, recomputed(calculate)) for calculate, rows in calculations
        ),
        "startup": lambda: startup(recomputation, history, sessions),
        "symbol_order": lambda: symbol_order(
            recomputation.snapshots, history, recomputed(recomputation.snapshots), seed=seed
        ),
        "labels": lambda: label_alignment(stored.labels, history.bars, stored.final),
    }


def truncation(stored: Rows, recomputed: Rows) -> CheckResult:
    """What is stored for each session, against the same from history that is cut before it."""
    return combine(compare(stored[session], rows) for session, rows in recomputed.items())


def every_date(
    recomputation: Recomputation,
    history: History,
    dates: pd.DatetimeIndex,
    stored: pd.DataFrame | None = None,
) -> CheckResult:
    """Many sessions of a few symbols: from all there is, and from history that is cut before each.

    What is wrong on few sessions alone, such as one weekday, slips through a check of ten. Features
    across symbols are here those of these few; what is stored is compared where it follows from a
    symbol alone, so in columns that agree in most places.

    Parameters
    ----------
    history
        Of the few symbols.
    stored
        Their snapshots of these sessions, long; None: not compared.
    """
    inputs = recomputation.inputs(history, history.bars.sessions)
    whole = snapshots(recomputation.features, inputs, dates, **recomputation.selection).rows
    cut = pd.concat(recompute(recomputation.snapshots, history, dates).values())
    parts = [compare(whole, cut)]
    if stored is not None:
        columns_alone = [f.name for f in recomputation.features if follows_from_one(f)]
        rows = stored.index.intersection(cut.index)
        old, new = stored.loc[rows, columns_alone], cut.loc[rows, columns_alone]
        agree = ((old == new) | (old.isna() & new.isna())).mean()
        columns = list(agree.index[agree > MIN_AGREEMENT])
        parts.append(compare(stored[columns], cut[columns]))
    return combine(parts)


def follows_from_one(feature: Feature) -> bool:
    """Whether a feature may follow from its symbol alone: nothing of it is of the market."""
    return feature.kind == "symbol" and not feature.ranked and feature.reads <= {"indicators"}


def symbol_order(
    calculate: Calculation, history: History, recomputed: Rows, *, seed: int
) -> CheckResult:
    """The same with symbols under each other's names, in another order: nothing may change."""
    random = np.random.default_rng(seed)
    return combine(
        compare(rows, _under_other_names(calculate, history.before(session), session, random))
        for session, rows in recomputed.items()
    )


def _under_other_names(
    calculate: Calculation, known: History, session: pd.Timestamp, random: np.random.Generator
) -> pd.DataFrame:
    names, others = random.permutation(known.bars.symbols), random.permutation(known.bars.symbols)
    rows = calculate(known.renamed(dict(zip(names, others, strict=True))), session)
    return rows.rename(index=dict(zip(others, names, strict=True)), level=SYMBOL).sort_index()


def label_alignment(
    stored: Rows, bars: BarPanel, final: Mapping[pd.Timestamp, pd.DataFrame]
) -> CheckResult:
    """Outcomes of a session against its own bars: a label of another session is a leak as well.

    Parameters
    ----------
    stored
        Labels of label-ready sessions.
    final
        Of the same sessions, sessions x symbols: the bar was read after its session closed.
    """
    sessions = pd.DatetimeIndex(list(stored))
    panel = labels(bars.loc(sessions), pd.concat(list(final.values())))
    due = pd.DataFrame({name: frame.stack() for name, frame in panel.items()}).rename_axis(ROW)
    return compare(pd.concat(list(stored.values())), due.dropna(how="all"))


def startup(
    recomputation: Recomputation, history: History, sessions: pd.DatetimeIndex
) -> CheckResult:
    """The longest history there is, against one that begins at the stated look-back.

    Sessions that have no more than the look-back before them show nothing and are passed over.
    """
    return combine(
        [
            *_startup_of_features(recomputation, history, sessions),
            *_startup_of_indicators(history, sessions),
            *_startup_of_regimes(recomputation, history, sessions),
        ]
    )


def _startup_of_features(
    recomputation: Recomputation, history: History, sessions: pd.DatetimeIndex
) -> Iterator[CheckResult]:
    calendar = history.bars.sessions.union(sessions)
    inputs = recomputation.inputs(history, calendar)
    symbols = inputs.bars.symbols.sort_values()
    places = [int(place) for place in calendar.get_indexer(sessions)]
    longest = known_before(inputs, calendar)
    numbers = [feature for feature in recomputation.features if feature.kind != "static"]
    whole = {feature.name: feature(longest)[[p - 1 for p in places]] for feature in numbers}
    week = days_a_week(calendar)

    def needed_by(feature: Feature) -> int:
        return max(in_week(feature.lookback, week), 1)

    by_lookback = groupby(sorted(numbers, key=needed_by), key=needed_by)
    for needed, group in [(needed, list(group)) for needed, group in by_lookback]:
        for number, place in enumerate(places):
            if place <= needed:
                continue
            known = known_before(inputs, calendar[place - needed : place + 1])
            full = {feature.name: whole[feature.name][number] for feature in group}
            short = {feature.name: feature(known)[-1] for feature in group}
            yield compare(
                *(_feature_rows(values, calendar[place], symbols) for values in (full, short))
            )


def _feature_rows(
    values: Mapping[str, Any], session: pd.Timestamp, symbols: pd.Index
) -> pd.DataFrame:
    """One session of features, one value a symbol or one for all, as a long frame."""
    columns = {name: np.broadcast_to(value, len(symbols)) for name, value in values.items()}
    return pd.concat({session: pd.DataFrame(columns, symbols)}, names=ROW)


def _startup_of_indicators(history: History, sessions: pd.DatetimeIndex) -> Iterator[CheckResult]:
    for session in sessions:
        known = history.before(session)
        recent = known.newest(WARM_UP + 1).bars
        if len(recent.sessions) < len(known.bars.sessions):
            whole = indicators(known.bars)
            begun = first_values(whole["obv"].loc[recent.sessions])
            last = recent.sessions[-1]
            short = indicators(recent, begun)
            yield compare(indicator_rows(whole, last), indicator_rows(short, last))


def _startup_of_regimes(
    recomputation: Recomputation, history: History, sessions: pd.DatetimeIndex
) -> Iterator[CheckResult]:
    needed = lookback(recomputation.limits["volatility_window"]) + 1
    for session in sessions:
        known = history.before(session)
        of_universe = recomputation.index == UNIVERSE_INDEX
        bars = known.bars if of_universe else known.index_bars
        if len(bars.sessions) > needed:
            short = recomputation.regimes(known.newest(needed), session)
            yield compare(recomputation.regimes(known, session), short)
