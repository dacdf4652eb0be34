"""Typed, frozen view of the composed configuration.

No defaults live here: every value comes from ``conf/``. ``Settings.from_config`` lists *every*
fault of a configuration in one message before any work starts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
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

    @model_validator(mode="after")
    def _files_alone_are_read(self) -> Data:
        if self.name != "files":
            own = ("symbols_path", "splits_path", "day_first", "decimal", "adjust_dividends")
            given = [f"data.{name}" for name in (*own, "accept") if getattr(self, name)]
            given += [f"data.columns.{name}" for name in self.columns.said]
            if given:
                raise ValueError(f"{', '.join(given)}: only with data=files")
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
    target: Annotated[str, Field(pattern=r"^pipeline\.learning\.splits\.", alias="_target_")]
    folds: Annotated[int, Field(ge=2)]
    fold_sessions: Count
    embargo_sessions: Annotated[int, Field(ge=0)]
    min_train_sessions: Count


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

    @model_validator(mode="after")
    def _is_allowed(self) -> LearnerSettings:
        target = str(self.estimator.get("_target_", ""))
        if not target.startswith(("lightgbm.", "sklearn.")):
            raise ValueError(f"_target_ {target!r} must start with lightgbm. or sklearn.")
        return self


class Model(Section):
    name: str
    target: TargetTreatment
    least_slope: Annotated[float, Field(ge=0, le=1)]
    learners: Mapping[str, LearnerSettings]


class Hpo(Section):
    n_trials: Count
    batch_size: Count
    objective: Literal["mae", "mae_relative", "rank_ic", "sharpe_net"]
    max_rows: Count | None
    timeout_minutes: Annotated[float, Field(gt=0)] | None


class Evaluation(Section):
    name: Literal["holdout", "walk_forward"]
    start: Day
    refit_every: Count
    search_every: Count
    learning_curve: tuple[Annotated[float, Field(gt=0, lt=1)], ...]


class Compute(Section):
    workers: Count


class Strategy(Section):
    name: str
    max_positions: Count
    max_position_fraction: Annotated[float, Field(gt=0, le=1)]
    min_edge_bps: Annotated[float, Field(ge=0)] | None
    min_dollar_volume: Annotated[float, Field(ge=0)]
    commission_bps: Bps
    slippage_bps: Bps
    whole_shares: bool
    regime_positions: Mapping[str, Annotated[int, Field(ge=0)]]


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


class Backtest(Ranged):
    model: Annotated[str, Field(coerce_numbers_to_str=True)]
    bankroll: Annotated[float, Field(gt=0)]
    max_positions: Count


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


class Signals(Section):
    bankroll: Annotated[float, Field(gt=0)]


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
    day: Day = Field(validation_alias=AliasChoices("date"))
    start_date: Day
    end_date: Day
    exchange: str | None

    features: Features
    cv: Cv
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
            # A value that others are made of, such as start_date, is one fault, named once.
            unique = {(repr(d["input"]), d["msg"]): d for d in reversed(error.errors())}
            faults += [_fault(detail) for detail in reversed(unique.values())]
        if faults:
            raise invalid(faults)
        return settings

    def whole_history(self) -> Settings:
        """These settings with no range, so that data stages do all that is missing."""
        cleared = {"day": None, "start_date": None, "end_date": None, "exchange": None}
        return self.model_copy(update={**cleared, "symbols": None})

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


def _fault(detail: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in detail["loc"]) or "configuration"
    found = detail["input"]
    got = "" if isinstance(found, Mapping) else f"got {found!r}; "
    return f"{key}: {got}{detail['msg']}"
