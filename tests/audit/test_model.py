"""Stored predictions: of sessions after training, and repeated by the model that is served."""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.audit.model import out_of_sample, served
from pipeline.schemas import ROW

SESSIONS = pd.DatetimeIndex(["2024-01-02", "2024-01-03"])


def rows() -> pd.MultiIndex:
    return pd.MultiIndex.from_product([SESSIONS, ["AAA", "BBB"]], names=ROW)


def until(*days: str) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(days)


def test_predictions_after_the_training_end_are_out_of_sample() -> None:
    result = out_of_sample(rows(), until("2024-01-01").repeat(4))

    assert (result.checked, result.leaks, result.sufficient) == (4, 0, True)


def test_a_prediction_of_the_last_session_trained_on_is_named() -> None:
    """Each is judged by the end of its own model's training."""
    result = out_of_sample(rows(), until("2024-01-01", "2024-01-02", "2024-01-02", "2024-01-02"))

    assert result.listed.to_numpy().tolist() == [
        ["prediction", "BBB", "2024-01-02", "predicted 2024-01-02", "trained until 2024-01-02"]
    ]
    assert (result.checked, result.leaks) == (4, 1)


def test_predictions_without_a_training_end_are_not_enough_evidence() -> None:
    result = out_of_sample(rows(), None)

    assert (result.checked, result.leaks, result.sufficient) == (4, 0, False)
    assert "until when" in result.summary


def test_no_predictions_are_not_enough_evidence() -> None:
    assert not out_of_sample(rows()[:0], until()).sufficient


STORED = pd.DataFrame({"prediction": [0.01, -0.02, 0.0, 0.03]}, rows())
INPUTS = pd.DataFrame({"x": [1.0, -2.0, 0.0, 3.0]})


def model(factor: float, features: pd.DataFrame) -> pd.Series:
    return (factor * features["x"]).rename("prediction")


def test_a_model_that_repeats_its_predictions_has_no_leak_also_on_another_processor() -> None:
    for factor in (0.01, 0.01 * (1 + 5e-7)):
        result = served(STORED, INPUTS, lambda features, f=factor: model(f, features))

        assert (result.checked, result.leaks) == (4, 0)


def test_every_prediction_that_is_not_repeated_is_named_with_both_values() -> None:
    def changed(features: pd.DataFrame) -> pd.Series:
        return model(0.01, features) + np.array([0.0, 0.0, 1e-9, 1e-6])

    result = served(STORED, INPUTS, changed)

    assert result.listed.iloc[0].tolist() == ["prediction", "AAA", "2024-01-03", "0.0", "1e-09"]
    assert result.leaks == 2
