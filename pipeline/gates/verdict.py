"""What the gates answer to the metrics of a run, and what the answers add up to.

A gate compares one metric with a threshold and answers pass, fail or not enough evidence. The
verdict follows from the required gates alone.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping

import pandas as pd

from pipeline.contract import Tags
from pipeline.gates.gates import Answer, Gate, GateResult, Gates, Verdict

SESSIONS = "backtest/sessions"
TRADES = "backtest/trades"
MIN_SESSIONS = "min_sessions"
REJECTED: Verdict = "rejected"
GATE_TAGS = {
    Answer.PASS: Tags.GATES_PASSED,
    Answer.FAIL: Tags.GATES_FAILED,
    Answer.UNKNOWN: Tags.GATES_UNKNOWN,
}

OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def evaluate(metrics: Mapping[str, float], gates: Gates) -> list[GateResult]:
    """Answer of every gate, that of ``min_sessions`` first.

    Parameters
    ----------
    metrics
        Metrics of the run that holds the evidence. Absent and NaN both mean unknown.
    gates
        In the order of the answers.
    """
    sessions = int(_known(metrics, SESSIONS, 0.0))
    results = [
        _result(name, gate, metrics, sessions, gates.min_sessions)
        for name, gate in gates.named.items()
    ]
    return [_enough_sessions(sessions, gates.min_sessions), *results]


def unmeasured_excuses(metrics: Mapping[str, float], gates: Gates) -> set[str]:
    """Metrics that were never measured, but would excuse a gate's value that is too good.

    Examples
    --------
    >>> gate = {"metric": "test/r2", "operator": "<=", "threshold": 0.08, "unless": "audit/passed"}
    >>> gates = Gates.model_validate({
    ...     "min_sessions": 1, "evidence_max_age_sessions": 63,
    ...     "no_leak_suspected": {**gate, "when_unknown": "refuse", "required": True},
    ... })
    >>> unmeasured_excuses({"test/r2": 0.1}, gates)
    {'audit/passed'}
    >>> unmeasured_excuses({"test/r2": 0.1, "audit/passed": 0.0}, gates)
    set()
    """
    return {_excuse(gate, metrics) for gate in gates.named.values()} - {""}


def _excuse(gate: Gate, metrics: Mapping[str, float]) -> str:
    value = _known(metrics, gate.metric)
    is_open = gate.unless is not None and math.isnan(_known(metrics, gate.unless))
    if not is_open or math.isnan(value) or OPERATORS[gate.operator](value, gate.threshold):
        return ""
    return str(gate.unless)


def verdict(results: Iterable[GateResult]) -> Verdict:
    """What the decisive answers add up to: one fail rejects, one unknown is not enough.

    Without any decisive answer nothing was shown, which is not enough evidence either.
    """
    answers = {result.answer for result in results if result.decisive}
    if Answer.FAIL in answers:
        return REJECTED
    return "accepted" if answers == {Answer.PASS} else "not enough evidence"


def gate_table(results: Iterable[GateResult]) -> pd.DataFrame:
    """The answers as a table for people, one row a gate in their order.

    Returns
    -------
    pd.DataFrame
        gate, answer, decides ("yes" or "no"), value and threshold in the metric's own unit (value
        NaN where it is unknown), sessions behind the value, explanation in words.
    """
    return pd.DataFrame(
        {
            "gate": result.name,
            "answer": str(result.answer),
            "decides": "yes" if result.decisive else "no",
            "value": result.value,
            "threshold": result.threshold,
            "sessions": result.sessions,
            "explanation": result.explanation,
        }
        for result in results
    )


def gate_tags(results: Iterable[GateResult]) -> dict[str, str]:
    """Which deciding gates pass, fail and do not know, as tags of a model version."""
    by_answer: dict[Answer, list[str]] = {answer: [] for answer in GATE_TAGS}
    for result in results:
        if result.decisive:
            by_answer[result.answer].append(result.name)
    return {GATE_TAGS[answer]: ", ".join(names) or "none" for answer, names in by_answer.items()}


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
    name: str, gate: Gate, metrics: Mapping[str, float], sessions: int, min_sessions: int
) -> GateResult:
    answer, explanation = _answer(gate, metrics, sessions, min_sessions)
    ignored = answer is Answer.UNKNOWN and gate.when_unknown == "ignore"
    return GateResult(
        name=name,
        answer=answer,
        value=_known(metrics, gate.metric),
        threshold=gate.threshold,
        sessions=sessions,
        explanation=f"{explanation} (ignored)" if ignored else explanation,
        decisive=gate.required and not ignored,
        excuse=_excuse(gate, metrics),
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
