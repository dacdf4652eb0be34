"""The audit as a stage: a real store of made-up bars passes it, and every planted leak is named.

Leaks are planted where they would be: in the feature sets, in the store, in the splitter and in
the preparation of folds.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from mlflow import MlflowClient

from pipeline.audit import folds as audit_folds
from pipeline.audit.checks import Check
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Artifacts, Tables
from pipeline.errors import NotReady, Refused
from pipeline.io.tracking import registry, run_files, runs
from pipeline.learning.models import preparation
from pipeline.learning.search.folds import prepared_folds
from pipeline.learning.splits import WalkForward
from pipeline.market.features import FEATURE_SETS
from pipeline.market.regimes import regimes as regimes_of
from pipeline.market.regimes import universe_moves
from pipeline.schemas import LABELS, TARGET, UNIVERSE_INDEX
from pipeline.serving.auditing import checks_of_version
from pipeline.stages import (
    audit,
    features,
    retrain,
)
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.audit.planted import BY_LOOKBACK, BY_NAME, LOOK_AHEAD
from tests.stages.stocked import SYMBOLS, asked_to_promote, bars, configured, newest
from tests.workspaces import delivery

pytestmark = pytest.mark.usefixtures("mlflow_store")


@pytest.fixture
def own(stocked: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    return Path(shutil.copytree(stocked, tmp_path / "own"))


def table() -> pd.DataFrame:
    """The artifact of the newest audit, as text."""
    content = run_files.read_text(newest("audit").info.run_id, f"{Tables.AUDIT}.csv")
    assert content is not None
    return pd.read_csv(StringIO(content), dtype="str", keep_default_na=False)


def refused(settings: Settings) -> str:
    """What a failing audit says."""
    with pytest.raises(Refused) as caught:
        step("audit", audit.run, settings)
    assert caught.value.exit_code == 1
    return str(caught.value)


def look_only_at(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Audits of this test make these checks of the store and the recipe; all take 15 s of CPU."""
    for group in ("checks_of_market", "checks_of_recipe"):
        original = getattr(audit, group)

        def chosen(*args: Any, original: Any = original) -> dict[str, Check]:
            return {name: check for name, check in original(*args).items() if name in names}

        monkeypatch.setattr(audit, group, chosen)


def leaks(check: str) -> pd.DataFrame:
    listed = table()
    return listed[(listed["check"] == check) & (listed["column"] != "")]


CHECKS = {
    "truncation", "startup", "symbol_order", "labels", "folds", "preparation", "single_features",
    "permuted_labels", "shifted_labels", "reversed_time", "shuffled_symbols", "every_date", "join",
    "steps", "orders", "attributes",
}  # fmt: skip


def test_an_honest_store_and_recipe_pass_every_check(stocked: Path) -> None:
    step("audit", audit.run, configured(stocked))

    run = newest("audit")
    metrics = run.data.metrics
    assert (metrics["audit/passed"], metrics["audit/leaks"]) == (1.0, 0.0)
    assert metrics["audit/values_checked"] > 100_000
    assert {name for name in CHECKS if metrics[f"audit/{name}_leaks"] == 0} == CHECKS
    assert all(f"time/audit_{name}_seconds" in metrics for name in CHECKS)
    assert set(table()["answer"]) == {"pass", "not looked at"}
    assert metrics["audit/seed"] == 7
    assert (run.info.status, run.data.tags["audit"]) == ("FINISHED", "passed")


def test_every_leaking_feature_is_named_with_symbol_session_and_both_values(
    stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_at(monkeypatch, "truncation", "startup", "symbol_order", "single_features",
                 "shifted_labels", "reversed_time")  # fmt: skip
    planted = (*LOOK_AHEAD, BY_NAME, BY_LOOKBACK)
    monkeypatch.setitem(FEATURE_SETS, "planted", (*FEATURE_SETS["classic"], *planted))
    chosen = configured(stocked, "features.name=planted")
    step("features", features.run, chosen)

    said = refused(chosen)

    truncated = leaks("truncation")
    assert set(truncated["column"]) >= {feature.name for feature in LOOK_AHEAD}
    assert set(truncated["column"]) <= {feature.name for feature in planted}
    assert set(truncated["symbol"]) <= set(SYMBOLS)
    assert set(leaks("startup")["column"]) >= {"leak_of_all_history"}
    assert set(leaks("symbol_order")["column"]) == {"leak_of_name"}
    assert {"leak_return_of_t", "leak_rank_of_t", "leak_market_of_t"} <= set(
        leaks("single_features")["column"]
    )
    assert not leaks("shifted_labels").empty
    assert not leaks("reversed_time").empty
    first = truncated.iloc[0]
    for part in ("column", "symbol", "session", "stored", "recomputed"):
        assert first[part] in said
    with Workspace.open(chosen) as workspace:
        stored = workspace.snapshot_store.read(pd.DatetimeIndex([first["session"]]))
    value = stored.loc[(first["session"], first["symbol"]), first["column"]]
    assert first["stored"] == str(np.float32(value))
    run = newest("audit")
    assert (run.info.status, run.data.tags["verdict"]) == ("FAILED", "refused")
    assert run.data.metrics["audit/passed"] == 0
    assert run.data.metrics["audit/leaks"] >= len(table()[table()["column"] != ""])


def test_leaking_regimes_indicators_and_labels_are_named(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regimes by the close of t, a percentile among all history, RSI and label of another day."""
    look_only_at(monkeypatch, "truncation", "labels")
    chosen = configured(own)
    with Workspace.open(chosen) as workspace, workspace.store.writer("test"):
        store = workspace.store
        panel = store.bar_panel()
        moves = universe_moves(panel).set_axis(panel.sessions[:-1])
        limits = chosen.regimes.model_dump(exclude={"days"})
        states = regimes_of(moves, panel.sessions, **limits)
        ranks = states["volatility_percentile"].rank(pct=True)
        store.write_regimes(states.assign(volatility_percentile=100 * ranks), UNIVERSE_INDEX)
        measured = store.indicator_panel()
        store.write_indicators(measured | {"rsi_14": measured["rsi_14"].shift(-1)})
        kept = store.labels().unstack("symbol")
        store.write_labels({name: kept[name] for name in LABELS} | {TARGET: kept[TARGET].shift()})
    step("features", features.run, chosen)

    refused(chosen)

    found = leaks("truncation")
    by_column = found.drop_duplicates("column").set_index("column")
    assert by_column.loc["regimes.volatility_percentile", "symbol"] == UNIVERSE_INDEX
    assert {"regimes.slope_20", "indicators.rsi_14", "rsi"} <= set(by_column.index)
    assert not {"indicators.macd", "indicators.obv", "return_1"} & set(by_column.index)
    assert (found["stored"] != found["recomputed"]).all()
    assert "intraday_return" in set(leaks("labels")["column"])


def row_wise(self: WalkForward, X, y=None, groups=None):
    """Cuts by rows: the half of a session is trained on, the other half validated."""
    half = len(groups) // 2 + 7
    yield np.arange(half), np.arange(half, len(groups))


def imputed_on_all_rows(dataset, splitter, target, *, max_rows=None):
    """Folds whose imputer and encoder were fitted before the split."""
    everywhere = preparation(dataset.numeric, dataset.categorical).fit(dataset.features)
    made = prepared_folds(dataset, splitter, target, max_rows=max_rows)
    pairs = splitter.split(dataset.features, groups=dataset.row_sessions)
    return [
        replace(
            fold,
            train_x=everywhere.transform(dataset.rows(train).at(fold.train_sessions).features),
            validation_x=everywhere.transform(dataset.rows(validated).features),
        )
        for fold, (train, validated) in zip(made, pairs, strict=True)
    ]


def test_folds_cut_by_rows_and_an_imputer_fitted_before_the_split_are_named(
    stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_at(monkeypatch, "folds", "preparation", "truncation")
    monkeypatch.setattr(WalkForward, "split", row_wise)
    monkeypatch.setattr(audit_folds, "prepared_folds", imputed_on_all_rows)

    refused(configured(stocked))

    cut = leaks("folds")
    assert cut["column"].unique().tolist() == ["fold 0: session cut", "fold 0: embargo"]
    assert set(cut["symbol"]) <= set(SYMBOLS)
    assert {"return_1", "rsi"} <= set(leaks("preparation")["column"])
    assert newest("audit").data.metrics["audit/truncation_leaks"] == 0


def test_results_that_are_older_than_the_bars_are_not_audited(own: Path) -> None:
    chosen = configured(own)
    with Workspace.open(chosen) as workspace, workspace.store.writer("test"):
        store = workspace.store
        store.write_bars(delivery(bars().iloc[[4000]].assign(close=1.0, low=0.5)))

    with pytest.raises(NotReady, match="bars changed since indicators were made"):
        step("audit", audit.run, chosen)


def test_too_short_a_holdout_is_not_enough_evidence_and_no_pass(
    stocked: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_at(monkeypatch, "labels", "permuted_labels")
    said = refused(configured(stocked, "audit.holdout_days=12"))

    assert "no leak found, but not enough evidence in" in said
    run = newest("audit")
    assert (run.data.metrics["audit/passed"], run.data.metrics["audit/leaks"]) == (0.0, 0.0)
    assert run.data.tags["audit"] == "not enough evidence"


def challenger() -> tuple[str, dict[str, float], dict[str, str]]:
    """Run, its metrics, and the tags of the version."""
    version = registry.find(Aliases.CHALLENGER, who="test")
    return version.run_id, mlflow.get_run(version.run_id).data.metrics, version.tags


@pytest.fixture(scope="module")
def learned(stocked: Path) -> Path:
    """The folder, with a challenger."""
    step("retrain", retrain.run, configured(stocked))
    return stocked


def test_a_result_too_good_to_be_true_is_audited_before_it_is_promoted(
    learned: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_at(monkeypatch, "labels", "join")
    chosen = configured(learned)
    run_id, _, _ = challenger()
    MlflowClient().log_metric(run_id, "test/r2", 0.12)

    gates = asked_to_promote(chosen)

    promotion, audited = newest("promote"), newest("audit")
    _, metrics, tags = challenger()
    assert audited.data.tags["mlflow.parentRunId"] == promotion.info.run_id
    assert audited.data.metrics["audit/out_of_sample_leaks"] == 0
    assert audited.data.metrics["audit/served_leaks"] == 0
    assert (metrics["audit/passed"], tags["audit"]) == (1.0, "passed")
    assert gates.loc["no_leak_suspected", "answer"] == "pass"
    assert "audit/passed is 1" in gates.loc["no_leak_suspected", "explanation"]
    asked_to_promote(chosen)
    assert newest("audit").info.run_id == audited.info.run_id  # once is enough


def looked_at(check: str) -> list[str]:
    """First leak that a check of the challenger lists."""
    version = registry.find(Aliases.CHALLENGER, who="test")
    return list(checks_of_version(version)[check]().listed.iloc[0])


def test_predictions_of_sessions_that_were_trained_on_are_named(learned: Path) -> None:
    run_id, _, _ = challenger()
    stored = runs.read_frame(run_id, Artifacts.PREDICTIONS)
    trained = f"{mlflow.get_run(run_id).data.tags['window.end']}"
    first = stored.index[0]
    moved = stored.rename(index={first[0]: pd.Timestamp(trained)}, level="session")
    with mlflow.start_run(run_id=run_id):
        runs.log_frame(moved, Artifacts.PREDICTIONS)

    assert looked_at("out_of_sample") == [
        "prediction", first[1], trained, f"predicted {trained}", f"trained until {trained}",
    ]  # fmt: skip


def test_a_model_that_no_longer_predicts_the_same_is_named(learned: Path) -> None:
    run_id, _, _ = challenger()
    kept = runs.read_frame(run_id, Artifacts.CHECK_PREDICTIONS)
    due = kept.loc[3, "prediction"]
    kept.loc[3, "prediction"] += 1e-4
    with mlflow.start_run(run_id=run_id):
        runs.log_frame(kept, Artifacts.CHECK_PREDICTIONS)

    assert looked_at("served") == [
        "prediction", kept.loc[3, "symbol"], f"{kept.loc[3, 'session']:%Y-%m-%d}",
        str(kept.loc[3, "prediction"]), str(due),
    ]  # fmt: skip


def test_a_leaking_model_is_not_promoted_however_good_it_looks(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_only_at(monkeypatch, "truncation")
    monkeypatch.setitem(FEATURE_SETS, "planted", (*FEATURE_SETS["classic"], LOOK_AHEAD[0]))
    chosen = configured(own, "features.name=planted")
    step("features", features.run, chosen)
    step("retrain", retrain.run, chosen)
    _, metrics, _ = challenger()
    assert metrics["test/r2"] > 0.2

    gates = asked_to_promote(chosen)

    _, metrics, tags = challenger()
    assert (metrics["audit/passed"], tags["audit"]) == (0.0, "failed")
    assert gates.loc["no_leak_suspected", "answer"] == "fail"
    assert "leak_return_of_t" in set(leaks("truncation")["column"])
    assert registry.holder(Aliases.CHAMPION) is None
