"""The version itself: its age, its data, and its own holdout against what its evidence promises."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd
from scipy.special import stdtr  # scipy.stats takes half a second to import

from pipeline.learning.metrics import rank_ic
from pipeline.stats.inference import MIN_BLOCK_SESSIONS

AS_TRAINED: Mapping[str, float] = {
    "version/age_sessions": 0.0,
    "version/data_agreement": 1.0,
    "version/learned_unchanged": 1.0,
}
"""Of a version at the end of its own retrain."""


def holdout_pvalue(version: pd.DataFrame, evidence: pd.DataFrame) -> float:
    """One-sided p-value of "the version's own holdout is worse than the evidence promises".

    Parameters
    ----------
    version, evidence
        Predictions out of sample by (session, symbol): columns prediction and intraday_return.

    Returns
    -------
    float
        Of Welch's t of the rank ICs by session; small where the version is significantly worse,
        NaN with fewer than 10 sessions on either side.
    """
    scores = [
        rank_ic(part["intraday_return"], part["prediction"]).dropna()
        for part in (version.dropna(), evidence.dropna())
    ]
    if min(len(each) for each in scores) < MIN_BLOCK_SESSIONS:
        return math.nan
    errors = [float(each.var()) / len(each) for each in scores]
    if sum(errors) <= 0.0:
        return math.nan
    distance = (float(scores[0].mean()) - float(scores[1].mean())) / math.sqrt(sum(errors))
    weights = [e**2 / (len(each) - 1) for e, each in zip(errors, scores, strict=True)]
    return float(stdtr(sum(errors) ** 2 / sum(weights), distance))
