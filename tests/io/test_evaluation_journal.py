"""What is kept of an evaluation under way: a step or trial that is done is not done again."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import StoreLocked
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.learning.predicted_step import PredictedStep
from pipeline.learning.windows import Step
from pipeline.recipe.data import retrain_data
from pipeline.recipe.evaluate import Observer, OutOfSample, out_of_sample
from tests.learning.made_steps import predicted_step
from tests.recipe.history import History, history
from tests.recipe.test_evaluate import Recording, walking

DAYS = pd.bdate_range("2024-01-01", periods=6, name="session", unit="us")


def step(first: int) -> Step:
    return Step(DAYS[:first], DAYS[first : first + 2])


def part(value: float) -> PredictedStep:
    rows = pd.MultiIndex.from_product([DAYS[2:4], ["A"]], names=["session", "symbol"])
    made = pd.DataFrame({"prediction": value, "trained_until": DAYS[1]}, rows)
    return predicted_step(made, weight=0.1 + 0.2)


@pytest.fixture
def journal(tmp_path: Path) -> EvaluationJournal:
    return EvaluationJournal(tmp_path / "retrains" / "one", "run 1")


def unexpected() -> PredictedStep:
    raise AssertionError("predicted again")


def test_a_kept_step_is_read_and_not_predicted_again(journal: EvaluationJournal) -> None:
    first = journal.step(step(2), lambda: part(0.1))
    again = EvaluationJournal(journal.folder, "run 2").step(step(2), unexpected)
    pd.testing.assert_frame_equal(again.rows, part(0.1).rows, check_exact=True, check_freq=False)
    pd.testing.assert_frame_equal(again.rows, first.rows, check_exact=True)
    assert again.facts == first.facts == part(0.1).facts


def test_another_step_is_predicted(journal: EvaluationJournal) -> None:
    journal.step(step(2), lambda: part(0.1))
    assert journal.steps_done == 1
    assert journal.step(step(4), lambda: part(0.2)).rows["prediction"].tolist() == [0.2, 0.2]
    assert journal.steps_done == 2


def test_a_step_that_failed_is_not_kept(journal: EvaluationJournal) -> None:
    with pytest.raises(AssertionError, match="again"):
        journal.step(step(2), unexpected)
    assert journal.steps_done == 0


def test_what_has_ended_is_forgotten(journal: EvaluationJournal) -> None:
    journal.step(step(2), lambda: part(0.1))
    journal.remove()
    journal.remove()
    assert not journal.folder.exists()
    assert journal.steps_done == 0


def test_a_search_is_for_one_process_at_a_time_and_says_who_left_it(
    journal: EvaluationJournal,
) -> None:
    other = EvaluationJournal(journal.folder, "run 2")
    with journal.search(step(2)) as studies:
        assert studies.left_by is None
        with pytest.raises(StoreLocked), other.search(step(2)):
            pass
        with other.search(step(4)) as elsewhere:
            assert elsewhere.left_by is None
    with other.search(step(2)) as studies:
        assert studies.left_by == "run 1"


# ---- an evaluation that was killed ----


class Killed(BaseException):
    """Stands for a SIGKILL."""


class KilledAfter(Observer):
    """Ends the process after so many steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise Killed


def evaluated(world: History, journal: EvaluationJournal, observer: Observer) -> OutOfSample:
    recipe = walking()
    data = retrain_data(recipe, world, world.sessions)
    return out_of_sample(
        recipe, data.dataset, data.windows.steps, world, journal,
        clock=lambda: 0.0, observer=observer,
    )  # fmt: skip


def test_a_killed_evaluation_goes_on_and_ends_as_if_it_had_not_been(
    tmp_path: Path, journal: EvaluationJournal
) -> None:
    world = history()
    whole = evaluated(world, EvaluationJournal(tmp_path / "whole", "run 0"), Observer())
    with pytest.raises(Killed):
        evaluated(world, journal, KilledAfter(3))
    done = journal.steps_done
    assert 3 <= done < len(whole.steps)

    resumed = Resuming()
    again = evaluated(world, EvaluationJournal(journal.folder, "run 2"), resumed)

    assert set(resumed.left_by) == {"run 1"}
    pd.testing.assert_frame_equal(again.predicted, whole.predicted, check_exact=True)
    pd.testing.assert_frame_equal(again.steps, whole.steps, check_exact=True)
    assert again.trials == whole.trials == len(resumed.trials)
    assert again.chosen.params == whole.chosen.params


class Resuming(Recording):
    def __init__(self) -> None:
        super().__init__()
        self.left_by: list[str] = []

    def on_resume(self, left_by: str) -> None:
        self.left_by.append(left_by)
