"""Earlier results as MLflow and the store remember them, and the evidence among them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag
from pydantic_core import to_json

from pipeline.gates.identity import DataIdentity, witness_rows, witnesses
from pipeline.gates.looks import Look
from pipeline.io.store.store import Store
from pipeline.io.tracking import looks, runs
from pipeline.io.tracking.evidence import newest_evidence
from pipeline.io.tracking.identity import confirmed, logged_identity
from pipeline.schemas import BAR_FIELDS, BarPanel
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace
from tests.recipe import made
from tests.trading.markets import random_bars
from tests.workspaces import delivered, listed, workspace

RULES: Rules = made.rules()


def filled(path: Path, seed: int) -> Store:
    """A store of random bars with their labels."""
    bars = random_bars(seed)
    store = Store.open(path)
    store.write_symbols(listed(bars.symbols))
    store.write_bars(delivered(bars))
    store.write_labels({
        "intraday_return": bars.close / bars.open - 1.0,
        "max_favorable_excursion": bars.high / bars.open - 1.0,
        "max_adverse_excursion": bars.low / bars.open - 1.0,
    })  # fmt: skip
    return store


@pytest.fixture
def here(tmp_path: Path, store: MlflowClient) -> Iterator[Workspace]:
    prices = filled(tmp_path / "here.db", 1)
    yield workspace(prices)
    prices.close()


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Workspace]:
    """The same symbols and sessions, other bars."""
    prices = filled(tmp_path / "elsewhere.db", 2)
    yield workspace(prices)
    prices.close()


def forecast(here: Workspace, value: float, sessions: slice = slice(60, 100)) -> pd.Series:
    days, names = here.store.sessions()[sessions], here.store.symbols().index
    rows = pd.MultiIndex.from_product([days, names], names=["session", "symbol"])
    return pd.Series(value, rows) + rows.get_level_values("session").dayofyear * 1e-5


def shown(
    here: Workspace, value: float, status: str = "FINISHED", rules: Rules = RULES,
    experiment: str = "0", sessions: slice = slice(60, 100),
) -> Look:  # fmt: skip
    """A run whose figures could be seen, and what became of it."""
    run = MlflowClient().create_run(experiment, tags={"stage": "retrain", "universe": "any"})
    look = looks.look(
        here, run.info.run_id, f"r{value}", forecast(here, value, sessions), rules, 1e5
    )
    looks.record_look(here, look)
    MlflowClient().set_terminated(run.info.run_id, status)
    return look


def earlier(here: Workspace, value: float = 0.0) -> dict[str, float]:
    mine = forecast(here, value)
    sessions = mine.index.get_level_values("session").unique()
    result = looks.look(here, "now", "mine", mine, RULES, 1e5)
    return looks.earlier_looks(here, result, sessions)


@pytest.mark.parametrize("status", ["FINISHED", "FAILED", "KILLED", "RUNNING"])
def test_a_look_counts_whatever_became_of_its_run(here: Workspace, status: str) -> None:
    look = shown(here, 0.1, status)
    assert earlier(here) == {look.run_id: 1.0}


@pytest.mark.parametrize("first", [False, True], ids=["now", "in an older release"])
@pytest.mark.parametrize("done", range(8))
def test_a_kill_between_two_tags_of_a_look_costs_neither_it_nor_what_comes_later(
    here: Workspace, done: int, first: bool
) -> None:
    """The store has it before the first tag; an older release began with the one it is found by."""
    run = MlflowClient().create_run("0", tags={"stage": "backtest"})
    look = looks.look(here, run.info.run_id, "r", forecast(here, 0.1), RULES, 1e5)
    looks.keep_look(here, look)
    tags = list(looks.look_tags(look).items())
    assert len(tags) == 7
    for name, value in ([tags[-1], *tags[:-1]] if first else tags)[:done]:
        MlflowClient().set_tag(look.run_id, name, value)
    assert earlier(here) == {look.run_id: 1.0}


def test_looks_of_other_universes_and_experiments_count(here: Workspace) -> None:
    other = MlflowClient().create_experiment("other")
    assert len(earlier(here)) == 0
    looked = {shown(here, 0.1, experiment=other).run_id, shown(here, 0.2).run_id}
    assert set(earlier(here)) == looked


def test_looks_of_other_data_do_not(here: Workspace, elsewhere: Workspace) -> None:
    look = shown(elsewhere, 0.1)
    assert earlier(here) == {}
    assert set(earlier(elsewhere)) == {look.run_id}


def test_deleted_runs_count_by_the_store(here: Workspace) -> None:
    look = shown(here, 0.1)
    MlflowClient().delete_run(look.run_id)
    assert set(earlier(here)) == {look.run_id}


def test_another_tracking_store_changes_nothing(here: Workspace, tmp_path: Path) -> None:
    look = shown(here, 0.1)
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'other.db'}")
    assert set(earlier(here)) == {look.run_id}


def test_a_store_made_again_of_the_same_bars_knows_them_by_mlflow(
    here: Workspace, tmp_path: Path
) -> None:
    look = shown(here, 0.1)
    again = filled(tmp_path / "again.db", 1)
    assert again.looks() == []
    assert set(earlier(workspace(again))) == {look.run_id}
    again.close()


def test_bars_before_a_split_are_the_same_data(here: Workspace) -> None:
    look = shown(here, 0.1)
    bars = here.store.bar_panel()
    halved = (getattr(bars, f) * (2.0 if f == "volume" else 0.5) for f in BAR_FIELDS)
    here.store.write_bars(delivered(BarPanel(*halved)))
    assert set(earlier(here)) == {look.run_id}


def test_a_reproduction_is_no_look(here: Workspace) -> None:
    run = MlflowClient().create_run("0", tags={"stage": "reproduce"})
    again = looks.look(here, run.info.run_id, "r", forecast(here, 0.1), RULES, 1e5)
    for name, value in looks.look_tags(again).items():
        MlflowClient().set_tag(run.info.run_id, name, value)
    assert earlier(here) == {}


def test_retrains_of_an_older_release_are_looks_by_the_dates_of_their_holdout(
    here: Workspace,
) -> None:
    days = here.store.sessions()
    old = {"stage": "retrain", "holdout.start": f"{days[80]:%Y-%m-%d}",
           "holdout.end": f"{days[99]:%Y-%m-%d}"}  # fmt: skip
    first, again, other = (
        MlflowClient().create_run("0", tags={**old, "predictions": name, "recipe": name})
        for name in "aab"
    )
    MlflowClient().create_run("0", tags=old)  # it never got so far
    found = earlier(here)
    assert set(found.values()) == {0.5}
    assert other.info.run_id in found
    assert len(found.keys() & {first.info.run_id, again.info.run_id}) == len(found) - 1 == 1


def test_every_strategy_on_one_forecast_counts(here: Workspace) -> None:
    for positions in (1, 2, 3):
        shown(here, 0.1, rules=RULES.changed(max_positions=positions))
    assert sum(earlier(here).values()) == 3.0


def test_a_result_is_no_look_at_itself_and_sessions_weigh_in_by_their_share(
    here: Workspace,
) -> None:
    shown(here, 0.0)
    assert earlier(here, 0.0) == {}
    half = shown(here, 0.1, sessions=slice(40, 80))
    assert earlier(here, 0.0) == {half.run_id: 0.5}


def test_the_store_keeps_each_look_once(here: Workspace) -> None:
    look = shown(here, 0.1)
    looks.keep_look(here, look)
    (kept,) = here.store.looks()
    assert (kept["run_id"], kept["first"], kept["last"]) == (look.run_id, look.first, look.last)


def test_the_parts_of_looks_come_back_and_older_lists_are_whole_ones(store: MlflowClient) -> None:
    with runs.stage_run("retrain") as run:
        looks.log_looks({"b": 0.5, "a": 1.0})
    assert looks.logged_looks(run.info.run_id) == {"b": 0.5, "a": 1.0}
    with runs.stage_run("retrain") as run:
        mlflow.log_text('["b", "a"]', "looks.json")
    assert looks.logged_looks(run.info.run_id) == {"b": 1.0, "a": 1.0}


# ---- evidence ----


def retrained(here: Workspace, evaluation: str, recipe: str = "r", start: int = 1) -> str:
    """A finished retrain with the identity of its data."""
    index = forecast(here, 0.0).index
    chosen = witnesses(here.store.cells(witness_rows(index)))
    identity = DataIdentity(
        source=here.data_source, calendar=here.exchange_calendar,
        symbols=here.store.first_sessions(), first="2023-03-27", last="2023-05-19",
        digest="d", witnesses=chosen, learned=chosen,
    )  # fmt: skip
    tags = {"stage": "retrain", "evaluation": evaluation, "recipe": recipe}
    run_id = str(MlflowClient().create_run("0", start_time=start, tags=tags).info.run_id)
    MlflowClient().log_text(run_id, to_json(identity).decode(), "data_identity.json")
    MlflowClient().set_terminated(run_id)
    return run_id


def version(run_id: str) -> ModelVersion:
    tags = [ModelVersionTag("recipe", "r")]
    return ModelVersion("intraday_return", "3", 0, run_id=run_id, tags=tags)


def evidence(here: Workspace, run_id: str) -> str:
    return newest_evidence(here, version(run_id)).run_id


def test_evidence_is_the_newest_walk_forward_of_the_recipe_else_its_own(here: Workspace) -> None:
    mine = retrained(here, "holdout")
    assert evidence(here, mine) == mine
    retrained(here, "walk_forward", start=2)
    newest = retrained(here, "walk_forward", start=3)
    retrained(here, "walk_forward", recipe="other", start=4)
    assert evidence(here, mine) == newest


def test_evidence_of_other_data_is_none(here: Workspace, elsewhere: Workspace) -> None:
    mine = retrained(here, "holdout")
    retrained(elsewhere, "walk_forward")
    assert evidence(here, mine) == mine


def test_evidence_that_recorded_no_data_is_none(here: Workspace) -> None:
    mine = retrained(here, "holdout")
    tags = {"stage": "retrain", "evaluation": "walk_forward", "recipe": "r"}
    run = MlflowClient().create_run("0", tags=tags)
    MlflowClient().set_terminated(run.info.run_id)
    assert evidence(here, mine) == mine
    assert logged_identity(run.info.run_id) is None


def test_what_a_version_learned_from_is_known_again(here: Workspace, elsewhere: Workspace) -> None:
    identity = logged_identity(retrained(here, "holdout"))
    assert identity is not None
    assert confirmed(here, identity.learned) == 1.0
    assert confirmed(elsewhere, identity.learned) == 0.0
