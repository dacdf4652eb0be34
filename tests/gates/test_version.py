"""The version itself is judged, not its recipe alone."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.gates.version import AS_TRAINED, holdout_pvalue


def measured(seed: int, sessions: int, ic: float, symbols: int = 50) -> pd.DataFrame:
    """Predictions with a correlation, and what came of them."""
    random = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=sessions, name="session")
    rows = pd.MultiIndex.from_product([days, [f"S{n}" for n in range(symbols)]],
                                      names=["session", "symbol"])  # fmt: skip
    signal = random.normal(size=len(rows))
    returns = ic * signal + random.normal(size=len(rows))
    return pd.DataFrame({"prediction": signal, "intraday_return": returns}, rows)


def test_a_holdout_below_what_the_evidence_promises_is_told():
    assert holdout_pvalue(measured(1, 21, -0.1), measured(2, 250, 0.1)) < 0.01


@pytest.mark.parametrize("ic", [0.05, 0.2])
def test_a_holdout_as_promised_or_better_is_none(ic):
    assert holdout_pvalue(measured(1, 21, ic), measured(2, 250, 0.05)) > 0.05


def test_of_honest_holdouts_one_in_twenty_is_told():
    evidence = measured(0, 250, 0.05)
    told = [holdout_pvalue(measured(seed, 21, 0.05), evidence) <= 0.05 for seed in range(1, 101)]
    assert sum(told) <= 11  # of 100, above with a probability of one in a hundred


@pytest.mark.parametrize(("sessions", "known"), [(9, False), (10, True)])
def test_few_sessions_are_unknown(sessions, known):
    assert math.isnan(holdout_pvalue(measured(1, sessions, 0.1), measured(2, 250, 0.1))) != known


def test_rows_without_a_label_are_left_out():
    version = measured(1, 21, 0.05)
    version.iloc[::7, 1] = np.nan
    assert 0.0 < holdout_pvalue(version, measured(2, 250, 0.05)) < 1.0


def test_a_version_at_the_end_of_its_retrain_is_new_and_of_its_own_data():
    assert AS_TRAINED == {
        "version/age_sessions": 0.0,
        "version/data_agreement": 1.0,
        "version/learned_unchanged": 1.0,
    }
