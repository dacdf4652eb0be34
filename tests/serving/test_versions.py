"""Which registered versions may be used here, and what they may be asked to predict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from pipeline.errors import Refused
from pipeline.io.store.store import Store
from pipeline.io.tracking import models
from pipeline.serving import versions
from pipeline.workspace import Workspace
from tests.indices import SESSIONS, store_of
from tests.recipe import made
from tests.workspaces import workspace

Versions = Callable[..., ModelVersion]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The market of its stocks is ^IXIC."""
    opened = store_of(tmp_path / "s.db", IXIC=SESSIONS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def version(tmp_path_factory: pytest.TempPathFactory) -> Versions:
    """Versions of a run that logged no recipe, as those of older releases."""
    uri = f"sqlite:///{tmp_path_factory.mktemp('runs') / 'mlflow.db'}"
    run_id = MlflowClient(uri).create_run("0").info.run_id

    def made(**tags: str | None) -> ModelVersion:
        given = [ModelVersionTag(name, value) for name, value in tags.items() if value is not None]
        return ModelVersion("intraday_return", "3", 0, run_id=run_id, tags=given)

    mlflow.set_tracking_uri(uri)
    return made


@pytest.mark.parametrize(
    ("trained_on", "used", "served"),
    [
        ("^IXIC", "relative_market_5", True),
        ("^GSPC", "relative_market_5", False),
        ("^GSPC", "vix_level", False),
        ("^GSPC", "return_5", True),
        (None, "relative_market_5", True),  # registered before versions said it
    ],
)
def test_a_model_trained_against_another_market_is_not_served(
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    trained_on: str | None,
    used: str,
    served: bool,
    version: Versions,
) -> None:
    space = workspace(store)
    hashes = {used: space.features.hashes[used]}
    monkeypatch.setattr(models, "features_of", lambda version: hashes)
    asked = version(market_index=trained_on, data_source="sample")

    if served:
        assert versions.check_serves(space, asked, "signals") == hashes
        return
    with pytest.raises(Refused, match=r"trained against \^GSPC, the market is now \^IXIC"):
        versions.check_serves(space, asked, "signals")


def test_a_model_of_another_source_is_not_served(store: Store, version: Versions) -> None:
    with pytest.raises(Refused) as caught:
        versions.check_source(workspace(store), version(data_source="files"), "backtest")
    assert "version 3 was trained on data=files" in caught.value.found
    assert caught.value.next_command == "mlflow run . -e backtest -P data=files"


@pytest.fixture
def space(store: Store) -> Workspace:
    return workspace(store)


def test_a_model_of_features_that_changed_is_not_served_and_they_are_named(
    space: Workspace, monkeypatch: pytest.MonkeyPatch, version: Versions
) -> None:
    known = space.features.hashes
    used = {"return_5": known["return_5"], "gone": "1" * 12, "rsi": "0" * 12}
    monkeypatch.setattr(models, "features_of", lambda version: used)
    with pytest.raises(Refused) as caught:
        versions.check_serves(space, version(data_source="sample", feature_set="classic"), "audit")
    assert "other definitions of ['gone', 'rsi']" in caught.value.found
    assert "features=classic" in caught.value.needed
    assert caught.value.next_command == "mlflow run . -e retrain && mlflow run . -e promote"


def test_other_limits_of_regimes_are_another_definition_of_what_reads_them(
    store: Store, monkeypatch: pytest.MonkeyPatch, version: Versions
) -> None:
    used = workspace(store).features.hashes
    monkeypatch.setattr(models, "features_of", lambda version: used)
    other = workspace(store, features=made.feature_set(limits=made.limits(high_vix=40)))
    with pytest.raises(Refused, match="other definitions of"):
        versions.check_serves(other, version(data_source="sample"), "signals")


def test_sessions_of_predictions_are_in_order() -> None:
    rows = [("2024-01-03", "A"), ("2024-01-02", "A"), ("2024-01-03", "B")]
    index = pd.MultiIndex.from_tuples(
        [(pd.Timestamp(day), name) for day, name in rows], names=["session", "symbol"]
    )
    found = versions.sessions_of(pd.Series(0.0, index))
    assert found.tolist() == [pd.Timestamp("2024-01-02"), pd.Timestamp("2024-01-03")]
