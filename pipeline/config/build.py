"""From the settings to what the rooms work with: recipe, rules, features, source, selection."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.config import installed
from pipeline.config.sections import Compute, Named, Requested, Traded
from pipeline.config.settings import Settings
from pipeline.io.calendar import usual_sessions
from pipeline.io.sources.opening import open_source
from pipeline.io.sources.protocol import Provider
from pipeline.io.sources.universe import Universe, of_names, read_universe, spelling
from pipeline.learning.pool import Pool, Threads
from pipeline.recipe.feature_set import FeatureSet
from pipeline.recipe.windows import WindowPlan
from pipeline.selection import Selection
from pipeline.stats.returns import sessions_a_year
from pipeline.trading.rules import Rules

if TYPE_CHECKING:
    from pipeline.recipe.recipe import Recipe


def rules(settings: Settings) -> Rules:
    """The strategy's rules, with the backtest's number of positions."""
    return Traded(strategy=settings.strategy, backtest=settings.backtest).rules


def feature_set(settings: Settings) -> FeatureSet:
    """The chosen features with their rows and the limits of regimes."""
    chosen = settings.features
    return FeatureSet(
        name=chosen.name,
        features=installed.feature_set(chosen.name),
        rows=chosen.rows,
        limits=settings.regimes.limits,
        min_window=chosen.min_window_for_session_features,
        usual_sessions=partial(usual_sessions, settings.data.exchange_calendar),
    )


def window_plan(settings: Settings) -> WindowPlan:
    """How much history is learned from, and how the result is judged."""
    return WindowPlan(
        window=settings.retrain.window,
        evaluation=settings.evaluation,
        gap_sessions=settings.cv.gap_sessions,
        min_sessions=settings.cv.needed_sessions,
        sessions_a_year=sessions_a_year(usual_sessions(settings.data.exchange_calendar)),
    )


def recipe(settings: Settings) -> Recipe:
    """What decides a model before it sees data."""
    from pipeline.recipe.recipe import Recipe

    model, windows, features = settings.model, window_plan(settings), feature_set(settings)
    return Recipe(
        name=model.name,
        features=features.learned(windows.window_sessions),
        rows=features.rows,
        target=model.target,
        learners=tuple(model.learners.values()),
        weights=model.weights,
        min_slope=model.min_slope,
        splitter=settings.cv,
        plan=settings.hpo,
        windows=windows,
        rules=rules(settings),
        bankroll=settings.backtest.bankroll,
        limits=features.limits,
        data={
            "market_index": settings.data.market_index,
            "exchange_calendar": settings.data.exchange_calendar,
            "adjust_dividends": getattr(settings.data, "adjust_dividends", True),
        },
        seed=settings.seed,
        decision=settings.decision,
    )


def pool(compute: Compute, who: str) -> AbstractContextManager[Pool]:
    """Where a stage's fits run: threads here, or a Dask cluster."""
    if compute.name == "local":
        return nullcontext(Threads(compute.workers))
    from pipeline.io.cluster.pool import opened

    return opened(
        who, workers=compute.workers, threads=compute.threads, address=compute.address,
        wait_seconds=compute.wait_seconds,
    )  # fmt: skip


def source(settings: Named) -> Provider:
    """Where bars come from."""
    return open_source(settings.data, universe(settings))


def selection(settings: Requested) -> Selection:
    """Sessions and symbols that a command is for."""
    first, last = settings.day or settings.start_date, settings.day or settings.end_date
    return Selection(
        first=None if first is None else pd.Timestamp(first),
        last=None if last is None else pd.Timestamp(last),
        exchange=settings.exchange,
        symbols=named_symbols(settings),
    )


def universe(settings: Named) -> Universe | None:
    """The universe of the chosen file; None for every symbol of the store.

    Yahoo is queried by name: without a file the symbols given by name are its universe.
    """
    path, spell = settings.universe.path, spelling(settings.data)
    if path is not None:
        return read_universe(path, spell, settings.universe.max_megabytes)
    return of_names(map(spell, settings.symbols or ())) if settings.names_universe else None


def members(settings: Named) -> tuple[str, ...] | None:
    """Symbols that ever were in the universe's file; None for every symbol of the store."""
    chosen = universe(settings)
    return None if chosen is None else chosen.symbols


def named_symbols(settings: Named) -> tuple[str, ...] | None:
    """Symbols requested among others; None where none is."""
    if not settings.symbols or settings.names_universe:
        return None
    return tuple(map(spelling(settings.data), settings.symbols))
