"""An evaluation under way predicts a step once, and again where its file is not whole."""

from __future__ import annotations

import pandas as pd
import pytest

from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.parquet import write_parquet
from pipeline.learning.predicted_step import PredictedStep
from pipeline.learning.windows import Step
from tests.learning.made_steps import predicted_step

DAYS = pd.bdate_range("2010-01-04", periods=10).as_unit("us")
STEP = Step(development=DAYS[:8], predicted=DAYS[8:], search=True)


@pytest.fixture
def journal(tmp_path) -> EvaluationJournal:
    return EvaluationJournal(tmp_path / "retrain", "run")


class Predictions:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> PredictedStep:
        self.asked += 1
        frame = pd.DataFrame({"prediction": [0.5, -0.5]}, index=DAYS[8:].rename("session"))
        return predicted_step(frame)


def test_a_step_is_predicted_once(journal):
    predict = Predictions()
    first, second = journal.step(STEP, predict), journal.step(STEP, predict)
    assert predict.asked == 1
    assert journal.steps_done == 1
    pd.testing.assert_frame_equal(first.rows, second.rows)
    assert second.facts == first.facts == Predictions()().facts


@pytest.mark.parametrize(
    "by", ["a flipped bit", "a version that sealed no files", "a version that kept other facts"]
)
def test_a_step_whose_file_is_not_whole_is_set_aside_said_and_predicted_again(journal, caplog, by):
    predict = Predictions()
    first = journal.step(STEP, predict)
    (path,) = journal.folder.glob("step-*.parquet")
    if by == "a flipped bit":
        content = bytearray(path.read_bytes())
        content[len(content) // 3] ^= 2
        path.write_bytes(content)
    elif by == "a version that kept other facts":
        write_parquet(path, first.rows)
    else:
        first.rows.to_parquet(path)

    again = journal.step(STEP, predict)

    assert predict.asked == 2
    pd.testing.assert_frame_equal(again.rows, first.rows)
    assert again.facts == first.facts
    assert f"{path} is damaged" in caplog.text
    assert path.with_name(f"{path.name}.damaged").exists()
    assert journal.steps_done == 1
