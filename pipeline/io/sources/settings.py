"""What config says of a source of bars: one model a source, so that a key exists where it means
something.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pipeline.paths import ProjectPath

Count = Annotated[int, Field(ge=1)]


def _words(value: object) -> object:
    return value.replace(",", " ").split() if isinstance(value, str) else value


Symbols = Annotated[tuple[str, ...] | None, BeforeValidator(_words)]
"""Symbols as a list, or as words of one text."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Download(_Frozen):
    """How Yahoo is queried; each value is described in ``conf/data/yfinance.yaml``."""

    start: date
    batch_size: Count
    threads: Count
    attempts: Count
    backoff_seconds: Annotated[float, Field(ge=0)]
    timeout_seconds: Annotated[float, Field(gt=0)]
    close_delay_minutes: Annotated[int, Field(ge=0)]
    overlap_sessions: Count
    earnings_days: Count | None = 7  # configs of former runs lack it


ColumnName = Annotated[str | None, BeforeValidator(lambda v: str(v) if type(v) is int else v)]


class Columns(_Frozen):
    """Column of the user's files by field, its name or its place; None: recognised by its name."""

    date: ColumnName
    symbol: ColumnName
    open: ColumnName
    high: ColumnName
    low: ColumnName
    close: ColumnName
    volume: ColumnName
    adjusted_close: ColumnName
    split: ColumnName

    @property
    def given(self) -> dict[str, str]:
        """Those that are given."""
        return {name: column for name, column in self if column is not None}

    @property
    def are_places(self) -> bool:
        """Whether they are given by their places, from 1 on: as files without a header need it."""
        return bool(self.given) and all(column.isdecimal() for column in self.given.values())


class _Source(_Frozen):
    """What config says of every source."""

    market_index: str | None
    exchange_calendar: str


class SampleData(_Source):
    """The embedded sample."""

    name: Literal["sample"]

    download: ClassVar[None] = None
    """It gives all it has each time."""

    max_withdrawn: ClassVar[None] = None
    """Nothing of it is withdrawn."""


class FilesData(_Source):
    """The user's own files; each value is described in ``conf/data/files.yaml``."""

    name: Literal["files"]
    path: ProjectPath | None
    index_path: ProjectPath | None
    symbols_path: ProjectPath | None
    splits_path: ProjectPath | None
    columns: Columns
    day_first: bool | None
    decimal: Literal[".", ","] | None
    adjust_dividends: bool
    accept: Symbols
    max_withdrawn: Annotated[float, Field(ge=0, le=1)]
    max_megabytes: Count = 4000  # configs of former runs lack it
    max_field_characters: Count = 1000  # configs of former runs lack it

    download: ClassVar[None] = None
    """It gives all it has each time."""


class YahooData(_Source):
    """Yahoo Finance."""

    name: Literal["yfinance"]
    download: Download

    max_withdrawn: ClassVar[None] = None
    """Nothing of it is withdrawn."""


_MODELS: Mapping[str, type[_Source]] = {
    "sample": SampleData,
    "files": FilesData,
    "yfinance": YahooData,
}


def own_keys(value: Any) -> Any:
    """`value` without empty keys of other sources, which configs of earlier versions name.

    Raises
    ------
    ValueError
        Another source's key has a value; all of them are named in one message.
    """
    if not isinstance(value, Mapping):
        return value
    model = _MODELS.get(str(value.get("name")))
    if model is None:
        return value
    foreign: dict[str, list[str]] = {}
    content = dict(value)
    for key in [key for key in value if key not in model.model_fields]:
        owner = next((name for name, other in _MODELS.items() if key in other.model_fields), None)
        if owner is None:
            continue  # pydantic names it
        given = _given(f"data.{key}", content.pop(key))
        if given:
            foreign.setdefault(owner, []).extend(given)
    if foreign:
        faults = [f"{', '.join(keys)}: only with data={name}" for name, keys in foreign.items()]
        raise ValueError("; ".join(faults))
    return content


def _given(key: str, value: Any) -> list[str]:
    """Keys below `key` that have a value."""
    if isinstance(value, Mapping):
        return [name for inner, part in value.items() for name in _given(f"{key}.{inner}", part)]
    return [key] if value or (value == 0 and value is not False) else []


Data = Annotated[
    Annotated[SampleData | FilesData | YahooData, Field(discriminator="name")],
    BeforeValidator(own_keys),
]
"""The chosen source, by ``data.name``."""
