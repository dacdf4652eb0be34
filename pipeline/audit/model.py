"""Whether a registered model's stored predictions are out of sample, and its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.audit.checks import CheckResult, compare, leaks_at
from pipeline.schemas import SESSION

RELATIVE_TOLERANCE = 1e-6
"""Relative distance below which predictions made on two types of processor are equal."""


def out_of_sample(rows: pd.Index, trained_until: pd.DatetimeIndex | None) -> CheckResult:
    """Every stored prediction is of a session after all that its model learned from.

    Parameters
    ----------
    rows
        Session and symbol of each prediction.
    trained_until
        The last session that the model of each prediction learned from; None: nothing says it.
    """
    if trained_until is None:
        summary = "the stored predictions do not say until when their models were trained"
        return CheckResult(len(rows), sufficient=False, summary=summary)
    sessions = pd.DatetimeIndex(rows.get_level_values(SESSION))
    in_sample = np.asarray(sessions <= trained_until)
    result = leaks_at(
        "prediction",
        rows[in_sample],
        [f"predicted {day:%Y-%m-%d}" for day in sessions[in_sample]],
        [f"trained until {day:%Y-%m-%d}" for day in trained_until[in_sample]],
    )
    return replace(result, checked=len(rows), sufficient=len(rows) > 0)


def served(
    stored: pd.DataFrame, inputs: pd.DataFrame, predict: Callable[[pd.DataFrame], pd.Series]
) -> CheckResult:
    """A served model repeats the predictions that were stored with it.

    Parameters
    ----------
    stored
        Index (session, symbol), column prediction.
    inputs
        What they were made of, row by row.
    predict
        The model as it is served: a series named prediction, by the index of its inputs.
    """
    current = predict(inputs.set_axis(stored.index)).to_frame()
    equal = np.isclose(current, stored, rtol=RELATIVE_TOLERANCE, atol=0.0)
    return compare(stored, current.mask(equal, stored))
