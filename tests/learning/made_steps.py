"""Made-up steps of an evaluation."""

from __future__ import annotations

import pandas as pd

from pipeline.learning.predicted_step import PredictedStep, StepFacts


def predicted_step(rows: pd.DataFrame, weight: float = 1.0) -> PredictedStep:
    """Rows as a step predicted them, and facts of January 2010."""
    return PredictedStep(
        rows,
        StepFacts(
            search=True,
            development_first="2010-01-04",
            development_last="2010-01-13",
            predicted_first="2010-01-14",
            predicted_last="2010-01-15",
            sessions=8,
            rows=7,
            weights={"ridge": weight},
        ),
    )
