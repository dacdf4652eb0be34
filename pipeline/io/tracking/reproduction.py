"""The run that is done again: which it is, and what differs here from what it recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.commands import Command
from pipeline.contract import Artifacts, Tags
from pipeline.errors import NotReady, Refused
from pipeline.io import process
from pipeline.io.tracking import models, runs
from pipeline.io.tracking.values import FinishedRun
from pipeline.paths import ROOT
from pipeline.recipe.data import RetrainData


def original_retrain(run_id: str | None) -> FinishedRun:
    """A finished retrain, by default the newest.

    Raises
    ------
    NotReady
        There is none, or none of this id.
    """
    finished = runs.search("attributes.status = 'FINISHED' and tags.stage = 'retrain'")
    chosen = [run for run in finished if run_id in (None, run.info.run_id)]
    if not chosen:
        raise NotReady(
            "reproduce",
            f"no finished retrain {run_id}" if run_id else "no finished retrain",
            "the run id of one of: " + (", ".join(r.info.run_id for r in finished[:5]) or "none"),
            Command("retrain"),
        )
    return FinishedRun.of(chosen[0])


def differing_code(features: Mapping[str, str], original: FinishedRun) -> dict[str, str]:
    """What differs in code, versions and definitions, in words by name.

    Parameters
    ----------
    features
        Hash by name of the recipe's features, as they are defined now.
    """
    tags = original.tags
    differences = {
        name: f"was {tags.get(name, 'not recorded')}, is {value}"
        for name, value in (process.git_state(ROOT) | process.environment(ROOT)).items()
        if tags.get(name) != value
    }
    before = models.features_of_run(original.run_id)
    changed = sorted(
        name for name in before.keys() | features.keys() if before.get(name) != features.get(name)
    )
    if changed:
        words = f"{len(changed)} defined otherwise: {', '.join(changed[:5])}"
        differences["features"] = words
    return differences


def differing_data(original: FinishedRun, data: RetrainData, *, is_allowed: bool) -> dict[str, str]:
    """What differs in the rows that are learned from; empty where nothing does.

    Raises
    ------
    Refused
        They differ, and that is not allowed.
    """
    logged = original.tags[Tags.DATA_DIGEST]
    if data.digest == logged:
        return {}
    words = f"was {logged}, is {data.digest} ({len(data.dataset.returns):,} rows now)"
    if is_allowed:
        return {"data": words}
    raise Refused(
        "reproduce",
        f"the data digest {words}: bars, features or their definitions changed since",
        "the store as it was, or the word to compare with what it holds now",
        Command("reproduce", "reproduce.data=current"),
    )


def worst_prediction(original: FinishedRun, model: Pipeline) -> float:
    """Largest distance between the refitted model's predictions and the kept ones."""
    run_id = original.run_id
    inputs = runs.read_frame(run_id, Artifacts.CHECK_INPUTS)
    expected = runs.read_frame(run_id, Artifacts.CHECK_PREDICTIONS)["prediction"]
    return float(np.abs(model.predict(inputs) - expected.to_numpy()).max())
