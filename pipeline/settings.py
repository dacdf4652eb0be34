"""Typed, frozen view of the composed configuration.

No defaults live here: every value comes from ``conf/``. ``Settings.from_config`` lists *every*
fault of a configuration in one message before any work starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from math import comb
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from pipeline.errors import InvalidSettings

ROOT = Path(__file__).resolve().parents[1]


def _under_root(value: object) -> object:
    return ROOT / Path(value).expanduser() if isinstance(value, str) and value else value


ProjectPath = Annotated[Path, BeforeValidator(_under_root)]
"""A path; a relative one starts at the root of the project, wherever the command was typed."""

Count = Annotated[int, Field(ge=1)]
Bps = Annotated[float, Field(ge=0, le=1000)]
Day = date | None


def _symbols(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Symbols = Annotated[tuple[str, ...] | None, BeforeValidator(_symbols)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Download(Section):
    start: date
    batch_size: Count
    threads: Count
    attempts: Count
    backoff_seconds: Annotated[float, Field(ge=0)]
    timeout_seconds: Annotated[float, Field(gt=0)]
    close_delay_minutes: Annotated[int, Field(ge=0)]
    overlap_sessions: Count


class Columns(Section):
    """Column of the user's files by field; None: recognised by its name."""

    date: str | None
    symbol: str | None
    open: str | None
    high: str | None
    low: str | None
    close: str | None
    volume: str | None
    adjusted_close: str | None
    split: str | None

    @property
    def said(self) -> dict[str, str]:
        """Those that are given."""
        return {name: column for name, column in self if column is not None}


class Data(Section):
    name: Literal["sample", "files", "yfinance"]
    path: ProjectPath | None
    index_path: ProjectPath | None
    symbols_path: ProjectPath | None
    splits_path: ProjectPath | None
    market_index: str | None
    exchange_calendar: str
    download: Download | None
    columns: Columns
    day_first: bool | None
    decimal: Literal[".", ","] | None
    adjust_dividends: bool
    accept: Symbols
    max_withdrawn: Annotated[float, Field(ge=0, le=1)] | None

    @model_validator(mode="after")
    def _files_alone_are_read(self) -> Data:
        if self.name != "files":
            own = ("symbols_path", "splits_path", "day_first", "decimal", "adjust_dividends")
            given = [f"data.{name}" for name in (*own, "accept") if getattr(self, name)]
            given += [f"data.columns.{name}" for name in self.columns.said]
            if given:
                raise ValueError(f"{', '.join(given)}: only with data=files")
        if (self.max_withdrawn is not None) != (self.name == "files"):
            raise ValueError("`max_withdrawn` belongs to data=files, and to no other source")
        if (self.download is not None) != (self.name == "yfinance"):
            raise ValueError("`download` belongs to data=yfinance, and to no other source")
        return self


class Universe(Section):
    name: str
    path: ProjectPath | None


class StoreSettings(Section):
    path: ProjectPath
    snapshots: ProjectPath | None
    lock_timeout_seconds: Annotated[float, Field(ge=0)]

    @property
    def snapshot_root(self) -> Path:
        """Folder of all snapshots."""
        return self.snapshots or self.path.parent / "snapshots"


class Features(Section):
    name: str
    list: bool
    overwrite: bool
    min_history: Annotated[int, Field(ge=40)]
    min_price: Annotated[float, Field(ge=0)]
    min_dollar_volume: Annotated[float, Field(ge=0)]
    session_wide_from_sessions: Count


class Cv(Section):
    target: str = Field(alias="_target_")
    embargo_sessions: Annotated[int, Field(ge=0)]
    label_sessions: Count

    @property
    def gap_sessions(self) -> int:
        """Sessions that keep what is learned from apart from what is predicted after it."""
        return self.embargo_sessions + self.label_sessions - 1


class WalkForwardCv(Cv):
    folds: Annotated[int, Field(ge=2)]
    fold_sessions: Count
    min_train_sessions: Count
    train_sessions: Count | None


class CombinatorialCv(Cv):
    groups: Annotated[int, Field(ge=3)]
    test_groups: Count
    min_group_sessions: Count

    @model_validator(mode="after")
    def _something_is_trained_on(self) -> CombinatorialCv:
        if self.test_groups >= self.groups:
            raise ValueError(f"test_groups must be less than groups, which is {self.groups}")
        if comb(self.groups, self.test_groups) > MOST_FOLDS:
            raise ValueError(f"{comb(self.groups, self.test_groups)} folds; at most {MOST_FOLDS}")
        return self


MOST_FOLDS = 100
"""Fits of one trial above which a combination of groups is a mistake rather than a wish."""


def _splitter(value: Any) -> Any:
    return value.get("_target_") if isinstance(value, Mapping) else getattr(value, "target", None)


Splitter = Annotated[
    Annotated[WalkForwardCv, Tag("pipeline.learning.splits.WalkForward")]
    | Annotated[CombinatorialCv, Tag("pipeline.learning.splits.CombinatorialBySession")],
    Discriminator(_splitter),
]
UNION_TAGS = {
    "<one>",
    "<each>",
    "pipeline.learning.splits.WalkForward",
    "pipeline.learning.splits.CombinatorialBySession",
}
"""Parts of a fault's place that pydantic adds, which are no keys."""


class TargetTreatment(Section):
    winsorise: Annotated[float, Field(ge=0, lt=0.5)]
    relative: Literal["none", "market", "sector"]
    against: tuple[str, ...]
    ranked: bool


class Parameter(Section):
    """One dimension of a search space."""

    type: Literal["float", "int", "categorical"]
    low: float | None = None
    high: float | None = None
    step: float | None = None
    log: bool = False
    choices: tuple[Any, ...] | None = None

    @model_validator(mode="after")
    def _is_complete(self) -> Parameter:
        if self.type == "categorical" and not self.choices:
            raise ValueError("a categorical parameter needs `choices`")
        if self.type != "categorical" and (
            self.low is None or self.high is None or self.low > self.high
        ):
            raise ValueError("a numeric parameter needs `low` <= `high`")
        return self


class LearnerSettings(Section):
    estimator: Mapping[str, Any]
    initial: Mapping[str, Any]
    space: Mapping[str, Parameter]
    scale: bool
    recent_sessions: Count | None

    @model_validator(mode="after")
    def _is_allowed(self) -> LearnerSettings:
        target = str(self.estimator.get("_target_", ""))
        if not target.startswith(("lightgbm.", "sklearn.")):
            raise ValueError(f"_target_ {target!r} must start with lightgbm. or sklearn.")
        return self


Objective = Literal["mae", "mae_relative", "rank_ic", "sharpe_net"]


class Model(Section):
    name: str
    target: TargetTreatment
    weights: Literal["stacked", "equal"]
    objective: Objective
    least_slope: Annotated[float, Field(ge=0, le=1)]
    learners: Mapping[str, LearnerSettings]


def _one_or_each(value: Any) -> str:
    return "<each>" if isinstance(value, Mapping) else "<one>"


Budget = Annotated[
    Annotated[Count, Tag("<one>")] | Annotated[Mapping[str, Count], Tag("<each>")],
    Discriminator(_one_or_each),
]
"""Trials of every learner, or of each by its name."""


class Hpo(Section):
    n_trials: Budget
    batch_size: Count
    sampler: Literal["tpe", "random"]
    pruner: Literal["median", "quartile"] | None
    objective: Objective
    max_rows: Count | None
    early_stopping_sessions: Count | None
    timeout_minutes: Annotated[float, Field(gt=0)] | None
    told_trials: Mapping[str, Count] | None

    def budget(self, learner: str) -> int:
        """Trials asked for a learner that searches something."""
        return self.n_trials[learner] if isinstance(self.n_trials, Mapping) else self.n_trials

    def trials(self, learner: str) -> int:
        """Trials to run for it: the budget, or those once told."""
        return self.budget(learner) if self.told_trials is None else self.told_trials[learner]

    @property
    def timeout_seconds(self) -> float | None:
        """Time budget of the whole search; none where told trials are repeated."""
        if self.timeout_minutes is None or self.told_trials is not None:
            return None
        return self.timeout_minutes * 60


class Evaluation(Section):
    name: Literal["holdout", "walk_forward"]
    start: Day
    refit_every: Count
    search_every: Count
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...]


class Compute(Section):
    workers: Count


NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Part = Annotated[float, Field(gt=0, le=1)]


class Strategy(Section):
    name: str
    sides: Literal["long", "long_short"]
    rank_by: Literal["edge", "net_edge", "edge_over_volatility"]
    min_edge_bps: NotNegative | None
    min_dollar_volume: NotNegative
    max_positions: Count
    max_sector_positions: Count | None
    regime_positions: Mapping[str, Annotated[int, Field(ge=0)]]
    weights: Literal["equal", "edge", "volatility"]
    max_position_fraction: Part
    max_participation: Part | None
    whole_shares: bool
    hedge: Literal["none", "dollar", "beta"]
    hedge_symbol: str | None
    hedge_bps: Bps
    limit_bps: Annotated[float, Field(gt=-10_000)] | None
    stop_atr: Positive | None
    target_atr: Positive | None
    commission_bps: Bps
    commission_per_share: NotNegative
    commission_minimum: NotNegative
    commission_maximum: Part | None
    slippage_bps: Bps
    spread_fraction: Annotated[float, Field(ge=0, le=1)]
    impact: NotNegative
    borrow_bps_a_year: NotNegative

    @model_validator(mode="after")
    def _both_sides_have_a_slot(self) -> Strategy:
        if self.sides == "long_short" and self.max_positions < 2:
            raise ValueError("sides=long_short needs max_positions of 2 or more")
        return self


class Ranged(Section):
    """A section with an optional first and last session."""

    start: Day
    end: Day

    @property
    def first(self) -> pd.Timestamp | None:
        """First day asked for."""
        return None if self.start is None else pd.Timestamp(self.start)

    @property
    def last(self) -> pd.Timestamp | None:
        """Last day asked for."""
        return None if self.end is None else pd.Timestamp(self.end)

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Ranged:
        if self.start and self.end and self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        return self


def _by_dotted_key(value: object) -> object:
    """``{a: {b: [1]}}``, as overrides of single keys leave it, as ``{"a.b": [1]}``."""
    if not isinstance(value, Mapping):
        return {} if value is None else value
    found: dict[str, Any] = {}
    for key, inner in value.items():
        nested = _by_dotted_key(inner) if isinstance(inner, Mapping) else None
        parts = nested if isinstance(nested, Mapping) else {"": inner}
        found |= {f"{key}.{name}".removesuffix("."): part for name, part in parts.items()}
    return found


SweptValues = Annotated[tuple[Any, ...], Field(min_length=1)]


class Backtest(Ranged):
    model: Annotated[str, Field(coerce_numbers_to_str=True)]
    refit: Literal["walk_forward"] | None
    bankroll: Positive
    max_positions: Count
    capacity: tuple[Positive, ...]
    capacity_impact: Positive
    capacity_participation: Part
    sweep: Annotated[Mapping[str, SweptValues | None], BeforeValidator(_by_dotted_key)]

    @property
    def grid(self) -> dict[str, tuple[Any, ...]]:
        """Values of each key that is swept."""
        return {key: values for key, values in self.sweep.items() if values is not None}


class Traded(Section):
    """What a sweep may change."""

    strategy: Strategy
    backtest: Backtest


class Tracking(Section):
    uri: str | None
    experiment_name: Annotated[str, Field(min_length=1)]


class Indicators(Section):
    force: bool


class Regimes(Section):
    days: Count | None
    volatility_window: Annotated[int, Field(ge=20)]
    high_volatility_percentile: Annotated[float, Field(gt=0, lt=100)]
    low_volatility_percentile: Annotated[float, Field(gt=0, lt=100)]
    trending_strength: Annotated[float, Field(ge=0)]
    quiet_strength: Annotated[float, Field(ge=0)]
    high_vix: Annotated[float, Field(gt=0)] | None


class Retrain(Ranged):
    refresh: bool
    window_days: Count
    holdout_days: Count
    expanding: bool


class Promote(Section):
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
    run_id: Annotated[str, Field(pattern="^[0-9a-f]{32}$")] | None
    data: Literal["logged", "current"]


class Audit(Ranged):
    model: Annotated[str, Field(coerce_numbers_to_str=True)] | None
    sessions: Count
    window_days: Count
    holdout_days: Count
    permutations: Count
    max_rows: Count
    suspicious_ic: Annotated[float, Field(gt=0, lt=1)]
    suspicious_t: Annotated[float, Field(gt=0)]


class Signals(Section):
    bankroll: Annotated[float, Field(gt=0)]
    max_stale_fraction: Annotated[float, Field(ge=0, lt=1)]


class Status(Section):
    as_json: bool = Field(alias="json")


class Ui(Section):
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]


class Test(Section):
    arguments: str


class Named(Section):
    """What names symbols: enough to ask the source whether it knows them."""

    data: Data
    universe: Universe
    store: StoreSettings
    symbols: Symbols


class Settings(Named):
    """The whole configuration, checked."""

    seed: Annotated[int, Field(ge=0, lt=2**31)]
    day: Day = Field(alias="date")
    start_date: Day
    end_date: Day
    exchange: str | None

    features: Features
    cv: Splitter
    model: Model
    hpo: Hpo
    evaluation: Evaluation
    compute: Compute
    strategy: Strategy
    backtest: Backtest
    gates: Mapping[str, Any]
    tracking: Tracking

    indicators: Indicators
    regimes: Regimes
    retrain: Retrain
    promote: Promote
    reproduce: Reproduce
    audit: Audit
    signals: Signals
    status: Status
    ui: Ui
    test: Test

    @model_validator(mode="after")
    def _dates_are_in_order(self) -> Settings:
        if self.start_date and self.end_date and self.start_date > self.end_date:
            raise ValueError(f"start_date {self.start_date} lies after end_date {self.end_date}")
        if self.day and (self.start_date or self.end_date):
            raise ValueError("give date, or start_date and end_date, not both")
        return self

    @model_validator(mode="after")
    def _budgets_name_the_learners(self) -> Settings:
        wanted = set(self.model.learners)
        for name in ("n_trials", "told_trials"):
            given = getattr(self.hpo, name)
            if isinstance(given, Mapping) and set(given) != wanted:
                found = f"hpo.{name} names {', '.join(sorted(given))}"
                raise ValueError(f"{found}; the model's learners are {', '.join(sorted(wanted))}")
        return self

    @classmethod
    def from_config(cls, config: Mapping[str, Any], other_faults: Iterable[str] = ()) -> Settings:
        """Check a composed, resolved configuration.

        Raises
        ------
        InvalidSettings
            Naming every fault: its key, the value got and what is allowed.
        """
        faults = list(other_faults)
        try:
            settings = cls.model_validate(config)
        except ValidationError as error:
            faults += faults_of(error)
        if faults:
            raise invalid(faults)
        return settings

    def whole_history(self) -> Settings:
        """These settings with no range, so that data stages do all that is missing."""
        cleared = {"day": None, "start_date": None, "end_date": None, "exchange": None}
        return self.model_copy(update={**cleared, "symbols": None})

    def auditing(self, model: str) -> Settings:
        """These settings for an audit of a registered model."""
        return self.model_copy(update={"audit": self.audit.model_copy(update={"model": model})})

    def without_refresh(self) -> Settings:
        """These settings for a retrain whose data stages ran before."""
        retrain = self.retrain.model_copy(update={"refresh": False})
        return self.model_copy(update={"retrain": retrain})


def invalid(faults: Iterable[str]) -> InvalidSettings:
    """One error for all faults of a configuration."""
    unique = list(dict.fromkeys(faults))
    listed = "".join(f"\n    - {fault}" for fault in unique)
    many = f"{len(unique)} fault{'s' if len(unique) > 1 else ''} in the configuration{listed}"
    show = "python -m pipeline.stages.status --cfg job"
    return InvalidSettings("settings", many, "values as described in conf/", show)


def faults_of(error: ValidationError) -> list[str]:
    """Every fault once, with its key.

    A value that others are made of, such as start_date, is one fault, named once.
    """
    unique = {(repr(d["input"]), d["msg"]): d for d in reversed(error.errors())}
    return [_fault(detail) for detail in reversed(unique.values())]


def _fault(detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"] if part not in UNION_TAGS) or "configuration"
    found = detail["input"]
    got = "" if isinstance(found, Mapping) else f"got {found!r}; "
    return f"{key}: {got}{detail['msg']}"
