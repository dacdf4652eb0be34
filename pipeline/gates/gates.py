"""Gates, conditions on the metrics of a run as ``conf/gates/`` states them, and their answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
)

Verdict = Literal["accepted", "rejected", "not enough evidence"]
Metric = Annotated[str, Field(min_length=1)]
SessionCount = Annotated[int, Field(ge=0)]

MAX_TAG = 4000
"""Characters that MLflow takes in a tag of a version, with room to spare."""


class Gate(BaseModel):
    """One condition on one metric.

    Values are taken as they are written: a text is no number and a number no yes or no.

    Parameters
    ----------
    metric
        Name of the metric that is looked at.
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

    Raises
    ------
    pydantic.ValidationError
        Listing every key that is missing, unknown or impossible.

    Examples
    --------
    >>> gate = Gate(
    ...     metric="test/r2", operator=">", threshold=0, when_unknown="refuse", required=True
    ... )
    >>> gate.model_dump()["threshold"]
    0.0
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    metric: Metric
    operator: Literal[">", ">=", "<", "<="]
    threshold: Annotated[float, Field(allow_inf_nan=False)]
    when_unknown: Literal["refuse", "ignore"]
    required: bool
    unless: Metric | None = None

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The mapping the gate was made of: without ``unless`` where it was not given."""
        content: dict[str, Any] = handler(self)
        if "unless" not in self.model_fields_set:
            content.pop("unless", None)
        return content


class Gates(BaseModel):
    """All gates of a config group, in its order; every other key names a gate.

    Parameters
    ----------
    name
        Of the file in ``conf/gates`` that they were read from; None: not recorded, as in runs of
        older releases.
    min_sessions
        Sessions out of sample; with fewer no gate is passed.
    evidence_max_age_sessions
        Of the evidence that a promotion looks at: label-ready sessions since it ended.

    Raises
    ------
    pydantic.ValidationError
        Listing every fault of every gate.
    """

    model_config = ConfigDict(frozen=True, extra="allow")
    __pydantic_extra__: dict[str, Gate] = Field(init=False)

    name: Metric | None = None
    min_sessions: SessionCount
    evidence_max_age_sessions: SessionCount

    @model_serializer(mode="wrap")
    def _as_given(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The mapping the gates were made of: without ``name`` where it was not given."""
        content: dict[str, Any] = handler(self)
        if "name" not in self.model_fields_set:
            content.pop("name", None)
        return content

    @property
    def named(self) -> Mapping[str, Gate]:
        """The gates by name, in the order of the config."""
        return self.__pydantic_extra__

    def look_at(self, metric: str) -> bool:
        """Whether a gate needs this metric, to decide or to be shown."""
        return any(metric in (gate.metric, gate.unless) for gate in self.named.values())

    def overridden(self, shipped: Gates | None) -> dict[str, str]:
        """What differs from the gates as their file has them: by name, both in words.

        Parameters
        ----------
        shipped
            Of that file; None: there is none, so nothing of them is shipped.
        """
        now = _by_name(self)
        before = {} if shipped is None else _by_name(shipped)
        return {
            name: f"{now.get(name, 'none')} (as shipped: {before.get(name, 'none')})"
            for name in {**before, **now}
            if now.get(name) != before.get(name)
        }


def in_words(overridden: Mapping[str, str]) -> str:
    """What `Gates.overridden` found, as a tag of a version takes it."""
    return "; ".join(f"{name}: {words}" for name, words in overridden.items())[:MAX_TAG]


def _by_name(gates: Gates) -> dict[str, str]:
    """Every limit and gate by its name."""
    limits = ("min_sessions", "evidence_max_age_sessions")
    words = {name: str(getattr(gates, name)) for name in limits}
    for name, gate in gates.named.items():
        unless = f" unless {gate.unless}" if gate.unless else ""
        decides = "required" if gate.required else "shown"
        words[name] = (
            f"{gate.metric} {gate.operator} {gate.threshold:g}{unless}, {decides}, "
            f"unknown: {gate.when_unknown}"
        )
    return words


class Answer(StrEnum):
    """Answer of a gate; the unknown is never a pass."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "not enough evidence"


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """Answer of one gate.

    Attributes
    ----------
    name, answer
        Of the gate.
    value, threshold
        Value of the metric, NaN where it is unknown, and what it is compared with.
    sessions
        Sessions out of sample behind the value.
    explanation
        One sentence for people.
    decisive
        Whether the verdict depends on this answer.
    excuse
        The metric that would excuse a value that is too good, not measured so far; else empty.
    """

    name: str
    answer: Answer
    value: float
    threshold: float
    sessions: int
    explanation: str
    decisive: bool
    excuse: str = ""
