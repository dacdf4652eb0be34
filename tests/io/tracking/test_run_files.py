"""Files of runs that are read back are read as they were written, or named."""

from __future__ import annotations

from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pipeline.contract import Artifacts, Tables
from pipeline.errors import Damaged
from pipeline.io.tracking import chosen, identity, looks, models, recipes, run_files, runs

FRAME = pd.DataFrame({"prediction": [0.1, 0.2]}, pd.RangeIndex(2, name="row"))
PREDICTIONS = Artifacts.PREDICTIONS


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_what_is_damaged_or_gone_is_named_and_not_served(store: MlflowClient) -> None:
    with runs.stage_run("retrain") as run:
        run_id = str(run.info.run_id)
        runs.log_frame(FRAME, PREDICTIONS)
        runs.log_config({"seed": 1})
        run_files.log_text('{"rules": {}}', Artifacts.RECIPE)
        chosen.log_chosen_parameters({"ridge": {"alpha": 1.0}})
        models.log_features({"rsi": "abc"})
        looks.log_looks({"other": 1.0})
        run_files.log_text("{}", Artifacts.IDENTITY)
    version = ModelVersion("intraday_return", "1", 0, run_id=run_id)
    readers = {
        PREDICTIONS: lambda: runs.read_frame(run_id, PREDICTIONS),
        Artifacts.CONFIG: lambda: runs.config_of(run_id),
        Artifacts.RECIPE: lambda: recipes.recorded_content(version),
        Artifacts.CHOSEN: lambda: chosen.chosen_parameters(run_id, ["ridge"]),
        Artifacts.FEATURES: lambda: models.features_of_run(run_id),
        Artifacts.LOOKS: lambda: looks.logged_looks(run_id),
        Artifacts.IDENTITY: lambda: identity.logged_identity(run_id),
    }
    pd.testing.assert_frame_equal(runs.read_frame(run_id, PREDICTIONS), FRAME, check_freq=False)
    assert run_files.faults(store.get_run(run_id)) == []
    folder = Path(mlflow.artifacts.download_artifacts(run_id=run_id))
    assert set(run_files.recorded(store.get_run(run_id))) == set(readers)
    for name, read in readers.items():
        whole = (folder / name).read_bytes()
        flipped(folder / name)
        with pytest.raises(Damaged, match="not as the run wrote it") as error:
            read()
        assert str(folder / name) in str(error.value)
        assert [f.found for f in run_files.faults(store.get_run(run_id))] == [error.value.found]
        (folder / name).unlink()
        with pytest.raises(Damaged, match="is gone"):
            read()
        (folder / name).write_bytes(whole)


def test_a_run_without_digests_is_read_as_before(store: MlflowClient) -> None:
    run_id = store.create_run("0").info.run_id
    version = ModelVersion("intraday_return", "1", 0, run_id=run_id)
    assert recipes.recorded_content(version) == {}
    assert identity.logged_identity(run_id) is None
    with pytest.raises(Damaged, match=r"config\.yaml of run .* is gone"):
        runs.config_of(run_id)
    store.log_text(run_id, "seed: 1", "config.yaml")
    assert runs.config_of(run_id) == {"seed": 1}


def test_digests_of_more_files_than_a_tag_holds_are_kept(store: MlflowClient) -> None:
    with runs.stage_run("backtest") as run:
        for number in range(run_files.FILES_A_TAG + 5):
            run_files._written[run.info.run_id][f"tables/of_some_length_{number}.csv"] = "0" * 32
    assert len(run_files.recorded(store.get_run(run.info.run_id))) == run_files.FILES_A_TAG + 5


OLDER = [
    ("forecasts/out_of_sample.parquet", "predictions/out_of_sample.parquet"),
    ("model/check_inputs.parquet", "check/inputs.parquet"),
    ("model/check_predictions.parquet", "check/predictions.parquet"),
    ("data/identity.json", "data_identity.json"),
    ("config/config.yaml", "config.yaml"),
    (f"{Tables.GATES}.csv", "gates.csv"),
]


@pytest.mark.parametrize(("name", "once"), OLDER)
@pytest.mark.parametrize("recorded", [True, False])
def test_a_file_of_an_older_run_is_found_under_its_name_and_checked(
    store: MlflowClient, name: str, once: str, recorded: bool
) -> None:
    with runs.stage_run("retrain") as run:
        run_id = str(run.info.run_id)
        if recorded:
            run_files.log_text("older", once)
        else:
            store.log_text(run_id, "older", once)
    assert run_files.read_text(run_id, name) == "older"
    file = Path(mlflow.artifacts.download_artifacts(run_id=run_id)) / once
    flipped(file)
    if recorded:
        with pytest.raises(Damaged, match=f"{once} of run {run_id}.* is damaged"):
            run_files.read_text(run_id, name)
        file.unlink()
        with pytest.raises(Damaged, match=f"{once} of run {run_id}.* is gone"):
            run_files.read_text(run_id, name)


def test_the_newer_of_two_files_is_read(store: MlflowClient) -> None:
    """Of a run that an older release began and this one ended."""
    with runs.stage_run("retrain") as run:
        store.log_text(run.info.run_id, "older", "recipe.json")
        run_files.log_text("newer", Artifacts.RECIPE)
    assert run_files.read_text(run.info.run_id, Artifacts.RECIPE) == "newer"


def test_a_file_under_todays_name_does_not_hide_the_one_that_was_recorded(
    store: MlflowClient,
) -> None:
    with runs.stage_run("retrain") as run:
        run_files.log_text("older", "recipe.json")
    store.log_text(run.info.run_id, "put there later", Artifacts.RECIPE)
    run_files._written.clear()
    assert run_files.read_text(run.info.run_id, Artifacts.RECIPE) == "older"


def test_a_table_that_was_never_written_is_told_to_be_gone(store: MlflowClient) -> None:
    run_id = store.create_run("0").info.run_id
    with pytest.raises(Damaged, match=f"gates/gates.csv of run {run_id}.* is gone"):
        run_files.read_table(run_id, Tables.GATES)


def test_what_the_open_run_wrote_is_checked_before_its_digests_are_tags(
    store: MlflowClient,
) -> None:
    with runs.stage_run("retrain") as run:
        run_files.log_text("whole", Artifacts.RECIPE)
        flipped(
            Path(mlflow.artifacts.download_artifacts(run_id=run.info.run_id)) / Artifacts.RECIPE
        )
        assert run_files.recorded(store.get_run(run.info.run_id)) == {}
        with pytest.raises(Damaged, match="not as the run wrote it"):
            run_files.read_text(run.info.run_id, Artifacts.RECIPE)
