"""What a retrain learns from and is judged on: windows, rows and their digest."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd

from pipeline.io import process, tracking
from pipeline.io.store import Store
from pipeline.learning import splits
from pipeline.learning.dataset import Dataset, digest
from pipeline.learning.splits import Step
from pipeline.learning.targets import Target
from pipeline.settings import ROOT, Settings
from pipeline.stages import _build, _data, _evidence
from pipeline.stages._recipe import feature_version, recipe, recipe_hash

log = logging.getLogger("pipeline.retrain")

FEW_TO_RANK = 30
"""Symbols a session from which on their order is worth learning."""


@dataclass(frozen=True)
class Work:
    """What a retrain learns from and is judged on.

    Attributes
    ----------
    steps
        Of the evaluation, in order.
    newest
        Sessions of the final refit.
    dataset
        All rows of all of these.
    journal
        Folder of what is done so far; removed when the retrain has ended.
    """

    steps: list[Step]
    newest: pd.DatetimeIndex
    dataset: Dataset
    digest: str
    journal: Path

    @property
    def development(self) -> pd.DatetimeIndex:
        """Sessions the newest evaluated model learned from."""
        return self.steps[-1].development

    @property
    def predicted(self) -> pd.DatetimeIndex:
        """Sessions predicted out of sample that have rows."""
        return self.dataset.sessions[
            (self.dataset.sessions >= self.steps[0].predicted[0])
            & (self.dataset.sessions <= self.steps[-1].predicted[-1])
        ]

    def rows(self, sessions: pd.DatetimeIndex) -> int:
        """Labelled rows of these sessions."""
        return int(self.dataset.row_sessions.isin(sessions).sum())

    @property
    def sentence(self) -> str:
        """The windows in words."""
        parts = {"development": self.development, "holdout": self.predicted}
        if len(self.steps) > 1:
            parts = {"newest development": self.development, "walked forward over": self.predicted}
        return ", ".join(
            f"{name} {part[0]:%Y-%m-%d}..{part[-1]:%Y-%m-%d}"
            f" ({len(part)} sessions, {self.rows(part):,} rows)"
            for name, part in parts.items()
        ) + (f", {len(self.steps)} refits" if len(self.steps) > 1 else "")


def prepared(settings: Settings, store: Store) -> Work:
    """Windows, rows and their digest; logged."""
    asked = settings.retrain
    ready = store.label_ready_sessions()
    if settings.evaluation.name == "walk_forward":
        dataset = _data.dataset(settings, store, _history(settings, ready))
        ready = dataset.sessions  # no window begins with sessions that have no snapshots
        steps = _data.walk_forward_steps(settings, ready)
    else:
        steps = [_data.holdout_step(settings, ready)]
    newest = splits.refit_window(
        ready, asked.window_days, expanding=asked.expanding, end=asked.last
    )
    if settings.evaluation.name == "holdout":
        sessions = steps[0].development.union(steps[0].predicted).union(newest)
        dataset = _data.dataset(settings, store, sessions)
        development = dataset.at(steps[0].development)
        _data.require_rows("retrain", "development", development, _build.splitter(settings))
    total = digest(dataset)
    name = f"{recipe_hash(settings)}-{total[:12]}-{settings.evaluation.name}"
    work = Work(steps, newest, dataset, total, settings.store.path.parent / "retrains" / name)
    _data.require_rows("retrain", "the refit window", dataset.at(newest), _build.splitter(settings))
    log.info("%s", work.sentence)
    for caution in cautions(settings, dataset):
        log.info("%s", caution)
    _log_inputs(settings, work)
    return work


def cautions(settings: Settings, dataset: Dataset) -> Iterator[str]:
    """What a reader should know of a target that these rows do not suit."""
    target = Target(**settings.model.target.model_dump())
    lacking = target.missing(dataset.features.columns)
    if lacking:
        yield (
            f"the target keeps what {' and '.join(lacking)} would explain of it: not among the "
            f"features of {settings.features.name}"
        )
    symbols = int(np.median(np.bincount(dataset.session_codes)))
    if target.ranked and symbols < FEW_TO_RANK:
        yield (
            f"model={settings.model.name} learns the order of the symbols, of which a session has "
            f"{symbols}: for fewer than {FEW_TO_RANK} choose features=classic"
        )


def _history(settings: Settings, ready: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """All sessions a walk-forward may learn from or predict."""
    first, last = settings.retrain.first, settings.retrain.last
    ready = ready if first is None else ready[ready >= first]
    return ready if last is None else ready[ready <= last]


def _log_inputs(settings: Settings, work: Work) -> None:
    content = settings.model_dump(mode="json", by_alias=True)
    content["model"].pop("learners")  # their spaces would bury what people compare: config.yaml
    tracking.log_settings(
        content,
        ("seed", "data", "universe", "features", "cv", "model", "hpo", "evaluation", "strategy",
         "backtest", "retrain"),
    )  # fmt: skip
    mlflow.log_dict(recipe(settings), "recipe.json")
    development = work.dataset.at(work.development)
    dropped = work.dataset.dropped
    mlflow.log_metrics(
        {
            "data/rows": len(development.returns),
            "data/sessions": len(development.sessions),
            "data/symbols": development.features.index.get_level_values("symbol").nunique(),
            "data/dropped_rows": sum(dropped.values()),
            **{tracking.metric_name("data/dropped", reason): n for reason, n in dropped.items()},
        }
    )
    mlflow.set_tags(
        {
            **process.git_state(ROOT),
            **process.environment(ROOT),
            "recipe": recipe_hash(settings),
            "feature_set": settings.features.name,
            "feature_version": feature_version(settings),
            "data_source": settings.data.name,
            "universe": settings.universe.name,
            "evaluation": settings.evaluation.name,
            "data_digest": work.digest,
            "window.start": f"{work.development[0]:%Y-%m-%d}",
            "window.end": f"{work.development[-1]:%Y-%m-%d}",
            _evidence.FIRST_TAG: f"{work.predicted[0]:%Y-%m-%d}",
            _evidence.LAST_TAG: f"{work.predicted[-1]:%Y-%m-%d}",
        }
    )
    for context, part in (("development", work.development), ("holdout", work.predicted)):
        tracking.log_dataset(settings.data.name, digest(work.dataset.at(part)), context)
