"""What an audit looks at: the store, the snapshots, a recipe, a registered version."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

import mlflow
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.audit import model
from pipeline.audit.checks import Check, CheckResult
from pipeline.audit.folds import fold_checks
from pipeline.audit.recomputation import (
    History,
    Recomputation,
    Rows,
    indicator_rows,
    regime_rows,
    rows_by_session,
    sample_sessions,
)
from pipeline.audit.skill import AuditedRecipe, Bounds, skill_checks
from pipeline.audit.truncation import StoredResults, market_checks
from pipeline.commands import Command
from pipeline.contract import Artifacts, Tags
from pipeline.errors import NotReady
from pipeline.io.store.coverage import missing_sessions
from pipeline.io.store.store import Store
from pipeline.io.tracking import runs, safe_models
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.models import assemble, fit, predictions
from pipeline.learning.search.folds import capped
from pipeline.learning.windows import Step, holdout_step
from pipeline.recipe.evaluate import TRAINED_UNTIL
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import ROW
from pipeline.serving import versions
from pipeline.workspace import Workspace


class Limits(Protocol):
    """How much is audited, and what is too good to be true; see ``audit`` in conf/config.yaml."""

    sessions: int
    window_days: int
    holdout_days: int
    permutations: int
    max_rows: int
    suspicious_ic: float
    suspicious_t: float

    @property
    def first(self) -> pd.Timestamp | None:
        """First day of development."""
        ...

    @property
    def last(self) -> pd.Timestamp | None:
        """Last day of the holdout."""
        ...


def checks_of_market(workspace: Workspace, count: int, seed: int) -> dict[str, Check]:
    """Whether what the store and the snapshots hold follows from what was known.

    Parameters
    ----------
    count
        Sessions that are recomputed, spread over history.
    """
    store, features = workspace.store, workspace.features
    sessions = _audited_sessions(workspace, count, seed)
    bars = store.bar_panel()
    history = History(
        bars=bars,
        index_bars=store.bar_panel(kind="index"),
        symbols=store.symbols("stock"),
        short_sessions=workspace.short_sessions(bars.sessions),
    )
    recomputation = Recomputation(
        features=features.features,
        index=workspace.index.symbol,
        limits=dict(features.limits),
        selection=dict(features.rows),
    )
    states = regime_rows(workspace.regimes(), recomputation.index)
    labelled = sessions.intersection(store.label_ready_sessions())
    stored = StoredResults(
        indicators=_indicators(store, bars.sessions, sessions),
        regimes=rows_by_session(states, sessions),
        snapshots=rows_by_session(workspace.snapshot_store.read(sessions), sessions),
        labels={session: store.labels(session, session) for session in labelled},
        final={session: store.final_mask(session, session) for session in labelled},
    )
    return market_checks(stored, recomputation, history, sessions, seed=seed)


def checks_of_recipe(
    workspace: Workspace, recipe: Recipe, limits: Limits, version: ModelVersion | None
) -> dict[str, Check]:
    """Whether folds see what they validate, and whether there is skill where none can be."""
    windows = _windows(workspace, recipe, limits, version)
    everything = _dataset(workspace, windows)
    dataset = replace(everything, features=everything.features[recipe.columns])
    development = dataset.at(windows.development)
    recipe.require_rows("audit", "development", development)
    audited = AuditedRecipe(
        forecast=partial(_forecast, recipe, limits.max_rows),
        dataset=dataset,
        windows=windows,
        bounds=Bounds(limits.suspicious_ic, limits.suspicious_t),
        seed=recipe.seed,
    )
    return fold_checks(
        development,
        recipe.splitter,
        target=recipe.target,
        max_rows=recipe.plan.max_rows,
        seed=recipe.seed,
    ) | skill_checks(
        everything,
        audited,
        permutations=limits.permutations,
        gap_sessions=recipe.splitter.gap_sessions,
    )


def checks_of_version(version: ModelVersion) -> dict[str, Check]:
    """Whether a registered model's predictions are out of sample, and its own."""
    return {
        "out_of_sample": lambda: _out_of_sample(version),
        "served": lambda: _served(version),
    }


def _audited_sessions(workspace: Workspace, count: int, seed: int) -> pd.DatetimeIndex:
    """Sessions spread over those whose stored results are of the bars as they are now."""
    sessions, features = workspace.require_bars("audit"), workspace.features
    for stage in ("indicators", "regimes", "labels"):
        if not workspace.changes_since(stage, ("bars",)).empty:
            raise NotReady(
                "audit", f"bars changed since {stage} were made", "both of the same bars",
                Command(stage),
            )  # fmt: skip
    grown = workspace.with_next(sessions)[features.rows.min_history :]
    missing = missing_sessions(workspace.store, workspace.snapshot_store, grown, features.warm_up)
    current = grown.difference(missing)
    if current.empty:
        raise NotReady(
            "audit",
            f"no snapshots of features={features.name} to audit",
            "snapshots of the bars as they are",
            Command("features", f"features={features.name}"),
        )
    return sample_sessions(current, count, seed)


def _indicators(store: Store, closed: pd.DatetimeIndex, sessions: pd.DatetimeIndex) -> Rows:
    """As of the close before each session."""
    closes = {session: closed[closed < session][-1] for session in sessions}
    return {
        session: indicator_rows(store.indicator_panel(close, close), close)
        for session, close in closes.items()
    }


def _windows(
    workspace: Workspace, recipe: Recipe, limits: Limits, version: ModelVersion | None
) -> Step:
    """Development and holdout of the audit; a model's audit ends where its own holdout ended."""
    last = limits.last
    if last is None and version is not None:
        last = pd.Timestamp(mlflow.get_run(version.run_id).data.tags[Tags.HOLDOUT_END])
    return holdout_step(
        workspace.store.label_ready_sessions(),
        window_days=limits.window_days,
        holdout_days=limits.holdout_days,
        gap_sessions=recipe.splitter.gap_sessions,
        expanding=False,
        start=limits.first,
        end=last,
    )


def _dataset(workspace: Workspace, windows: Step) -> Dataset:
    """Rows of both windows with all features of the set, also those the recipe leaves out."""
    sessions = windows.development.union(windows.predicted)
    rows = workspace.snapshot_store.read(sessions, workspace.members)
    return join(rows, workspace.store.labels(sessions[0], sessions[-1]))


def _forecast(recipe: Recipe, max_rows: int, train: Dataset, test: Dataset) -> pd.Series:
    """The configured model with its initial parameters, its learners weighted equally."""
    rows = capped(train, max_rows)
    learners = {own.name: own.unfitted(seed=recipe.seed) for own in recipe.learners}
    equal = dict.fromkeys(learners, 1.0 / len(learners))
    pipeline = assemble(learners, equal, numeric=rows.numeric, categorical=rows.categorical)
    return predictions(fit(pipeline, rows, recipe.target), test.features)


def _out_of_sample(version: ModelVersion) -> CheckResult:
    """Stored predictions against the last session that the model of each learned from."""
    stored = versions.stored(version)
    tags = mlflow.get_run(version.run_id).data.tags
    trained_until = None
    if TRAINED_UNTIL in stored:
        trained_until = pd.DatetimeIndex(stored[TRAINED_UNTIL])
    elif tags.get(Tags.EVALUATION) == "holdout":
        trained_until = pd.DatetimeIndex([tags[Tags.WINDOW_END]]).repeat(len(stored))
    return model.out_of_sample(stored.index, trained_until)


def _served(version: ModelVersion) -> CheckResult:
    """The registered model against the predictions that were stored with it."""
    run_id = str(version.run_id)
    stored = runs.read_frame(run_id, Artifacts.CHECK_PREDICTIONS).set_index(ROW)
    inputs = runs.read_frame(run_id, Artifacts.CHECK_INPUTS)
    return model.served(stored, inputs, partial(predictions, safe_models.load(version)))
