"""What other rooms see of MLflow: plain values, as they were when they were asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pipeline.contract import renamed


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model.

    Attributes
    ----------
    name
        Of the registered model.
    version
        Its number.
    run_id
        Of the run that made it; empty where it has none.
    source
        Where its files are.
    """

    name: str
    version: str
    run_id: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    source: str = ""
    description: str = ""

    @classmethod
    def of(cls, entity: Any) -> ModelVersion:
        """From MLflow's own."""
        return cls(
            str(entity.name), str(entity.version), str(entity.run_id or ""), dict(entity.tags),
            str(entity.source or ""), str(entity.description or ""),
        )  # fmt: skip


@dataclass(frozen=True)
class FinishedRun:
    """A run that was made before.

    Attributes
    ----------
    metrics, tags
        Of their last values, under today's names.
    """

    run_id: str
    metrics: Mapping[str, float]
    tags: Mapping[str, str]

    @classmethod
    def of(cls, entity: Any) -> Self:
        """From MLflow's own."""
        metrics, tags = renamed(entity.data.metrics), renamed(entity.data.tags)
        return cls(str(entity.info.run_id), metrics, tags)
