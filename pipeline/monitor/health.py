"""How a deployed model is: healthy, watch, expired or stop, each with its reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.monitor import evidence
from pipeline.monitor.chain import LIVE
from pipeline.monitor.drift import drifted_features
from pipeline.monitor.evidence import Dates, Detection, Promise
from pipeline.stats.returns import Values
from pipeline.values import Count, Fraction, NotNegative, Value

HEALTHY, WATCH, EXPIRED, STOP = "healthy", "watch", "expired", "stop"
ANSWERS = (HEALTHY, WATCH, EXPIRED, STOP)
"""From good to bad; the worst that has a reason is the answer."""

SERIES: Mapping[str, str] = {
    "rank_ic": "rank IC",
    "net_return": "net return",
    "calibration": "calibration",
}
"""Columns of outcomes that a promise is made of, and their names in words."""


class Thresholds(Value):
    """When a model is watched, expired or stopped; see conf/monitor/default.yaml.

    Attributes
    ----------
    false_stops_a_year
        How many models that are as good as promised may be stopped, of those watched for a year.
    spent_on_returns
        The part of them spent on net returns; the rest is spent on rank IC.
    false_life
        How often a model without skill may be taken for a living one when it breaks its promise.
    false_watches_a_year
        As for stops.
    promise_slack_errors
        Standard errors by which a model may miss its evidence: that is uncertain too.
    promise_min_sessions
        Out-of-sample sessions from which evidence promises anything.
    watch_after_sessions, expires_after_sessions
        Age since the last session learned from.
    drift_sessions, drift_training_sessions
        Newest sessions that are compared, and the newest of the training window they are compared
        with.
    drift_psi
        Population stability index below which nothing has drifted.
    drift_features
        Part of a model's features that must have drifted.
    shadow_versions
        Earlier champions, and as many earlier challengers, whose forecasts are kept each evening.
    baseline
        Whether a ridge fitted on the champion's window is forecast with as well.
    expired
        ``say``: an expired champion trades and is reported as expired; ``refuse``: it does not.
    """

    false_stops_a_year: Fraction
    spent_on_returns: Fraction
    false_life: Fraction
    false_watches_a_year: Fraction
    promise_slack_errors: NotNegative
    promise_min_sessions: Count
    watch_after_sessions: Count
    expires_after_sessions: Count
    drift_sessions: Count
    drift_training_sessions: Count
    drift_psi: NotNegative
    drift_features: Fraction
    shadow_versions: int
    baseline: bool
    expired: Literal["say", "refuse"]

    def stop_wealth(self, name: str) -> float:
        """Wealth against the promise of a series at which a model is stopped."""
        share = self.spent_on_returns if name == "net_return" else 1.0 - self.spent_on_returns
        return 1.0 / (self.false_stops_a_year * share)


@dataclass(frozen=True)
class Health:
    """The answer with its reasons, the worst first.

    Attributes
    ----------
    figures
        What was measured, by name: ``age_sessions``, ``e_promise/rank_ic``, ...
    """

    answer: str
    reasons: tuple[str, ...] = ()
    figures: Mapping[str, float] = field(default_factory=dict)

    @property
    def in_words(self) -> str:
        """Answer and reasons in one line."""
        return f"{self.answer}: {'; '.join(self.reasons)}" if self.reasons else self.answer


def is_stopped(detection: Detection, wealth: float, false_life: float) -> Values:
    """Sessions after which a series stops a model: it breaks its promise and shows no life since.

    A boolean array of the detection's shape.
    """
    is_broken = detection.wealth_against_promise >= wealth
    return np.asarray(is_broken & (detection.better_than_nothing < 1.0 / false_life))


def detection(
    values: Values, promise: Promise, thresholds: Thresholds, sessions: Dates = evidence.UNKNOWN
) -> Detection:
    """Evidence by session against what was promised of a series; known after each session."""
    slack, min_sessions = thresholds.promise_slack_errors, thresholds.promise_min_sessions
    level = promise.level(slack, min_sessions)
    scores = (level - values) / promise.deviation
    raised = (promise.levels(values, slack, min_sessions) - level) / promise.deviation
    above = -evidence.below(values, 0.0, promise.deviation)
    return evidence.detector(scores, above, raised, sessions)


def counted(outcomes: pd.DataFrame, first: str = "") -> pd.DataFrame:
    """Rows of one kind: live ones where there are any, else replays; sorted by session.

    Parameters
    ----------
    outcomes
        Of one model, with columns session and kind.
    first
        Session (``YYYY-MM-DD``) before which none counts.
    """
    is_live = outcomes["kind"] == LIVE
    rows = outcomes[is_live] if is_live.any() else outcomes
    later = rows[rows["session"] >= pd.Timestamp(first)] if first else rows
    return later.sort_values("session", kind="stable").reset_index(drop=True)


def curves(
    outcomes: pd.DataFrame, promises: Mapping[str, Promise], thresholds: Thresholds
) -> pd.DataFrame:
    """What is drawn of a model's life, by session; each value is known after its session.

    Of `outcomes`, one row a session: rank_ic, hit_rate, calibration, net_return and decile_spread;
    rank_ic_mean so far; equity (cumulated growth of 1); and where something was promised the
    e-values ``e_promise_<series>`` and ``e_nothing_<series>``.
    """
    by_session = outcomes.set_index("session")
    drawn = by_session[["rank_ic", "hit_rate", "calibration", "net_return", "decile_spread"]].copy()
    drawn["rank_ic_mean"] = by_session["rank_ic"].expanding().mean()
    drawn["equity"] = (1.0 + by_session["net_return"].fillna(0.0)).cumprod()
    for name in ("rank_ic", "net_return"):
        promise = promises.get(name)
        if promise is None or not promise.is_known:
            continue
        values = by_session[name].to_numpy(np.float64)
        seen = detection(values, promise, thresholds, by_session.index)
        drawn[f"e_promise_{name}"] = seen.wealth_against_promise
        above = -evidence.below(values, 0.0, promise.deviation)
        drawn[f"e_nothing_{name}"] = evidence.wealth(above)
    return drawn


def health(
    outcomes: pd.DataFrame,
    promises: Mapping[str, Promise],
    thresholds: Thresholds,
    *,
    age_sessions: int,
    features: pd.DataFrame | None = None,
    forecasts: pd.DataFrame | None = None,
) -> Health:
    """The health of a model.

    Parameters
    ----------
    outcomes
        Columns session and those of ``SERIES``, of one kind, in order: sessions after the model's
        training end that were forecast before they were known.
    promises
        Of the series, by the names of ``SERIES``.
    age_sessions
        Since the last session learned from.
    features, forecasts
        Of `drift.drift`: of the features the model uses, and of its forecasts.
    """
    answers: list[tuple[str, str]] = [*_of_age(age_sessions, thresholds)]
    figures: dict[str, float] = {"age_sessions": float(age_sessions)}
    for name in ("rank_ic", "net_return"):
        answers += _of_skill(name, outcomes, promises.get(name), thresholds, figures)
    answers += _of_calibration(outcomes, promises.get("calibration"), thresholds, figures)
    answers += _of_drift(features, forecasts, thresholds, figures)
    answer = max((each for each, _ in answers), key=ANSWERS.index, default=HEALTHY)
    ordered = sorted(answers, key=lambda each: -ANSWERS.index(each[0]))
    return Health(answer, tuple(reason for _, reason in ordered), figures)


def _of_age(age: int, limits: Thresholds) -> list[tuple[str, str]]:
    if age > limits.expires_after_sessions:
        allowed = limits.expires_after_sessions
        return [(EXPIRED, f"it last learned {age} sessions ago, {allowed} are allowed")]
    if age > limits.watch_after_sessions:
        left = limits.expires_after_sessions - age
        return [(WATCH, f"it last learned {age} sessions ago and expires in {left}")]
    return []


def _of_skill(
    name: str,
    outcomes: pd.DataFrame,
    promise: Promise | None,
    limits: Thresholds,
    figures: dict[str, float],
) -> list[tuple[str, str]]:
    words = SERIES[name]
    if promise is None or not promise.is_known:
        return [(WATCH, f"nothing is known of the {words} it promised")]
    short = promise.sessions < limits.promise_min_sessions
    findings = (
        [(WATCH, f"its {words} rests on {promise.sessions} sessions, a promise needs "
                 f"{limits.promise_min_sessions}")]
        if short and name == "rank_ic"
        else []
    )  # fmt: skip
    if outcomes[name].isna().all():  # also where there is none
        return findings
    values = outcomes[name].to_numpy(np.float64)
    seen = detection(values, promise, limits, outcomes["session"])
    against_promise, life = seen.wealth_against_promise, seen.better_than_nothing
    nothing = evidence.wealth(-evidence.below(values, 0.0, promise.deviation))
    figures |= {
        f"e_promise/{name}": float(against_promise[-1]),
        f"e_nothing/{name}": float(nothing[-1]),
        f"mean/{name}": float(np.nanmean(values)),
    }  # fmt: skip
    slack, min_sessions = limits.promise_slack_errors, limits.promise_min_sessions
    stops = is_stopped(seen, limits.stop_wealth(name), limits.false_life)
    place = int(np.argmax(stops)) if stops.any() else len(values) - 1
    since = int(seen.since[place])
    level = float(promise.levels(values, slack, min_sessions)[since])
    mean = float(np.nanmean(values[since : place + 1]))
    day, until = (outcomes["session"].iloc[at] for at in (since, place))
    span = f"{place - since + 1} sessions, {day:%Y-%m-%d} to {until:%Y-%m-%d}"
    evidence_words = (
        f"{words} {mean:.4f} over {span}, "
        f"at least {level:.4f} was promised: e-value {against_promise[place]:.1f}"
    )
    if stops.any():
        return [(STOP, f"{evidence_words}, {limits.stop_wealth(name):.1f} stops; and no more than "
                       f"nothing since ({life[place]:.2f})"), *findings]  # fmt: skip
    if mean < level and against_promise[-1] >= 1.0 / limits.false_watches_a_year:
        return [(WATCH, evidence_words), *findings]
    return findings


def _of_calibration(
    outcomes: pd.DataFrame, promise: Promise | None, limits: Thresholds, figures: dict[str, float]
) -> list[tuple[str, str]]:
    """A shift of the slope to either side, each with half of the false watches."""
    if promise is None or not promise.is_known or outcomes.empty:
        return []
    if promise.sessions < limits.promise_min_sessions:
        return []
    values = outcomes["calibration"].to_numpy(np.float64)
    scores = evidence.below(values, promise.mean, promise.deviation)
    sides = {"smaller": scores, "larger": -scores}
    bets = {k: evidence.detector(s, s, None, outcomes["session"]) for k, s in sides.items()}
    wealth = {side: float(bet.wealth_against_promise[-1]) for side, bet in bets.items()}
    side = max(wealth, key=lambda name: wealth[name])
    figures["e_calibration"] = wealth[side]
    if wealth[side] < 2.0 / limits.false_watches_a_year:
        return []
    return [(WATCH, f"returns are {side} for the size of its forecasts than in its evidence: "
                    f"e-value {wealth[side]:.1f}")]  # fmt: skip


def _of_drift(
    features: pd.DataFrame | None,
    forecasts: pd.DataFrame | None,
    limits: Thresholds,
    figures: dict[str, float],
) -> list[tuple[str, str]]:
    findings = []
    if features is not None and len(features):
        share = float(features["drifted"].mean())
        figures |= {"drift/features": share, "drift/psi_max": float(features["psi"].max())}
        if share >= limits.drift_features:
            findings.append((WATCH, f"{share:.0%} of its features lie elsewhere than when "
                                f"it learned (PSI): {drifted_features(features)}"))  # fmt: skip
    if forecasts is not None and len(forecasts):
        figures["drift/forecast_psi"] = float(forecasts["psi"].iloc[0])
        if forecasts["drifted"].any():
            findings.append((WATCH, "its forecasts are spread otherwise than in its evidence: "
                                f"PSI {forecasts['psi'].iloc[0]:.2f}"))  # fmt: skip
    return findings
