"""Feature snapshots: one row per symbol and session t, from what is known before t opens."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.market.cross_section import market_return
from pipeline.market.definitions import Feature, Known
from pipeline.market.features_classic import classic
from pipeline.market.features_extended import extended
from pipeline.market.features_ranked import ranked
from pipeline.market.selection import LIQUIDITY_SESSIONS, Mask, selection
from pipeline.market.windows import Array, array
from pipeline.schemas import ROW, STATIC, BarPanel, Panel, as_quoted

USUAL_WEEK = 5

FEATURE_SETS: Mapping[str, tuple[Feature, ...]] = {
    "classic": tuple(classic),
    "extended": tuple(extended),
    "ranked": tuple(ranked),
}


@dataclass(frozen=True)
class FeatureInputs:
    """What features are made of; may reach further than the requested sessions.

    Attributes
    ----------
    bars
        Daily bars, sessions x symbols.
    indicators
        Result of `pipeline.market.indicators.indicators`, as of the close of its session.
    market
        Index bars with a column close, by session; None: the universe's mean return.
    regimes
        Result of `pipeline.market.regimes.regimes`, by the session at whose open it is known.
    symbols
        Index symbol; columns exchange and sector, where known.
    short_sessions
        Sessions that close early by the exchange's calendar; None where that is not known.
    price_factor
        What a price is multiplied by to get the one quoted in its session, sessions x the symbols
        with later splits; None where nothing is known.
    """

    bars: BarPanel
    indicators: Panel
    market: pd.DataFrame | None
    regimes: pd.DataFrame
    symbols: pd.DataFrame
    short_sessions: pd.DatetimeIndex | None = None
    price_factor: pd.DataFrame | None = None


@dataclass(frozen=True)
class Snapshots:
    """Feature rows and, by reason, how many rows of the universe were left out.

    Attributes
    ----------
    rows
        MultiIndex (session, symbol), sorted; float32 columns in the order of the features, then
        the static ones as strings.
    left_out
        ``no_session_before``: the first session there is; ``no_bars``: not listed yet or long
        gone; ``no_bar_before``: none on t-1; ``short_history``: too few bars before t;
        ``low_price`` and ``low_dollar_volume``: below the minimum.
    """

    rows: pd.DataFrame
    left_out: dict[str, int]


def snapshots(
    features: Sequence[Feature],
    inputs: FeatureInputs,
    sessions: pd.DatetimeIndex,
    *,
    min_history: int,
    min_price: float,
    min_dollar_volume: float,
    next_session: pd.Timestamp | None = None,
) -> Snapshots:
    """Feature rows of the requested sessions, each from bars up to the session before.

    A row exists only if its symbol has a bar on t-1, and at least `min_history` bars among the
    `2 * min_history` sessions before t. Values have the same bits whatever else is loaded, as
    long as `warm_up` sessions before the first one are.

    Parameters
    ----------
    sessions
        Sessions t of the panel, `next_session` included.
    next_session
        The session after the panel's last one.
    min_price, min_dollar_volume
        Minimum close of t-1 as it was quoted, and minimum mean dollar volume of the 20 sessions
        before t.

    Raises
    ------
    InvalidData
        A requested session is neither in the panel nor the next one.
    """
    calendar = _calendar(inputs.bars.sessions, next_session)
    positions = np.sort(calendar.get_indexer(sessions))
    if (positions < 0).any():
        unknown = sessions.difference(calendar)
        raise InvalidData(
            "features",
            f"{len(unknown)} sessions requested without bars, the first {unknown[0].date()}",
            f"sessions from {calendar[0].date()} to {calendar[-1].date()}",
        )
    week = days_a_week(calendar)
    start = max(0, positions.min(initial=len(calendar)) - warm_up(features, min_history, week))
    known = known_before(inputs, calendar[start : positions.max(initial=start) + 1])
    requested = np.isin(np.arange(len(known.targets)), positions - start - 1)
    usable, left_out = selection(
        known,
        _quoted_close(known, inputs.price_factor),
        requested,
        min_history=min_history,
        min_price=min_price,
        min_dollar_volume=min_dollar_volume,
    )
    first = int((positions == 0).sum()) * len(known.symbols)
    return Snapshots(_rows(features, known, usable), {"no_session_before": first, **left_out})


def _quoted_close(known: Known, factor: pd.DataFrame | None) -> Array:
    if factor is None:
        return known.close
    stored = pd.DataFrame(known.close, known.sessions, known.symbols.index)
    return as_quoted(stored, factor).to_numpy()


def days_a_week(sessions: pd.DatetimeIndex) -> int:
    """5, or 7 of a market with sessions on Saturdays and Sundays.

    >>> [days_a_week(pd.date_range("2024", periods=9, freq=days)) for days in ("B", "D")]
    [5, 7]
    """
    days = set(sessions.day_of_week)
    return 7 if {5, 6} <= days and len(days) == 7 else USUAL_WEEK


def in_week(lookback: int, week: int) -> int:
    """Sessions that a look-back stands for: it counts weeks of five sessions."""
    return -(-lookback * week // USUAL_WEEK)


def warm_up(features: Iterable[Feature], min_history: int, week: int) -> int:
    """Sessions to load before the first requested one.

    Parameters
    ----------
    week
        Of ``days_a_week``: what looks back on weekdays needs more sessions where all are traded.
    """
    lookbacks = (in_week(feature.lookback, week) for feature in features)
    return max([2 * min_history, LIQUIDITY_SESSIONS, *lookbacks])


def market_closes(index_bars: BarPanel, index: str) -> pd.DataFrame | None:
    """Closes of an index as `FeatureInputs.market`; None where it has no bars."""
    closes = index_bars.close
    return closes[[index]].set_axis(["close"], axis=1) if index in closes else None


def known_before(inputs: FeatureInputs, calendar: pd.DatetimeIndex) -> Known:
    """What is known before each session of `calendar` but its first, which has no session before.

    Inputs are lined up on these sessions and on the panel's symbols, sorted.
    """
    sessions, targets = calendar[:-1], calendar[1:]
    names = inputs.bars.symbols.sort_values()
    bars = inputs.bars.loc(sessions, names)
    prices = {field.name: array(getattr(bars, field.name)) for field in fields(bars)}
    index = None if inputs.market is None else array(inputs.market["close"].reindex(sessions))
    return Known(
        **prices,  # type: ignore[arg-type]
        indicators={
            name: array(frame.reindex(index=sessions, columns=names))
            for name, frame in inputs.indicators.items()
        },
        market_return=market_return(prices["close"], index),
        regimes=inputs.regimes.reindex(targets),
        symbols=inputs.symbols.reindex(index=names, columns=list(STATIC)),
        sessions=sessions,
        targets=targets,
        short_sessions=inputs.short_sessions,
    )


def feature_set_hash(hashes: Mapping[str, str]) -> str:
    """12 hex digits for the names and hashes of features; their order does not matter."""
    lines = sorted(f"{name} {of_feature}" for name, of_feature in hashes.items())
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def catalogue(features: Iterable[Feature]) -> pd.DataFrame:
    """Name, kind, look-back in sessions, formula, source and time it is known, of each feature."""
    columns = ["name", "kind", "lookback", "formula", "source", "known_at"]
    return pd.DataFrame([[getattr(f, c) for c in columns] for f in features], columns=columns)


def _calendar(sessions: pd.DatetimeIndex, next_session: pd.Timestamp | None) -> pd.DatetimeIndex:
    if next_session is None:
        return sessions
    if len(sessions) and next_session <= sessions[-1]:
        raise InvalidData(
            "features",
            f"next session {next_session.date()} is not after the last bar's",
            f"a session after {sessions[-1].date()}",
        )
    return pd.DatetimeIndex([*sessions, next_session], dtype=sessions.dtype)


def _rows(features: Sequence[Feature], known: Known, usable: Mask) -> pd.DataFrame:
    since = int(np.nonzero(usable)[0].min(initial=len(usable)))
    usable, targets = usable[since:], known.targets[since:]
    cells = np.flatnonzero(usable)
    session, symbol = np.divmod(cells, usable.shape[1])
    everything = pd.MultiIndex.from_product([targets, known.symbols.index], names=ROW)
    index = everything[usable.ravel()]
    numbers = [feature for feature in features if feature.kind != "static"]
    columns = np.empty((len(numbers), len(index)), dtype=np.float32)
    for column, feature in zip(columns, numbers, strict=True):
        values = feature(known, since).ravel()
        column[:] = values.take(cells if feature.kind == "symbol" else session)
    rows = pd.DataFrame(columns.T, index=index, columns=[f.name for f in numbers], copy=False)
    for feature in features:
        if feature.kind == "static":
            rows[feature.name] = pd.array(feature(known), dtype="str")[symbol]
    return rows
