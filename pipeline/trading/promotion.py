"""Gates between a challenger and the champion: what was shown, and what was not.

A gate compares one metric of a run with a threshold and answers pass, fail or not enough
evidence. The verdict follows from the required gates alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Literal

from pipeline.errors import InvalidSettings

SESSIONS = "backtest/sessions"
TRADES = "backtest/trades"
MIN_SESSIONS = "min_sessions"

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
WHEN_UNKNOWN = ("refuse", "ignore")

Verdict = Literal["accepted", "rejected", "not enough evidence"]


class Answer(StrEnum):
    """Answer of a gate; the unknown is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "not enough evidence"


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One condition on one metric.

    Parameters
    ----------
    name, metric
        Of the gate, and of the metric it looks at.
    operator, threshold
        The metric passes where ``metric operator threshold`` holds.
    when_unknown
        "refuse": an unknown value stands in the way; "ignore": it does not.
    required
        False: shown, decides nothing.
    unless
        Name of another metric that must be 1 where the condition does not hold: the gate of a
        result too good to be true, for example ``audit/passed``. Such a gate looks for faults,
        not for evidence, and so answers however few the sessions are.
    """

    name: str
    metric: str
    operator: str
    threshold: float
    when_unknown: str
    required: bool
    unless: str | None = None


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """Answer of one gate.

    Attributes
    ----------
    name, answer
        Of the gate.
    value, threshold
        NaN where the value is unknown.
    sessions
        Sessions out of sample behind the value.
    explanation
        One sentence for people.
    decisive
        Whether the verdict depends on this answer.
    """

    name: str
    answer: Answer
    value: float
    threshold: float
    sessions: int
    explanation: str
    decisive: bool


def gates(config: Mapping[str, Any]) -> tuple[Gate, ...]:
    """Gates of a config group: every entry that is itself a mapping; numbers are passed over.

    Raises
    ------
    InvalidSettings
        Listing everything that is missing, unknown or impossible.
    """
    entries = {name: dict(entry) for name, entry in config.items() if isinstance(entry, Mapping)}
    faults = [] if MIN_SESSIONS in config else [f"{MIN_SESSIONS} is missing"]
    faults += [fault for name, entry in entries.items() for fault in _faults(name, entry)]
    if faults:
        raise InvalidSettings("gates", "; ".join(faults), "gates of the shape in conf/gates/")
    return tuple(Gate(name=name, **entry) for name, entry in entries.items())


def _faults(name: str, entry: Mapping[str, Any]) -> list[str]:
    allowed = {field.name for field in fields(Gate)} - {"name"}
    faults = [f"{name}.{key} is missing" for key in sorted(allowed - {"unless"} - entry.keys())]
    faults += [f"{name}.{key} is unknown" for key in sorted(entry.keys() - allowed)]
    for key, choices in (("operator", tuple(OPERATORS)), ("when_unknown", WHEN_UNKNOWN)):
        if key in entry and entry[key] not in choices:
            faults.append(f"{name}.{key} is {entry[key]!r}, not one of {', '.join(choices)}")
    if not isinstance(entry.get("threshold", 0.0), int | float):
        faults.append(f"{name}.threshold is {entry['threshold']!r}, not a number")
    return faults


def evaluate(metrics: Mapping[str, float], thresholds: Mapping[str, Any]) -> list[GateResult]:
    """Answer of every gate, that of ``min_sessions`` first.

    Parameters
    ----------
    metrics
        Metrics of the run that holds the evidence. Absent and NaN both mean unknown.
    thresholds
        The config group: ``min_sessions`` and one mapping per gate, see ``Gate``.

    Returns
    -------
    list[GateResult]
        In the order of the config.
    """
    conditions = gates(thresholds)
    sessions, needed = int(_known(metrics, SESSIONS, 0.0)), int(thresholds[MIN_SESSIONS])
    results = [_result(gate, metrics, sessions, needed) for gate in conditions]
    return [_enough_sessions(sessions, needed), *results]


def unmeasured_excuses(metrics: Mapping[str, float], thresholds: Mapping[str, Any]) -> set[str]:
    """Metrics that were never measured, but would excuse a gate's value that is too good.

    Examples
    --------
    >>> gate = {"metric": "test/r2", "operator": "<=", "threshold": 0.08, "unless": "audit/passed"}
    >>> config = {"min_sessions": 1, "g": {**gate, "when_unknown": "refuse", "required": True}}
    >>> unmeasured_excuses({"test/r2": 0.1}, config)
    {'audit/passed'}
    >>> unmeasured_excuses({"test/r2": 0.1, "audit/passed": 0.0}, config)
    set()
    """
    return {
        gate.unless
        for gate in gates(thresholds)
        if gate.unless is not None
        and math.isnan(_known(metrics, gate.unless))
        and not math.isnan(value := _known(metrics, gate.metric))
        and not OPERATORS[gate.operator](value, gate.threshold)
    }


def verdict(results: Iterable[GateResult]) -> Verdict:
    """What the decisive answers add up to: one fail rejects, one unknown is not enough.

    Without any decisive answer nothing was shown, which is not enough evidence either.
    """
    answers = {result.answer for result in results if result.decisive}
    if Answer.FAIL in answers:
        return "rejected"
    return "accepted" if answers == {Answer.PASS} else "not enough evidence"


def _known(metrics: Mapping[str, float], name: str, otherwise: float = math.nan) -> float:
    value = float(metrics.get(name, math.nan))
    return otherwise if math.isnan(value) else value


def _enough_sessions(sessions: int, needed: int) -> GateResult:
    return GateResult(
        name=MIN_SESSIONS,
        answer=Answer.PASS if sessions >= needed else Answer.UNKNOWN,
        value=float(sessions),
        threshold=float(needed),
        sessions=sessions,
        explanation=f"{sessions} sessions out of sample, needed at least {needed}",
        decisive=True,
    )


def _result(
    gate: Gate, metrics: Mapping[str, float], sessions: int, min_sessions: int
) -> GateResult:
    answer, explanation = _answer(gate, metrics, sessions, min_sessions)
    ignored = answer is Answer.UNKNOWN and gate.when_unknown == "ignore"
    return GateResult(
        name=gate.name,
        answer=answer,
        value=_known(metrics, gate.metric),
        threshold=float(gate.threshold),
        sessions=sessions,
        explanation=f"{explanation} (ignored)" if ignored else explanation,
        decisive=gate.required and not ignored,
    )


def _answer(
    gate: Gate, metrics: Mapping[str, float], sessions: int, min_sessions: int
) -> tuple[Answer, str]:
    value = _known(metrics, gate.metric)
    if sessions < min_sessions and gate.unless is None:
        return Answer.UNKNOWN, f"{sessions} sessions are less than {min_sessions}"
    if math.isnan(value):
        return _unknown(gate, metrics)
    comparison = f"{gate.metric} is {value:.4g}, needed {gate.operator} {gate.threshold:g}"
    if OPERATORS[gate.operator](value, gate.threshold):
        return Answer.PASS, comparison
    if gate.unless is None:
        return Answer.FAIL, comparison
    return _excused(gate.unless, metrics, comparison)


def _unknown(gate: Gate, metrics: Mapping[str, float]) -> tuple[Answer, str]:
    if gate.metric.startswith("backtest/") and _known(metrics, TRADES) == 0.0:
        return Answer.FAIL, "no trades"
    state = "is undefined" if gate.metric in metrics else "was not measured"
    return Answer.UNKNOWN, f"{gate.metric} {state}"


def _excused(unless: str, metrics: Mapping[str, float], comparison: str) -> tuple[Answer, str]:
    if _known(metrics, unless) == 1.0:
        return Answer.PASS, f"{comparison}, but {unless} is 1"
    stage = unless.partition("/")[0]
    return Answer.FAIL, f"{comparison}: too good to be true until `{stage}` has passed"
