from __future__ import annotations

import pandas as pd
import pytest

from pipeline.learning.baselines import baselines
from tests.learning import made


def test_baselines_know_the_training_rows_only(make_dataset):
    dataset = make_dataset(sessions=20)
    train, test = dataset.at(dataset.sessions[:15]), dataset.at(dataset.sessions[15:])

    before = baselines(train, test.features, made.target())
    test.returns[:] = 9.0
    after = baselines(train, test.features, made.target())

    pd.testing.assert_frame_equal(before, after)
    assert list(before) == ["zero", "mean", "ridge"]
    assert (before["zero"] == 0).all()
    assert before["mean"].iloc[0] == pytest.approx(train.returns.mean())
    assert before["ridge"].corr(test.features["signal"]) > 0.9
