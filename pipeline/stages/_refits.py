"""Predictions of sessions that a model was fitted on: its recipe, refitted as of earlier dates.

Every fit sees sessions before those it predicts, and no others. The parameters are the version's:
they were chosen on later sessions, which flatters the result; a walk-forward retrain chooses them
anew as of each date.
"""

from __future__ import annotations

import ast
import logging
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import Refused
from pipeline.io import models, tracking
from pipeline.io.store import Store
from pipeline.learning.dataset import Dataset, digest
from pipeline.learning.splits import Step
from pipeline.settings import Settings
from pipeline.stages import _build, _data, _evaluation, _logged, _predictions, _search

log = logging.getLogger("pipeline.backtest")

PARAMETERS = "best."
"""How a retrain names the parameters it chose: ``best.<learner>.<parameter>``."""


def predicted(settings: Settings, store: Store, version: ModelVersion, who: str) -> pd.Series:
    """Forecasts of the sessions asked for, each by a refit on the window before it; logged.

    A command that was killed goes on with the refit it was at.

    Raises
    ------
    Refused
        Sessions without a full window before them are asked for; or the model is one of another
        source, or of features changed since.
    """
    _predictions.check_source(settings, version, who)
    run = mlflow.get_run(str(version.run_id))
    same = _settings_of(settings, run)
    _predictions.check_serves(same, version, who)
    dataset = _data.dataset(same, store, _until(store, same))
    steps = _steps(same, dataset, settings.backtest.first, who)
    chosen = _search.Chosen(_parameters(same, run), weights={}, metrics={}, trials=[])
    until = run.data.tags["window.end"]
    log.info("backtest: %d refits with the parameters chosen until %s", len(steps), until)
    mlflow.set_tags({"refit": "walk_forward", "parameters.chosen_until": until})
    journal = _journal(settings, version, dataset, steps)
    with tracking.timed("refits"):
        parts = list(_evaluation.predicted_steps(same, dataset, steps, chosen, journal))
    tracking.log_table(pd.DataFrame([part.attrs["step"] for part in parts]), "steps")
    for part in parts:
        part.attrs = {}
    joined = pd.concat(parts)[[_evaluation.PREDICTION, _evaluation.TRAINED_UNTIL]]
    models.log_frame(joined, models.PREDICTIONS)
    shutil.rmtree(journal)
    return joined[_evaluation.PREDICTION].astype("float64")


def _settings_of(settings: Settings, run: Run) -> Settings:
    """The version's own settings, over the sessions and by the refit dates asked for here."""
    content = _logged.configuration(settings, run.info.run_id)
    here = settings.model_dump(mode="json", by_alias=True)
    window = content["retrain"]
    if window["start"] and window["end"] and content["evaluation"]["name"] == "holdout":
        first, last = (pd.Timestamp(window[name]) for name in ("start", "end"))
        window["window_days"] = (last - first).days - window["holdout_days"]
    content["retrain"] = window | {"start": None, "end": here["backtest"]["end"]}
    content["evaluation"] = here["evaluation"] | {"start": None, "learning_curve": []}
    return Settings.from_config(content)


def _until(store: Store, same: Settings) -> pd.DatetimeIndex:
    ready, last = store.label_ready_sessions(), same.retrain.last
    return ready if last is None else ready[ready <= last]


def _steps(same: Settings, dataset: Dataset, first: pd.Timestamp | None, who: str) -> list[Step]:
    """One step a refit date, none of them a search."""
    steps = _data.walk_forward_steps(same, dataset.sessions)
    earliest = steps[0].predicted[0]
    if first is not None:
        asked = dataset.sessions[dataset.sessions >= first]
        if asked.empty or asked[0] < earliest:
            raise Refused(
                who,
                f"{(asked < earliest).sum()} of {len(asked)} sessions, {first:%Y-%m-%d} the first, "
                f"lack the {same.retrain.window_days} days before them that the recipe learns from",
                f"sessions from {earliest:%Y-%m-%d} to {dataset.sessions[-1]:%Y-%m-%d}",
                f"mlflow run . -e {who} -P start_date={earliest:%Y-%m-%d} "
                "-P overrides=backtest.refit=walk_forward",
            )
        evaluation = same.evaluation.model_copy(update={"start": first.date()})
        from_first = same.model_copy(update={"evaluation": evaluation})
        steps = _data.walk_forward_steps(from_first, dataset.sessions)
    return [replace(step, search=False) for step in steps]


def _parameters(same: Settings, run: Run) -> dict[str, dict[str, Any]]:
    """What the version's search chose, by learner, as its run logged it."""
    found: dict[str, dict[str, Any]] = {own.name: {} for own in _build.learners(same)}
    for name, text in run.data.params.items():
        if name.startswith(PARAMETERS):
            learner, parameter = name.removeprefix(PARAMETERS).split(".", 1)
            found[learner][parameter] = _value(text)
    return found


def _value(text: str) -> Any:
    """A number, truth value or None as MLflow keeps it, which is as Python writes it; or a text.

    >>> [_value(text) for text in ("0.1", "31", "None", "squared_error")]
    [0.1, 31, None, 'squared_error']
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _journal(
    settings: Settings, version: ModelVersion, dataset: Dataset, steps: Sequence[Step]
) -> Path:
    """Folder of the refits done so far; another one for other data, dates or versions."""
    first, last = steps[0].predicted[0], steps[-1].predicted[-1]
    every = settings.evaluation.refit_every
    name = f"v{version.version}-{digest(dataset)[:12]}-{first:%Y%m%d}-{last:%Y%m%d}-{every}"
    return settings.store.path.parent / "refits" / name
