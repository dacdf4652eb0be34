"""What an audit looks at: the store, the snapshots, a recipe, a registered version."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Protocol

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.audit.checks import Check
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
from pipeline.audit.single import Bounds
from pipeline.audit.skill import AuditedRecipe, skill_checks
from pipeline.audit.truncation import StoredResults, every_date, market_checks
from pipeline.commands import Command
from pipeline.contract import Tags
from pipeline.errors import NotReady
from pipeline.io.sources.universe import members
from pipeline.io.store.coverage import missing_sessions
from pipeline.io.store.store import Store
from pipeline.io.tracking import runs
from pipeline.io.tracking.values import ModelVersion
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.models import assemble, fit, predictions
from pipeline.learning.search.folds import capped
from pipeline.learning.windows import Step, holdout_step
from pipeline.recipe.data import decided
from pipeline.recipe.recipe import Recipe
from pipeline.serving import audited_model
from pipeline.serving.audited_decisions import decision_checks
from pipeline.serving.audited_indication import checks_of_indication, holdout_forecasts
from pipeline.workspace import Workspace


class Limits(Protocol):
    """How much is audited, and what is too good to be true; see ``audit`` in conf/config.yaml."""

    sessions: int
    dates: int | None
    symbols: int
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


def checks_of_market(workspace: Workspace, limits: Limits, seed: int) -> dict[str, Check]:
    """Whether what the store and the snapshots hold follows from what was known.

    Parameters
    ----------
    seed
        Draws the sessions and symbols that are recomputed.

    Raises
    ------
    NotReady
        Indicators, regimes or labels are of other bars than the store has now, or no session has
        current snapshots.
    """
    store, features = workspace.store, workspace.features
    current = _current_sessions(workspace)
    sessions = sample_sessions(current, limits.sessions, seed)
    with_bars = current.intersection(store.sessions())
    dates = sample_sessions(with_bars, limits.dates or len(with_bars), seed)
    bars = store.bar_panel()
    history = History(
        bars=bars,
        index_bars=store.bar_panel(kind="index"),
        symbols=store.symbols("stock"),
        short_sessions=workspace.short_sessions(bars.sessions),
        members=None if workspace.dated is None else members(workspace.dated, sessions),
        price_factor=store.price_factor(bars.sessions),
    )
    recomputation = Recomputation(
        features=features.features,
        index=workspace.index.symbol,
        limits=dict(features.limits),
        selection=dict(features.rows),
    )
    states = regime_rows(workspace.regimes(), recomputation.index)
    labelled = dates.union(sessions).intersection(store.label_ready_sessions())
    few = few_of(history, limits.symbols, seed)
    stored = StoredResults(
        indicators=_indicators(store, bars.sessions, sessions),
        regimes=rows_by_session(states, sessions),
        snapshots=rows_by_session(workspace.snapshot_store.read(sessions), sessions),
        labels=rows_by_session(store.labels(labelled[0], labelled[-1]), labelled),
        final=_final(store, labelled),
    )
    return market_checks(stored, recomputation, history, sessions, seed=seed) | {
        "every_date": lambda: every_date(
            recomputation, few, dates, workspace.snapshot_store.read(dates, tuple(few.bars.symbols))
        )
    }


def checks_of_recipe(
    workspace: Workspace, recipe: Recipe, limits: Limits, version: ModelVersion | None, seed: int
) -> dict[str, Check]:
    """Whether folds see what they validate, and whether there is skill where none can be.

    Parameters
    ----------
    seed
        Of all that is drawn; the recipe's fits keep their own.
    """
    windows = _windows(workspace, recipe, limits, version)
    everything = _dataset(workspace, windows)
    dataset = decided(
        recipe, replace(everything, features=everything.features[recipe.columns]), workspace
    )
    development = dataset.at(windows.development)
    recipe.require_rows("audit", "development", development)
    audited = AuditedRecipe(
        forecast=partial(_forecast, recipe, limits.max_rows),
        dataset=dataset,
        windows=windows,
        bounds=Bounds(limits.suspicious_ic, limits.suspicious_t),
        seed=seed,
    )
    return {
        **fold_checks(
            development, recipe.splitter, target=recipe.target, max_rows=recipe.plan.max_rows,
            seed=seed,
        ),
        **decision_checks(
            workspace, recipe, audited, limits.max_rows, limits.sessions,
            lambda: holdout_forecasts(
                recipe, workspace, _fitted(recipe, limits.max_rows, development),
                dataset.at(windows.predicted),
            ),
        ),
        **checks_of_indication(workspace, recipe, dataset, limits.sessions, seed),
        **skill_checks(
            everything,
            audited,
            permutations=limits.permutations,
            gap_sessions=recipe.splitter.gap_sessions,
        ),
    }  # fmt: skip


def checks_of_version(version: ModelVersion) -> dict[str, Check]:
    """Whether a registered model's predictions are out of sample, and its own."""
    return {
        "out_of_sample": partial(audited_model.out_of_sample, version),
        "served": partial(audited_model.served, version),
    }


def few_of(history: History, count: int, seed: int) -> History:
    """The history of so many symbols, drawn at random."""
    names = np.random.default_rng(seed).permutation(history.bars.symbols)[:count]
    chosen = pd.Index(np.sort(names))
    bars = history.bars.loc(slice(None), chosen)
    return replace(history, bars=bars, symbols=history.symbols.reindex(chosen))


def _final(store: Store, sessions: pd.DatetimeIndex) -> dict[pd.Timestamp, pd.DataFrame]:
    mask = store.final_mask(sessions[0], sessions[-1])
    return {session: mask.loc[[session]] for session in sessions}


def _current_sessions(workspace: Workspace) -> pd.DatetimeIndex:
    """Sessions whose stored results are of the bars as they are now."""
    sessions, features = workspace.require_bars("audit"), workspace.features
    for stage in ("indicators", "regimes", "labels"):
        if not workspace.changes_since(stage, ("bars",)).empty:
            raise NotReady(
                "audit", f"bars changed since {stage} were made", "both of the same bars",
                Command(stage),
            )  # fmt: skip
    grown = workspace.with_next(sessions)
    missing = missing_sessions(workspace.store, workspace.snapshot_store, grown, features.warm_up)
    current = grown[features.rows.min_history :].difference(missing)
    if current.empty:
        raise NotReady(
            "audit",
            f"no snapshots of features={features.name} to audit",
            "snapshots of the bars as they are",
            Command("features"),
        )
    return current


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
        last = pd.Timestamp(runs.tags_of(version.run_id)[Tags.HOLDOUT_END])
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
    rows = workspace.member_rows(sessions)
    return join(rows, workspace.store.labels(sessions[0], sessions[-1]))


def _forecast(recipe: Recipe, max_rows: int, train: Dataset, test: Dataset) -> pd.Series:
    return predictions(_fitted(recipe, max_rows, train), test.features)


def _fitted(recipe: Recipe, max_rows: int, train: Dataset) -> Pipeline:
    """The configured model with its initial parameters, its learners weighted equally."""
    rows = capped(train, max_rows)
    learners = {learner.name: learner.unfitted(seed=recipe.seed) for learner in recipe.learners}
    equal = dict.fromkeys(learners, 1.0 / len(learners))
    pipeline = assemble(learners, equal, numeric=rows.numeric, categorical=rows.categorical)
    return fit(pipeline, rows, recipe.target)
