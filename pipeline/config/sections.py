"""Sections of the configuration; what a room declares itself stands there.

No defaults live here: every value comes from ``conf/``, where it is described.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from pipeline.config.store_sections import StoreSettings
from pipeline.io.sources.settings import Data, Symbols
from pipeline.learning.learner import Learner
from pipeline.learning.search.plan import ObjectiveName
from pipeline.learning.targets import Target
from pipeline.paths import ProjectPath
from pipeline.recipe.feature_set import RowSelection
from pipeline.recipe.windows import DateRange
from pipeline.secrets import holds_secret
from pipeline.trading.rules import Rules
from pipeline.values import Count, Fraction, Positive, Value

Section = Value


class Universe(Section):
    """Which symbols are traded."""

    name: str
    path: ProjectPath | None
    max_megabytes: Count = 50  # configs of former runs lack it


class Features(RowSelection):
    """The feature set, its rows, and what the stage does with them."""

    name: str
    list: bool
    overwrite: bool
    min_window_for_session_features: Count

    @property
    def rows(self) -> RowSelection:
        """The selection of rows alone."""
        return RowSelection(**{name: getattr(self, name) for name in RowSelection.model_fields})


def _named(learners: object) -> object:
    """Each learner knows the name it has among the others."""
    if not isinstance(learners, Mapping):
        return learners
    return {
        name: {**learner, "name": name} if isinstance(learner, Mapping) else learner
        for name, learner in learners.items()
    }


class Model(Section):
    """The learners, what they forecast and how they are weighed."""

    name: str
    target: Target
    weights: Literal["stacked", "equal"]
    objective: ObjectiveName
    min_slope: Annotated[float, Field(ge=0, le=1)]
    learners: Annotated[Mapping[str, Learner], BeforeValidator(_named)]


class LocalCompute(Section):
    """Threads of the command's own process; decide no number.

    Attributes
    ----------
    workers
        Fits side by side.
    """

    name: Literal["local"]
    workers: Count


class DaskCompute(Section):
    """A Dask cluster; decides no number.

    Attributes
    ----------
    workers, threads
        Of a cluster started here: tasks side by side in all, and in one process.
    address
        Of a scheduler that is there, such as ``tcp://10.0.0.1:8786``; None: a cluster is started
        here and ends with the command.
    jobs
        Of a sweep side by side, each in a process of its own on the command's machine.
    wait_seconds
        How long to wait for a scheduler or a worker that is not there.
    """

    name: Literal["dask"]
    workers: Count
    threads: Count
    jobs: Count
    address: str | None
    wait_seconds: Positive


Compute = Annotated[LocalCompute | DaskCompute, Field(discriminator="name")]


class Strategy(Rules):
    """The rules of a strategy and the name they go by."""

    name: str

    @property
    def rules(self) -> Rules:
        """The rules without their name."""
        return Rules(**self.model_dump(exclude={"name"}))


def _by_dotted_key(value: object) -> object:
    """``{a: {b: [1]}}``, as overrides of single keys leave it, as ``{"a.b": [1]}``."""
    if not isinstance(value, Mapping):
        return {} if value is None else value
    by_key: dict[str, Any] = {}
    for key, inner in value.items():
        nested = _by_dotted_key(inner) if isinstance(inner, Mapping) else None
        parts = nested if isinstance(nested, Mapping) else {"": inner}
        by_key |= {f"{key}.{name}".removesuffix("."): part for name, part in parts.items()}
    return by_key


SweptValues = Annotated[tuple[Any, ...], Field(min_length=1)]


class Backtest(DateRange):
    """Which model is traded on which sessions, and by how much money."""

    model: Annotated[str, Field(coerce_numbers_to_str=True)]
    refit: Literal["walk_forward"] | None
    bankroll: Positive
    max_positions: Count
    capacity: tuple[Positive, ...]
    capacity_impact: Positive
    capacity_participation: Fraction
    capacity_auction_part: Fraction
    sweep: Annotated[Mapping[str, SweptValues | None], BeforeValidator(_by_dotted_key)]

    @property
    def grid(self) -> dict[str, tuple[Any, ...]]:
        """Values of each key that is swept."""
        return {key: values for key, values in self.sweep.items() if values is not None}


def room_for_both_sides(strategy: Strategy, backtest: Backtest) -> None:
    """`backtest.max_positions` decides, so it must suit the strategy's sides as well.

    Raises
    ------
    ValueError
        One position, and both sides.
    """
    if backtest.max_positions < len(strategy.signs):
        raise ValueError("strategy.sides=long_short needs backtest.max_positions of 2 or more")


class Traded(Section):
    """What a sweep may change."""

    strategy: Strategy
    backtest: Backtest

    @property
    def rules(self) -> Rules:
        """The strategy's rules, with the backtest's number of positions."""
        return self.strategy.rules.changed(max_positions=self.backtest.max_positions)

    @model_validator(mode="after")
    def _both_sides_have_a_slot(self) -> Traded:
        room_for_both_sides(self.strategy, self.backtest)
        return self


class Tracking(Section):
    """Where runs are kept."""

    uri: str | None
    server: bool
    experiment_name: Annotated[str, Field(min_length=1)]

    @field_validator("uri")
    @classmethod
    def _holds_no_password(cls, uri: str | None) -> str | None:
        if uri is not None and holds_secret(uri):
            raise ValueError(
                "an address with a password is seen in the list of processes: export it as "
                "MLFLOW_TRACKING_URI, or MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"
            )
        return uri


class Named(Section):
    """What names symbols: enough to ask the source whether it knows them."""

    data: Data
    universe: Universe
    store: StoreSettings
    symbols: Symbols

    @property
    def names_universe(self) -> bool:
        """Whether the symbols given are the whole universe: Yahoo has no other list of them."""
        return bool(self.data.name == "yfinance" and not self.universe.path and self.symbols)


class Requested(Named):
    """Which sessions and symbols a command is asked for."""

    day: date | None = Field(alias="date")
    start_date: date | None
    end_date: date | None
    exchange: str | None
