"""Bets that may be looked at every evening: false alarms as rare as said, no look ahead, power."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.monitor import evidence
from pipeline.monitor.drift import drift
from pipeline.monitor.evidence import FRACTIONS, RESTART_SESSIONS, Promise
from pipeline.monitor.health import counted, detection, health, is_stopped

THRESHOLDS = check(compose([])).monitor
PROMISE = Promise(0.03, 0.1, 1000)


def outcomes(rank_ic: np.ndarray, kind: str = "live", start: str = "2024-01-01") -> pd.DataFrame:
    days = pd.bdate_range(start, periods=len(rank_ic))
    rows = {"session": days, "kind": kind, "rank_ic": rank_ic}
    return pd.DataFrame({**rows, "net_return": 0.0, "calibration": 1.0})


def judged(rank_ic: np.ndarray, age: int = 5, promise: Promise = PROMISE, **more):
    promises = {"rank_ic": promise, "net_return": Promise(0.0, 0.01, 1000)}
    return health(outcomes(rank_ic), promises, THRESHOLDS, age_sessions=age, **more)


def noise(mean: float, sessions: int, seed: int) -> np.ndarray:
    return mean + 0.1 * np.random.default_rng(seed).standard_normal(sessions)


def test_the_wealth_of_a_bet_is_the_product_worked_out_by_hand() -> None:
    grown = evidence.wealth(np.array([1.0, -2.0, 9.0]))
    by_hand = [
        np.prod(1 + np.outer([1.0, -2.0, 3.0][:n], FRACTIONS), axis=0).mean() for n in (1, 2, 3)
    ]
    np.testing.assert_allclose(grown, by_hand)


def test_wealth_rises_beyond_its_bound_no_oftener_than_said_however_often_one_looks() -> None:
    scores = np.random.default_rng(1).standard_t(4, (2000, 500))
    assert (evidence.wealth(scores).max(axis=1) >= 20).mean() <= 0.05
    total = evidence.detector(scores[:, :252], -scores[:, :252]).wealth_against_promise
    assert (total.max(axis=1) >= 10).mean() <= 0.1
    assert (total.max(axis=1) >= 10).mean() > 0.01  # a bound that costs no power for nothing


def test_a_bettor_of_a_market_that_trades_daily_stands_for_a_month_of_its_longer_year() -> None:
    scores = noise(0.0, 200, 6)
    daily = pd.date_range("2024-01-01", periods=200)
    first = evidence.detector(scores, scores, None, daily).wealth_against_promise
    usual = evidence.detector(scores, scores).wealth_against_promise
    np.testing.assert_allclose(first, usual * 252 / 365)
    values = outcomes(noise(-0.05, 200, 7)).assign(session=daily)
    promises = {"rank_ic": PROMISE}
    figures = health(values, promises, THRESHOLDS, age_sessions=5).figures
    on_weekdays = values.assign(session=pd.bdate_range("2024-01-01", periods=200))
    others = health(on_weekdays, promises, THRESHOLDS, age_sessions=5).figures
    assert figures["e_promise/rank_ic"] == pytest.approx(others["e_promise/rank_ic"] * 252 / 365)


def test_evidence_of_a_session_does_not_change_with_what_comes_later() -> None:
    values = noise(0.01, 120, 3)
    whole = detection(values, PROMISE, THRESHOLDS)
    cut = detection(values[:80], PROMISE, THRESHOLDS)
    for one, other in zip(whole, cut, strict=True):
        assert (one[:80] == other).all()


def test_a_new_bettor_starts_every_month_so_that_good_years_do_not_hide_a_death() -> None:
    values = np.concatenate([noise(0.05, 500, 4), noise(0.0, 200, 5)])
    found = detection(values, PROMISE, THRESHOLDS)
    stops = is_stopped(found, THRESHOLDS.stop_wealth("rank_ic"), THRESHOLDS.false_life)
    assert not stops[:500].any()
    assert stops[500:].any()
    assert found.since[int(np.argmax(stops))] >= 500 - 3 * RESTART_SESSIONS


def test_a_life_that_delivers_more_than_its_evidence_promised_raises_the_promise() -> None:
    promise = Promise(0.01, 0.1, 250)
    values = np.array([0.05, np.nan, 0.03, -9.0])
    known = [(2.5, 250), (2.55, 251), (2.55, 251), (2.58, 252)]  # sums and sessions before each
    by_hand = [total / count - 0.5 * 0.1 / np.sqrt(count) for total, count in known]
    np.testing.assert_allclose(promise.levels(values, 0.5, 250), by_hand)
    worse = promise.levels(np.array([-0.05, -0.05]), 0.5, 250)
    np.testing.assert_array_equal(worse, promise.level(0.5, 250))  # never lowered by breaking it
    np.testing.assert_array_equal(promise.levels(values, 0.5, 251), 0.0)  # of too little: nothing


def test_a_session_without_a_value_moves_no_wealth_whatever_was_promised() -> None:
    values = np.concatenate([noise(0.08, 100, 4), np.full(60, np.nan)])
    found = detection(values, Promise(0.01, 0.1, 250), THRESHOLDS)
    starts = 1 + 60 // RESTART_SESSIONS  # those that join bring what they start with
    grown = found.wealth_against_promise[-1] - found.wealth_against_promise[99]
    assert grown == pytest.approx(starts * RESTART_SESSIONS / 252)


def test_an_edge_that_short_evidence_underrated_is_stopped_when_it_dies() -> None:
    """Without what it delivered since, a promise of nearly nothing is never broken."""
    promise = Promise(0.01, 0.1, 250)
    lives = [np.concatenate([noise(0.03, 380, n), noise(0.0, 250, 50 + n)]) for n in range(20)]
    stops = [
        is_stopped(detection(life, promise, THRESHOLDS), 12.5, THRESHOLDS.false_life)
        for life in lives
    ]
    assert sum(bool(each[:380].any()) for each in stops) <= 2
    assert sum(bool(each.any()) for each in stops) >= 12


def test_less_than_promised_is_watched_and_nothing_is_stopped() -> None:
    dead = judged(noise(0.0, 400, 6))
    assert dead.answer == "stop"
    assert "rank IC" in dead.reasons[0]
    assert "no more than nothing" in dead.reasons[0]
    half = [judged(noise(0.05, 400, seed), promise=Promise(0.1, 0.1, 1000)) for seed in range(20)]
    assert {each.answer for each in half} == {"watch", "stop"}
    assert sum(each.answer == "stop" for each in half) <= 20 * 0.4
    assert judged(noise(0.03, 400, 8)).answer == "healthy"


def test_evidence_of_few_sessions_promises_nothing() -> None:
    few = Promise(0.2, 0.1, 21)
    assert few.level(0.5, 250) == 0.0
    assert judged(noise(0.0, 300, 9), promise=few).answer == "watch"
    assert judged(noise(-0.1, 200, 9), promise=few).answer == "stop"  # worse than nothing
    assert PROMISE.level(0.5, 250) == pytest.approx(0.03 - 0.5 * 0.1 / np.sqrt(1000))


def test_age_is_watched_and_then_expires() -> None:
    values = noise(0.03, 60, 10)
    assert [judged(values, age).answer for age in (42, 43, 63, 64)] == [
        "healthy", "watch", "watch", "expired",
    ]  # fmt: skip


def test_a_stop_is_worse_than_an_expiry_and_both_reasons_are_said() -> None:
    both = judged(noise(0.0, 400, 6), age=100)
    assert both.answer == "stop"
    assert [reason.split()[0] for reason in both.reasons] == ["rank", "it"]


def test_live_outcomes_and_replays_are_never_counted_together() -> None:
    mixed = pd.concat([outcomes(noise(0.0, 5, 1), "replay", "2023-01-02"),
                       outcomes(noise(0.0, 3, 1))])  # fmt: skip
    assert set(counted(mixed)["kind"]) == {"live"}
    assert len(counted(mixed[mixed["kind"] == "replay"])) == 5
    assert len(counted(mixed, "2024-01-02")) == 2


def snapshots(seed: int, sessions: int, shift: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=sessions)
    rows = pd.MultiIndex.from_product(
        [days, [f"S{k}" for k in range(50)]], names=["session", "symbol"]
    )
    level = np.repeat(random.normal(0, 0.1, sessions), 50)
    steady = random.normal(0, 1, len(rows)) + level
    moved = random.normal(shift, 1, len(rows))
    sector = random.choice(["a", "b"], len(rows))
    return pd.DataFrame({"steady": steady, "moved": moved, "sector": sector}, index=rows)


def test_a_feature_that_moved_is_named_and_one_that_did_not_is_not() -> None:
    found = drift(snapshots(1, 120), snapshots(2, 21, shift=1.5), 0.25)
    assert found["drifted"].to_dict() == {"moved": True, "steady": False, "sector": False}
    assert found.index[0] == "moved"
    new = snapshots(2, 21).assign(sector="c")
    assert drift(snapshots(1, 120), new, 0.25)["drifted"].to_dict()["sector"]


def test_a_feature_that_wanders_while_it_is_learned_is_allowed_to() -> None:
    wandering = snapshots(1, 120)
    wave = np.repeat(np.sin(np.arange(120) / 15), 50)
    wandering["moved"] = wandering["moved"] + 2 * wave
    late = snapshots(2, 21, shift=1.0)
    assert not drift(wandering, late, 0.25).loc["moved", "drifted"]


def test_missing_values_are_a_bin_of_their_own() -> None:
    late = snapshots(2, 21)
    late.loc[late.index[::2], "moved"] = np.nan
    assert drift(snapshots(1, 120), late, 0.25).loc["moved", "drifted"]


def test_drift_of_few_features_is_not_said() -> None:
    table = drift(snapshots(1, 120), snapshots(2, 21, shift=1.5), 0.25)
    values = noise(0.03, 30, 10)
    assert judged(values, features=table).answer == "watch"  # one of three
    wide = pd.concat([table, *[table.iloc[1:].add_suffix("", axis=0)] * 6])
    assert judged(values, features=wide).answer == "healthy"


def forecasts(scale: float, shift: float, seed: int, sessions: int) -> pd.DataFrame:
    """Forecasts of a percent, whose spread and level are changed."""
    rows = snapshots(seed, sessions)[["steady"]].rename(columns={"steady": "prediction"})
    return 0.01 * (scale * rows + shift)


@pytest.mark.parametrize(
    ("scale", "shift", "answer"),
    [(1.0, 0.0, "healthy"), (3.0, 0.0, "watch"), (0.3, 0.0, "watch"), (1.0, 1.5, "watch"),
     (1.0, -1.5, "watch")],
)  # fmt: skip
def test_a_shift_of_the_forecasts_is_watched_to_either_side(
    scale: float, shift: float, answer: str
) -> None:
    table = drift(forecasts(1.0, 0.0, 1, 120), forecasts(scale, shift, 2, 21), 0.25)
    health = judged(noise(0.03, 60, 10), forecasts=table)
    assert health.answer == answer
    assert health.figures["drift/forecast_psi"] == table["psi"].iloc[0]
    told = [reason for reason in health.reasons if reason.startswith("its forecasts are spread")]
    assert len(told) == (answer == "watch")


@pytest.mark.parametrize(
    ("slope", "side"), [(1.0, ""), (0.0, "smaller"), (2.0, "larger")], ids=["same", "0", "2"]
)
def test_a_shift_of_calibration_is_watched_to_either_side(slope: float, side: str) -> None:
    rows = outcomes(noise(0.03, 150, 8)).assign(calibration=slope + 10 * noise(0.0, 150, 12))
    promised = {"rank_ic": PROMISE, "net_return": Promise(0.0, 0.01, 1000)}
    known = promised | {"calibration": Promise(1.0, 1.0, 1000)}
    found = health(rows, known, THRESHOLDS, age_sessions=5)
    bound = 2.0 / THRESHOLDS.false_watches_a_year
    assert (found.figures["e_calibration"] >= bound) == bool(side)
    assert found.answer == ("watch" if side else "healthy")
    assert [side] == [reason.split()[2] for reason in found.reasons] or not side
    short = promised | {"calibration": Promise(1.0, 1.0, 100)}
    assert health(rows, short, THRESHOLDS, age_sessions=5).answer == "healthy"  # promised nothing


def test_calibration_that_keeps_its_promise_is_watched_no_oftener_than_said() -> None:
    limits, lives = THRESHOLDS.false_watches_a_year, 200
    promised = {"calibration": Promise(1.0, 1.0, 1000)}
    watched = 0
    for seed in range(lives):
        rows = outcomes(np.zeros(252)).assign(calibration=1.0 + 10 * noise(0.0, 252, seed))
        reasons = health(rows, promised, THRESHOLDS, age_sessions=5).reasons
        watched += any("for the size of its forecasts" in reason for reason in reasons)
    assert watched <= lives * limits + 2 * np.sqrt(lives * limits)
