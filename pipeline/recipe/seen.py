"""What a recipe sees when it is decided, and what it forecasts of it."""

from __future__ import annotations

import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.learning.models import predictions
from pipeline.recipe.decision import ERRORS_BPS, Indicated, IndicatedOpen, Opens, at_error
from pipeline.recipe.recipe import Recipe


def seen(
    recipe: Recipe,
    model: Pipeline,
    snapshots: pd.DataFrame,
    sessions: pd.DatetimeIndex,
    history: Opens,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What is known when it is decided, and the forecasts made of it."""
    if not isinstance(recipe.decision, IndicatedOpen):
        return snapshots, predictions(model, snapshots).to_frame("prediction")
    evening, seed = history.evening(sessions), recipe.seed
    printed = history.printed_opens(sessions)
    drawn = Indicated.of_prints(evening, printed, recipe.decision, seed)
    parts = [drawn.forecasts(model, snapshots)]
    for error in ERRORS_BPS:
        if error == recipe.decision.error_bps:
            parts.append(parts[0].add_prefix(at_error(error)))
            continue
        changed = recipe.decision.changed(error_bps=error)
        other = Indicated.of_prints(evening, printed, changed, seed)
        parts.append(other.forecasts(model, snapshots).add_prefix(at_error(error)))
    return drawn.joined(snapshots), pd.concat(parts, axis=1)
