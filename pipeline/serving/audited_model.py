"""What an audit looks at of a registered version: its stored predictions, and what it serves."""

from __future__ import annotations

from functools import partial

import pandas as pd

from pipeline.audit import model
from pipeline.audit.checks import CheckResult
from pipeline.contract import Artifacts, Tags
from pipeline.io.tracking import runs, safe_models
from pipeline.io.tracking.values import ModelVersion
from pipeline.learning.models import predictions
from pipeline.recipe.steps import TRAINED_UNTIL
from pipeline.schemas import ROW
from pipeline.serving import versions


def out_of_sample(version: ModelVersion) -> CheckResult:
    """Stored predictions against the last session that the model of each learned from."""
    stored = versions.stored(version)
    tags = runs.tags_of(version.run_id)
    trained_until = None
    if TRAINED_UNTIL in stored:
        trained_until = pd.DatetimeIndex(stored[TRAINED_UNTIL])
    elif tags.get(Tags.EVALUATION) == "holdout":
        trained_until = pd.DatetimeIndex([tags[Tags.WINDOW_END]]).repeat(len(stored))
    return model.out_of_sample(stored.index, trained_until)


def served(version: ModelVersion) -> CheckResult:
    """The registered model against the predictions that were stored with it."""
    run_id = str(version.run_id)
    stored = runs.read_frame(run_id, Artifacts.CHECK_PREDICTIONS).set_index(ROW)
    inputs = runs.read_frame(run_id, Artifacts.CHECK_INPUTS)
    return model.served(stored, inputs, partial(predictions, safe_models.load(version)))
