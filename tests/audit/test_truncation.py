"""The audit finds nothing in what the market layer makes, and every leak that is planted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline.audit.checks import CheckResult
from pipeline.audit.recomputation import (
    History,
    Recomputation,
    Rows,
    indicator_rows,
    recompute,
    regime_rows,
    sample_sessions,
)
from pipeline.audit.truncation import (
    StoredResults,
    every_date,
    label_alignment,
    market_checks,
    startup,
    symbol_order,
    truncation,
)
from pipeline.market.definitions import Feature, Known
from pipeline.market.features import FEATURE_SETS, snapshots
from pipeline.market.indicators import indicators
from pipeline.market.labels import labels
from pipeline.market.regimes import regimes, universe_moves
from pipeline.market.series import intraday
from pipeline.market.windows import array, deviation
from pipeline.schemas import SESSION, UNIVERSE_INDEX
from tests.audit.planted import BY_LOOKBACK, BY_NAME, LOOK_AHEAD, ahead
from tests.market.conftest import ROWS

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


def recomputation_of(features: Sequence[Feature]) -> Recomputation:
    return Recomputation(features, UNIVERSE_INDEX, LIMITS, ROWS)


def stored(recomputation: Recomputation, history: History, sessions: pd.DatetimeIndex) -> Rows:
    """Snapshots as a stage leaves them: all sessions at once, with everything loaded."""
    inputs = recomputation.inputs(history, history.bars.sessions)
    rows = snapshots(
        recomputation.features, inputs, history.bars.sessions, **recomputation.selection
    ).rows
    return {session: rows.loc[[session]] for session in sessions}


def audited(history: History) -> pd.DatetimeIndex:
    return sample_sessions(history.bars.sessions[180:], 5, seed=1)


def leaking(checked: CheckResult) -> set[str]:
    return set(checked.listed["column"])


@pytest.mark.parametrize("name", FEATURE_SETS)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000))
def test_nothing_is_found_in_the_feature_sets(make_history, name: str, seed: int) -> None:
    history, recomputation = make_history(seed), recomputation_of(FEATURE_SETS[name])
    sessions = audited(history)
    recomputed = recompute(recomputation.snapshots, history, sessions)

    cut = truncation(stored(recomputation, history, sessions), recomputed)
    order = symbol_order(recomputation.snapshots, history, recomputed, seed=seed)
    longer = startup(recomputation, history, sessions)

    assert cut.listed.empty
    assert order.listed.empty
    assert longer.listed.empty
    assert min(cut.checked, order.checked, longer.checked) > 1000


@pytest.mark.parametrize("leak", LOOK_AHEAD, ids=lambda feature: feature.name)
def test_a_feature_that_knows_a_later_session_is_named(make_history, leak: Feature) -> None:
    history = make_history(3, missing=0.1)
    recomputation = recomputation_of([*FEATURE_SETS["classic"], leak])
    sessions = audited(history)
    rows = stored(recomputation, history, sessions)
    recomputed = recompute(recomputation.snapshots, history, sessions)

    result = truncation(rows, recomputed)

    assert leaking(result) == {leak.name}
    first = result.listed.iloc[0]
    session = pd.Timestamp(first["session"])
    assert session in sessions
    value = rows[session].loc[(session, first["symbol"]), leak.name]
    assert first["stored"] == str(np.float32(value))
    assert first["recomputed"] != first["stored"]


def test_a_feature_that_depends_on_names_is_found_by_shuffling_them(make_history) -> None:
    history, recomputation = make_history(3), recomputation_of([*FEATURE_SETS["classic"], BY_NAME])
    sessions = audited(history)
    recomputed = recompute(recomputation.snapshots, history, sessions)

    result = symbol_order(recomputation.snapshots, history, recomputed, seed=1)

    assert leaking(result) == {"leak_of_name"}
    assert not truncation(stored(recomputation, history, sessions), recomputed).leaks


def test_a_feature_with_a_longer_memory_than_it_says_is_found_at_its_start(make_history) -> None:
    history = make_history(3, missing=0.0)
    recomputation = recomputation_of([*FEATURE_SETS["classic"], BY_LOOKBACK])

    result = startup(recomputation, history, audited(history))

    assert leaking(result) == {"leak_of_all_history"}
    assert result.leaks == 5 * 6  # every session, every symbol


def test_a_row_that_only_the_future_explains_is_found(make_history) -> None:
    history, recomputation = make_history(3, missing=0.0), recomputation_of(FEATURE_SETS["classic"])
    sessions = audited(history)
    rows = dict(stored(recomputation, history, sessions))
    rows[sessions[0]] = rows[sessions[0]].iloc[1:]

    result = truncation(rows, recompute(recomputation.snapshots, history, sessions))

    assert result.listed.iloc[0].tolist() == [
        "row", "S00", f"{sessions[0]:%Y-%m-%d}", "False", "True",
    ]  # fmt: skip


def test_an_indicator_of_the_session_itself_is_named(make_history) -> None:
    history, recomputation = make_history(3, missing=0.0), recomputation_of([])
    sessions = audited(history)
    leaks = indicators(history.bars) | {"rsi_14": indicators(history.bars)["rsi_14"].shift(-1)}
    before = {t: history.bars.sessions[history.bars.sessions < t][-1] for t in sessions}
    rows = {t: indicator_rows(leaks, close) for t, close in before.items()}

    result = truncation(rows, recompute(recomputation.indicators, history, sessions))

    assert leaking(result) == {"indicators.rsi_14"}
    assert result.leaks == 5 * 6


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
    history, recomputation = make_history(3), recomputation_of([])
    sessions = audited(history)
    states = regime_rows(leaking_regimes(history), UNIVERSE_INDEX)
    rows = {session: states.loc[[session]] for session in sessions}

    result = truncation(rows, recompute(recomputation.regimes, history, sessions))

    assert {f"regimes.{name}" for name in columns} <= leaking(result)
    assert set(result.listed["symbol"]) == {UNIVERSE_INDEX}


def test_nothing_is_found_in_regimes_and_indicators(make_history) -> None:
    history, recomputation = make_history(3), recomputation_of([])
    sessions = audited(history)
    measured, before = indicators(history.bars), history.bars.sessions.shift(-1, freq="B")
    states = regimes(universe_moves(history.bars), history.bars.sessions, **LIMITS)
    rows = regime_rows(states, UNIVERSE_INDEX)
    closes = dict(zip(history.bars.sessions, before, strict=True))
    traded = {t: history.bars.close.loc[closes[t]].notna() for t in sessions}

    of_regimes = truncation(
        {t: rows.loc[[t]] for t in sessions}, recompute(recomputation.regimes, history, sessions)
    )
    of_indicators = truncation(
        {t: indicator_rows(measured, closes[t]).loc[traded[t].to_numpy()] for t in sessions},
        recompute(recomputation.indicators, history, sessions),
    )

    assert (of_regimes.checked, of_regimes.leaks) == (5 * 5, 0)
    assert of_indicators.leaks == 0
    assert of_indicators.checked == 6 * sum(traded[t].sum() for t in sessions)


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

    chosen = sample_sessions(sessions, count, seed)

    parts = np.array_split(np.arange(25), min(count, 25))
    assert len(chosen) == len(parts)
    for place, part in zip(sessions.get_indexer(chosen), parts, strict=True):
        assert place in part


def stored_labels(history: History, sessions: pd.DatetimeIndex, shift: int = 0) -> Rows:
    """Outcomes of all bars, each session's under that of so many sessions later."""
    panel = labels(history.bars, history.bars.close.notna())
    by_name = {name: frame.shift(shift) for name, frame in panel.items()}
    long = pd.concat({name: frame.stack() for name, frame in by_name.items()}, axis=1).dropna()
    return {session: long.loc[[session]] for session in sessions}


def finals(history: History, sessions: pd.DatetimeIndex) -> Rows:
    return {session: history.bars.close.loc[[session]].notna() for session in sessions}


def rarely_wrong(known: Known) -> np.ndarray:
    """return of s, on one session in twenty that of t"""
    where = np.asarray(known.targets.dayofyear % 20 == 0)[:, None]
    return np.where(where, ahead(intraday(known)), intraday(known))


RARE = Feature("rarely_wrong", "symbol", 1, "return of s, at times of t", "planted", rarely_wrong)


@pytest.mark.parametrize("leak", [(), (RARE,)])
def test_a_feature_that_is_wrong_on_few_sessions_is_found_on_all_of_few_symbols(
    make_history, leak: tuple[Feature, ...]
) -> None:
    history = make_history(3, symbols=3)
    recomputation = recomputation_of([*FEATURE_SETS["classic"][:4], *leak])
    dates = history.bars.sessions[150:210]
    rows = pd.concat(stored(recomputation, history, dates).values())

    result = every_date(recomputation, history, dates, rows)

    assert leaking(result) == {feature.name for feature in leak}
    assert set(pd.DatetimeIndex(result.listed["session"]).dayofyear % 20) <= {0}
    assert result.checked > 2 * 60 * 3


def test_a_value_that_was_stored_otherwise_on_few_sessions_is_found(make_history) -> None:
    """The store holds more symbols: what depends on them is not compared, what does not is."""
    history = make_history(3, symbols=6, missing=0.0)
    names = [f for f in FEATURE_SETS["classic"] if f.name in {"return_1", "relative_market_1"}]
    recomputation, dates = recomputation_of(names), history.bars.sessions[150:200]
    few = replace(
        history, bars=history.bars.loc(slice(None), history.bars.symbols[:2]),
        symbols=history.symbols.iloc[:2],
    )  # fmt: skip
    rows = pd.concat(stored(recomputation, history, dates).values())
    rows = rows[rows.index.get_level_values("symbol").isin(few.bars.symbols)]

    assert every_date(recomputation, few, dates, rows).leaks == 0
    rows.loc[(dates[20], "S01"), "return_1"] += 1e-4
    result = every_date(recomputation, few, dates, rows)

    assert result.listed[["column", "symbol"]].to_numpy().tolist() == [["return_1", "S01"]]
    assert result.listed["session"].tolist() == [f"{dates[20]:%Y-%m-%d}"]


def test_labels_follow_from_the_bars_of_their_own_session(make_history) -> None:
    history = make_history(3, missing=0.1)
    sessions = audited(history)

    result = label_alignment(
        stored_labels(history, sessions), history.bars, finals(history, sessions)
    )

    assert result.leaks == 0
    assert result.checked == 3 * history.bars.close.loc[sessions].notna().sum().sum()


def test_labels_of_another_session_are_named(make_history) -> None:
    history = make_history(3, missing=0.0)
    sessions = audited(history)

    result = label_alignment(
        stored_labels(history, sessions, shift=1), history.bars, finals(history, sessions)
    )

    assert leaking(result) == set(labels(history.bars, history.bars.close.notna()))
    assert result.leaks == 5 * 6 * 3


def test_a_label_of_a_provisional_bar_is_a_leak(make_history) -> None:
    history = make_history(3, missing=0.0)
    sessions = audited(history)
    final = finals(history, sessions)
    final[sessions[0]].loc[:, "S02"] = False

    result = label_alignment(stored_labels(history, sessions), history.bars, final)

    assert result.listed.iloc[0].tolist() == [
        "row", "S02", f"{sessions[0]:%Y-%m-%d}", "True", "False",
    ]  # fmt: skip
    assert result.leaks == 1


def test_every_check_of_the_market_looks_at_what_is_stored(make_history) -> None:
    """Each kind of result is corrupted alone: the check of that kind, and no other, finds it."""
    history, recomputation = make_history(3), recomputation_of(FEATURE_SETS["classic"][:3])
    sessions = audited(history)[:2]
    honest = {
        kind: recompute(getattr(recomputation, kind), history, sessions)
        for kind in ("indicators", "regimes", "snapshots")
    } | {"labels": stored_labels(history, sessions)}

    def leaks(**stored: Rows) -> dict[str, int]:
        results = StoredResults(**honest | stored, final=finals(history, sessions))
        checks = market_checks(results, recomputation, history, sessions, seed=1)
        return {name: check().leaks for name, check in checks.items()}

    nothing = {"truncation": 0, "startup": 0, "symbol_order": 0, "labels": 0}
    assert leaks() == nothing
    for kind, check in [
        ("indicators", "truncation"),
        ("regimes", "truncation"),
        ("snapshots", "truncation"),
        ("labels", "labels"),
    ]:
        changed = {session: rows.iloc[1:] for session, rows in honest[kind].items()}
        assert leaks(**{kind: changed}) == nothing | {check: 2}
