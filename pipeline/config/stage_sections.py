"""Sections of the configuration that belong to one stage each; the others are in ``sections``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, model_validator

from pipeline.paths import ProjectPath
from pipeline.recipe.feature_set import RegimeLimits
from pipeline.recipe.windows import DateRange, RetrainWindow
from pipeline.values import Count, Fraction, Positive, Value

Section = Value


class Indicators(Section):
    """What the stage of indicators does."""

    force: bool


class Regimes(RegimeLimits):
    """How regimes are determined, and which of them are calculated."""

    days: Count | None

    @property
    def limits(self) -> RegimeLimits:
        """The limits alone."""
        return RegimeLimits(**self.model_dump(exclude={"days"}))


class Retrain(RetrainWindow):
    """The windows of a retrain, and whether the data stages run before it."""

    refresh: bool

    @property
    def window(self) -> RetrainWindow:
        """The windows alone."""
        return RetrainWindow(**self.model_dump(exclude={"refresh"}))


class Registry(Section):
    """Which registered model is worked with."""

    model: Annotated[str, Field(pattern=r"^[\w .@+-]{1,200}$")]
    challenger: bool


class Promote(Section):
    """Which version is promoted, and why."""

    version: Count | None
    force: bool
    reason: str | None
    history: bool

    @model_validator(mode="after")
    def _force_has_a_reason(self) -> Promote:
        if self.force and not (self.reason or "").strip():
            raise ValueError('promote.force=true needs promote.reason="..."')
        return self


class Reproduce(Section):
    """Which retrain is done again."""

    run_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None
    data: Literal["logged", "current"]


class Audit(DateRange):
    """What is audited, and what is too good to be true."""

    model: Annotated[str, Field(coerce_numbers_to_str=True)] | None
    seed: Annotated[int, Field(ge=0)] | None
    sessions: Count
    dates: Count | None
    symbols: Count
    window_days: Count
    holdout_days: Count
    permutations: Count
    max_rows: Count
    suspicious_ic: Annotated[float, Field(gt=0, lt=1)]
    suspicious_t: Annotated[float, Field(gt=0)]


class Signals(Section):
    """What a session's orders are sized by."""

    bankroll: Annotated[float, Field(gt=0)]
    max_stale_fraction: Annotated[float, Field(ge=0, lt=1)]
    unproven_rules: Literal["refuse", "say"]


class Morning(Section):
    """Which quotes orders are made of, and which of them are believed."""

    quotes: str | None
    max_age_minutes: Positive
    max_gap: Positive
    min_quoted: Fraction
    folder: ProjectPath
    now: AwareDatetime | None
    max_megabytes: Count = 50  # configs of former runs lack it


class Quarantine(Section):
    """Which quarantined bars are shown."""

    rule: str | None = None  # configs of former runs lack these three
    rows: Count = 50
    path: ProjectPath | None = None


class Status(Section):
    """How the status is printed, and whether all that is kept is read again."""

    as_json: bool = Field(alias="json")
    deep: bool


class Ui(Section):
    """Where the MLflow UI listens."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Serve(Section):
    """Where the model server listens."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Predict(Section):
    """Which model forecasts, and where to."""

    model: Annotated[str, Field(coerce_numbers_to_str=True)]
    path: ProjectPath | None


class Reconcile(Section):
    """What a broker filled."""

    fills: ProjectPath | None


class Test(Section):
    """What pytest is called with."""

    arguments: str
