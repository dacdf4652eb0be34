"""Files of runs that are read back are read as they were written, or named."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import Damaged
from pipeline.io.tracking import chosen, identity, looks, models, recipes, run_files, runs

FRAME = pd.DataFrame({"prediction": [0.1, 0.2]}, pd.RangeIndex(2, name="row"))
TABLES = "mlflow.loggedArtifacts"
PREDICTIONS = "predictions/out_of_sample.parquet"


def flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def test_what_is_damaged_or_gone_is_named_and_not_served(store: MlflowClient) -> None:
    with runs.stage_run("retrain") as run:
        run_id = str(run.info.run_id)
        runs.log_frame(FRAME, PREDICTIONS)
        runs.log_config({"seed": 1})
        run_files.log_text('{"rules": {}}', "recipe.json")
        chosen.log_chosen_parameters({"ridge": {"alpha": 1.0}})
        models.log_features({"rsi": "abc"})
        looks.log_looks({"other": 1.0})
        run_files.log_text("{}", "data_identity.json")
    version = ModelVersion("intraday_return", "1", 0, run_id=run_id)
    readers = {
        PREDICTIONS: lambda: runs.read_frame(run_id, PREDICTIONS),
        "config.yaml": lambda: runs.config_of(run_id),
        "recipe.json": lambda: recipes.recorded_content(version),
        "chosen_parameters.json": lambda: chosen.chosen_parameters(run_id, ["ridge"]),
        "features.json": lambda: models.features_of_run(run_id),
        "looks.json": lambda: looks.logged_looks(run_id),
        "data_identity.json": lambda: identity.logged_identity(run_id),
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


def test_a_table_is_the_one_that_mlflow_itself_logs(store: MlflowClient) -> None:
    """With its name in the tag that MLflow finds tables by."""
    frame = pd.DataFrame(
        {"gate": ["a", None], "value": [0.5, np.nan], "at": pd.to_datetime(["2024-07-01"] * 2)}
    )
    texts = frame.assign(at=frame["at"].astype(str))
    with runs.stage_run("retrain") as run:
        runs.log_table(frame, "gates")
        runs.log_table(frame, "gates")
        runs.log_table(frame, "drivers")
        mlflow.log_table(texts.astype({"gate": object, "at": object}), "theirs.json")
        mlflow.delete_tag(TABLES)
    tagged = store.get_run(run.info.run_id)
    ours, theirs = (
        mlflow.artifacts.load_text(f"{tagged.info.artifact_uri}/{name}.json")
        for name in ("gates", "theirs")
    )
    assert ours == theirs
    listed = [{"path": f"{name}.json", "type": "table"} for name in ("gates", "drivers")]
    assert json.loads(tagged.data.tags[TABLES]) == listed
    assert len(mlflow.load_table("gates.json", run_ids=[run.info.run_id])) == 2
