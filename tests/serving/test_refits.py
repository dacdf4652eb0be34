"""A version's recipe refitted over sessions it was fitted on: each by earlier sessions alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.errors import Refused
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.io.store.store import Store
from pipeline.learning.pool import HERE, Threads
from pipeline.recipe.recipe import Recipe
from pipeline.serving.refits import Refits, refits
from pipeline.workspace import Workspace
from tests.learning import made as learning
from tests.recipe import made
from tests.recipe.history import History, history
from tests.workspaces import stored, workspace

PARAMETERS = {"ridge": {"alpha": 2.0}}


@pytest.fixture(scope="module")
def world() -> History:
    return history()


@pytest.fixture(scope="module")
def store(world: History, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    opened = stored(tmp_path_factory.mktemp("store") / "s.db", world)
    yield opened
    opened.close()


@pytest.fixture
def space(store: Store) -> Workspace:
    return workspace(store)


def recipe(end: str | None = None, **changes: Any) -> Recipe:
    """Refitted every 10 sessions from a window of 40 days; as a holdout is configured."""
    windows = made.windows(
        window=made.window(window_days=40, end=end),
        evaluation=made.evaluation(refit_every=10, search_every=20),
        min_sessions=21,
    )
    splitter = learning.walk_forward(folds=2, fold_sessions=5, min_train_sessions=10)
    plain = {"weights": "stacked", "splitter": splitter, "windows": windows}
    return made.recipe(**plain | changes)


def planned(space: Workspace, first: str | None = None, end: str | None = None) -> Refits:
    day = None if first is None else pd.Timestamp(first)
    return refits(recipe(end), space, day, "backtest")


def predicted(found: Refits) -> pd.DatetimeIndex:
    first, *later = (step.predicted for step in found.steps)
    return pd.DatetimeIndex(first.append(later))


def test_all_sessions_with_a_full_window_before_them_are_predicted_and_none_is_searched(
    space: Workspace, world: History
) -> None:
    found = planned(space)
    sessions = world.sessions
    due = sessions[sessions - pd.Timedelta(days=40) >= sessions[0]]
    assert abs(len(predicted(found)) - len(due)) <= 1
    assert predicted(found)[-1] == sessions[-1]
    assert not any(step.search for step in found.steps)
    assert all(step.development[-1] < step.predicted[0] for step in found.steps)
    assert {len(step.predicted) for step in found.steps[:-1]} == {10}


def test_they_begin_and_end_where_that_is_asked_for(space: Workspace, world: History) -> None:
    first, last = world.sessions[50], world.sessions[69]
    found = planned(space, f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}")
    assert predicted(found).equals(world.sessions[50:70])
    assert found.dataset.sessions[-1] == last  # nothing later is read


def test_sessions_without_a_full_window_are_refused_with_the_first_that_has_one(
    space: Workspace, world: History
) -> None:
    earliest = predicted(planned(space))[0]
    before = world.sessions[world.sessions < earliest][-3]
    with pytest.raises(Refused) as caught:
        planned(space, f"{before:%Y-%m-%d}")
    wanted = world.sessions[world.sessions >= before]
    assert caught.value.found.startswith(
        f"3 of {len(wanted)} sessions, {before:%Y-%m-%d} the first"
    )
    assert "lack the 40 days before them" in caught.value.found
    assert f"sessions from {earliest:%Y-%m-%d} to {world.sessions[-1]:%Y-%m-%d}" in str(
        caught.value
    )
    assert caught.value.next_command == (
        f"mlflow run . -e backtest -P start_date={earliest:%Y-%m-%d} -P backtest.refit=walk_forward"
    )
    assert predicted(planned(space, f"{earliest:%Y-%m-%d}"))[0] == earliest


def test_a_day_after_all_sessions_is_refused(space: Workspace) -> None:
    with pytest.raises(Refused, match="0 of 0 sessions"):
        planned(space, "2030-01-01")


def forecasts(space: Workspace, folder: Path, **changes: Any) -> tuple[pd.DataFrame, pd.DataFrame]:
    found = refits(recipe(**changes), space, None, "backtest")
    return found.predicted(PARAMETERS, space, EvaluationJournal(folder, "run 1"), Threads(2))


def test_every_snapshot_is_forecast_by_a_model_of_earlier_sessions_with_the_parameters_given(
    space: Workspace, world: History, tmp_path: Path
) -> None:
    rows, steps = forecasts(space, tmp_path / "a")
    sessions = rows.index.get_level_values("session")
    assert list(rows.columns) == ["prediction", "trained_until"]
    assert (rows["trained_until"] < sessions).all()
    assert len(rows) == 6 * rows.index.unique("session").size
    assert len(steps) == len(planned(space).steps)
    assert not steps["search"].any()
    other = refits(recipe(), space, None, "backtest")
    journal = EvaluationJournal(tmp_path / "b", "run 1")
    changed, _ = other.predicted({"ridge": {"alpha": 1e6}}, space, journal, HERE)
    assert not changed["prediction"].equals(rows["prediction"])


def test_a_journal_is_of_one_version_of_these_rows_and_dates(space: Workspace) -> None:
    found = planned(space)
    journal = found.journal(space, "3", "run 1")
    assert journal.folder.parent == space.folder / "refits"
    names = {
        journal.folder.name,
        found.journal(space, "4", "run 1").folder.name,
        planned(space, f"{found.steps[1].predicted[0]:%Y-%m-%d}")
        .journal(space, "3", "")
        .folder.name,
        planned(space, end="2023-05-15").journal(space, "3", "").folder.name,
    }
    assert len(names) == 4
    assert planned(space).journal(space, "3", "run 2").folder == journal.folder
