"""The audit finds nothing in what the market layer makes, and every leak that is planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.leaks import Checked
from pipeline.market.audit import (
    History,
    Recalculation,
    Rows,
    at_close,
    recalculated,
    spread,
    startup,
    symbol_order,
    truncation,
    under,
)
from pipeline.market.definitions import Feature
from pipeline.market.features import FEATURE_SETS, snapshots
from pipeline.market.indicators import indicators
from pipeline.market.regimes import regimes, universe_moves
from pipeline.market.windows import array, deviation
from pipeline.schemas import SESSION, UNIVERSE_INDEX
from tests.planted import BY_LOOKBACK, BY_NAME, LOOK_AHEAD

LIMITS = {"volatility_window": 30}
SESSIONS = 230

MakeHistory = Callable[..., History]


@pytest.fixture
def make_history(make_bars) -> MakeHistory:
    def make(seed: int, symbols: int = 6, missing: float = 0.02) -> History:
        bars = make_bars(seed, SESSIONS, symbols, missing)
        sectors = [f"sector {k // 2}" for k in range(symbols)]
        table = pd.DataFrame({"exchange": "X", "sector": sectors}, index=bars.symbols)
        return History(bars, bars.loc(slice(None), bars.symbols[:0]), table)

    return make


def made_of(features: Sequence[Feature]) -> Recalculation:
    return Recalculation(features, UNIVERSE_INDEX, LIMITS, {"min_history": 40})


def stored(made: Recalculation, history: History, sessions: pd.DatetimeIndex) -> Rows:
    """Snapshots as a stage leaves them: all sessions at once, with everything loaded."""
    inputs = made.inputs(history, history.bars.sessions)
    rows = snapshots(made.features, inputs, history.bars.sessions, **made.selection).rows
    return {session: rows.loc[[session]] for session in sessions}


def audited(history: History) -> pd.DatetimeIndex:
    return spread(history.bars.sessions[180:], 5, seed=1)


def leaking(checked: Checked) -> set[str]:
    return set(checked.listed["column"])


@pytest.mark.parametrize("name", FEATURE_SETS)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_nothing_is_found_in_the_feature_sets(make_history, name: str, seed: int) -> None:
    history, made = make_history(seed), made_of(FEATURE_SETS[name])
    sessions = audited(history)
    anew = recalculated(made.snapshots, history, sessions)

    cut = truncation(stored(made, history, sessions), anew)
    order = symbol_order(made.snapshots, history, anew, seed)
    longer = startup(made, history, sessions)

    assert cut.listed.empty
    assert order.listed.empty
    assert longer.listed.empty
    assert min(cut.count, order.count, longer.count) > 1000


@pytest.mark.parametrize("leak", LOOK_AHEAD, ids=lambda feature: feature.name)
def test_a_feature_that_knows_a_later_session_is_named(make_history, leak: Feature) -> None:
    history, made = make_history(3, missing=0.1), made_of([*FEATURE_SETS["classic"], leak])
    sessions = audited(history)
    kept, anew = stored(made, history, sessions), recalculated(made.snapshots, history, sessions)

    found = truncation(kept, anew)

    assert leaking(found) == {leak.name}
    first = found.listed.iloc[0]
    session = pd.Timestamp(first["session"])
    assert session in sessions
    value = kept[session].loc[(session, first["symbol"]), leak.name]
    assert first["stored"] == str(np.float32(value))
    assert first["recomputed"] != first["stored"]


def test_a_feature_that_depends_on_names_is_found_by_shuffling_them(make_history) -> None:
    history, made = make_history(3), made_of([*FEATURE_SETS["classic"], BY_NAME])
    sessions = audited(history)
    anew = recalculated(made.snapshots, history, sessions)

    assert leaking(symbol_order(made.snapshots, history, anew, seed=1)) == {"leak_of_name"}
    assert not truncation(stored(made, history, sessions), anew).leaks


def test_a_feature_with_a_longer_memory_than_it_says_is_found_at_its_start(make_history) -> None:
    history, made = make_history(3, missing=0.0), made_of([*FEATURE_SETS["classic"], BY_LOOKBACK])

    found = startup(made, history, audited(history))

    assert leaking(found) == {"leak_of_all_history"}
    assert found.leaks == 5 * 6  # every session, every symbol


def test_a_row_that_only_the_future_explains_is_found(make_history) -> None:
    history, made = make_history(3, missing=0.0), made_of(FEATURE_SETS["classic"])
    sessions = audited(history)
    kept = dict(stored(made, history, sessions))
    kept[sessions[0]] = kept[sessions[0]].iloc[1:]

    found = truncation(kept, recalculated(made.snapshots, history, sessions))

    assert found.listed.iloc[0].tolist() == [
        "row", "S00", f"{sessions[0]:%Y-%m-%d}", "False", "True",
    ]  # fmt: skip


def test_an_indicator_of_the_session_itself_is_named(make_history) -> None:
    history, made = make_history(3, missing=0.0), made_of([])
    sessions = audited(history)
    leaks = indicators(history.bars) | {"rsi_14": indicators(history.bars)["rsi_14"].shift(-1)}
    before = {t: history.bars.sessions[history.bars.sessions < t][-1] for t in sessions}
    kept = {t: at_close(leaks, close) for t, close in before.items()}

    found = truncation(kept, recalculated(made.indicators, history, sessions))

    assert leaking(found) == {"indicators.rsi_14"}
    assert found.leaks == 5 * 6


def with_own_session(history: History) -> pd.DataFrame:
    """Regimes that use the move of t itself."""
    sessions, moves = history.bars.sessions, universe_moves(history.bars)
    return regimes(moves.set_axis(sessions[:-1]), sessions, **LIMITS)


def ranked_among_all(history: History) -> pd.DataFrame:
    """Regimes whose volatility percentile is a rank among all history, later sessions included."""
    sessions, moves = history.bars.sessions, universe_moves(history.bars)
    volatility = pd.Series(deviation(array(moves["close"]), 20), moves.index)
    percentile = 100 * volatility.rank(pct=True)
    states = regimes(moves, sessions, **LIMITS)
    return states.assign(volatility_percentile=percentile.shift().reindex(sessions))


@pytest.mark.parametrize(
    ("leaking_regimes", "columns"),
    [
        (with_own_session, {"trend_strength", "volatility_percentile", "slope_20"}),
        (ranked_among_all, {"volatility_percentile"}),
    ],
)
def test_regimes_that_know_the_future_are_named(make_history, leaking_regimes, columns) -> None:
    history, made = make_history(3), made_of([])
    sessions = audited(history)
    states = under(leaking_regimes(history), UNIVERSE_INDEX)
    kept = {session: states.loc[[session]] for session in sessions}

    found = truncation(kept, recalculated(made.regimes, history, sessions))

    assert {f"regimes.{name}" for name in columns} <= leaking(found)
    assert set(found.listed["symbol"]) == {UNIVERSE_INDEX}


def test_nothing_is_found_in_regimes_and_indicators(make_history) -> None:
    history, made = make_history(3), made_of([])
    sessions = audited(history)
    measured, before = indicators(history.bars), history.bars.sessions.shift(-1, freq="B")
    states = regimes(universe_moves(history.bars), history.bars.sessions, **LIMITS)
    kept = under(states, UNIVERSE_INDEX)
    closes = dict(zip(history.bars.sessions, before, strict=True))
    traded = {t: history.bars.close.loc[closes[t]].notna() for t in sessions}

    of_regimes = truncation(
        {t: kept.loc[[t]] for t in sessions}, recalculated(made.regimes, history, sessions)
    )
    of_indicators = truncation(
        {t: at_close(measured, closes[t]).loc[traded[t].to_numpy()] for t in sessions},
        recalculated(made.indicators, history, sessions),
    )

    assert (of_regimes.count, of_regimes.leaks) == (5 * 5, 0)
    assert of_indicators.leaks == 0
    assert of_indicators.count == 6 * sum(traded[t].sum() for t in sessions)


def test_history_before_a_session_has_neither_it_nor_symbols_of_later(make_history) -> None:
    history = make_history(3, missing=0.0)
    sessions = history.bars.sessions
    for frame in vars(history.bars).values():
        frame.iloc[:100, 2] = np.nan

    known = history.before(sessions[100])

    assert known.bars.sessions.equals(sessions[:100])
    assert "S02" not in known.bars.symbols
    assert "S02" in history.before(sessions[101]).bars.symbols


@given(count=st.integers(1, 40), seed=st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_audited_sessions_lie_one_in_each_part_of_history(count: int, seed: int) -> None:
    sessions = pd.date_range("2020-01-01", periods=25, name=SESSION)

    chosen = spread(sessions, count, seed)

    parts = np.array_split(np.arange(25), min(count, 25))
    assert len(chosen) == len(parts)
    for place, part in zip(sessions.get_indexer(chosen), parts, strict=True):
        assert place in part
