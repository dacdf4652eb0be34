"""The checks of an audit, ready to be called; what they look at comes from the store."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import NotReady
from pipeline.io import models, registry
from pipeline.io.store import Store
from pipeline.leaks import Checked, compared, places_of, together
from pipeline.learning import audit_folds, audit_skill
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.folds import capped
from pipeline.learning.models import assemble, fit, predictions
from pipeline.learning.splits import Step, holdout_step
from pipeline.learning.targets import Target
from pipeline.market import audit as market_audit
from pipeline.market.audit import Calculation, History, Recalculation, Rows
from pipeline.market.labels import labels
from pipeline.schemas import ROW, SESSION
from pipeline.settings import Settings
from pipeline.stages import _build, _data, _evidence, _predictions
from pipeline.stages._evaluation import TRAINED_UNTIL
from pipeline.stages._index import market_index, regimes
from pipeline.stages._recipe import feature_set, learned_features, row_selection
from pipeline.stages.features import missing_sessions

Check = Callable[[], Checked]


EQUAL = 1e-6
"""Relative distance below which predictions made on two types of processor are equal."""


def of_market(settings: Settings, store: Store) -> dict[str, Check]:
    """Whether what the store and the snapshots hold follows from what was known."""
    sessions = _audited_sessions(settings, store)
    bars = store.bar_panel()
    history = History(
        bars=bars,
        index_bars=store.bar_panel(kind="index"),
        symbols=store.symbols("stock"),
        short_sessions=_data.short_sessions(settings, bars.sessions),
    )
    made = Recalculation(
        features=feature_set(settings),
        index=market_index(settings, store).symbol,
        limits=settings.regimes.model_dump(exclude={"days"}),
        selection=row_selection(settings),
    )
    states = market_audit.under(regimes(settings, store), made.index)
    stored: list[tuple[Calculation, Rows]] = [
        (made.indicators, _indicators(store, bars.sessions, sessions)),
        (made.regimes, _by_session(states, sessions)),
        (made.snapshots, _by_session(_data.snapshot_store(settings).read(sessions), sessions)),
    ]
    anew = cache(lambda calculate: market_audit.recalculated(calculate, history, sessions))
    return {
        "truncation": lambda: together(
            market_audit.truncation(rows, anew(calculate)) for calculate, rows in stored
        ),
        "startup": lambda: market_audit.startup(made, history, sessions),
        "symbol_order": lambda: market_audit.symbol_order(
            made.snapshots, history, anew(made.snapshots), settings.seed
        ),
        "labels": lambda: _labels(store, history, sessions),
    }


def of_recipe(settings: Settings, store: Store, version: ModelVersion | None) -> dict[str, Check]:
    """Whether folds see what they validate, and whether there is skill where none can be."""
    asked, target = settings.audit, Target(**settings.model.target.model_dump())
    windows = _windows(settings, store, version)
    everything = _dataset(settings, store, windows)
    learned = [feature.name for feature in learned_features(settings)]
    dataset = replace(everything, features=everything.features[learned])
    development, splitter = dataset.at(windows.development), _build.splitter(settings)
    _data.require_rows("audit", "development", development, splitter)
    pairs = list(splitter.split(development.features, groups=development.row_sessions))
    embargo, max_rows = splitter.embargo_sessions, settings.hpo.max_rows
    prepare = partial(audit_folds.prepared_fold, splitter, target=target, max_rows=max_rows)
    recipe = audit_skill.Recipe(
        forecast=partial(_forecast, settings, target),
        dataset=dataset,
        windows=windows,
        bounds=audit_skill.Bounds(asked.suspicious_ic, asked.suspicious_t),
        seed=settings.seed,
    )
    return {
        "folds": lambda: audit_folds.fold_cuts(development, pairs, gap_before=embargo),
        "preparation": lambda: audit_folds.fitted_inside(
            development, pairs, prepare, seed=settings.seed
        ),
        "single_features": lambda: audit_skill.single_features(everything, recipe.bounds),
        "permuted_labels": lambda: audit_skill.permuted_labels(recipe, asked.permutations),
        "shifted_labels": lambda: audit_skill.shifted_labels(recipe),
        "reversed_time": lambda: audit_skill.reversed_time(recipe, embargo),
        "shuffled_symbols": lambda: audit_skill.shuffled_symbols(recipe),
    }


def of_model(version: ModelVersion) -> dict[str, Check]:
    """Whether a registered model's predictions are out of sample, and its own."""
    return {
        "out_of_sample": lambda: _out_of_sample(version),
        "served": lambda: _served(version),
    }


def _audited_sessions(settings: Settings, store: Store) -> pd.DatetimeIndex:
    """Sessions spread over those whose stored results are of the bars as they are now."""
    sessions = _data.require_bars(store, "audit")
    for stage in ("indicators", "regimes", "labels"):
        if not _data.stale_since(store, stage, ("bars",)).empty:
            raise NotReady(
                "audit", f"bars changed since {stage} were made", "both of the same bars",
                f"mlflow run . -e {stage}",
            )  # fmt: skip
    calendar = _data.with_next(sessions, _data.next_session(settings, sessions[-1]))
    grown = calendar[settings.features.min_history :]
    current = grown.difference(missing_sessions(settings, store, grown))
    if current.empty:
        raise NotReady(
            "audit",
            f"no snapshots of features={settings.features.name} to audit",
            "snapshots of the bars as they are",
            f"mlflow run . -e features -P overrides=features={settings.features.name}",
        )
    return market_audit.spread(current, settings.audit.sessions, settings.seed)


def _by_session(rows: pd.DataFrame, sessions: pd.DatetimeIndex) -> Rows:
    of_row = rows.index.get_level_values(SESSION)
    return {session: rows[of_row == session] for session in sessions}


def _indicators(store: Store, closed: pd.DatetimeIndex, sessions: pd.DatetimeIndex) -> Rows:
    """As of the close before each session."""
    closes = {session: closed[closed < session][-1] for session in sessions}
    return {
        session: market_audit.at_close(store.indicator_panel(close, close), close)
        for session, close in closes.items()
    }


def _labels(store: Store, history: History, sessions: pd.DatetimeIndex) -> Checked:
    """Outcomes of a session against its own bars: a label of another session is a leak as well."""
    parts = []
    for session in sessions.intersection(store.label_ready_sessions()):
        bars = history.bars.loc(pd.DatetimeIndex([session]))
        panel = labels(bars, store.final_mask(session, session))
        outcomes = pd.DataFrame({name: frame.loc[session] for name, frame in panel.items()})
        kept = pd.concat({session: outcomes.dropna(how="all")}, names=ROW)
        parts.append(compared(store.labels(session, session), kept))
    return together(parts)


def _windows(settings: Settings, store: Store, version: ModelVersion | None) -> Step:
    """Development and holdout of the audit; a model's audit ends where its own holdout ended."""
    asked, last = settings.audit, settings.audit.last
    if last is None and version is not None:
        last = pd.Timestamp(mlflow.get_run(version.run_id).data.tags[_evidence.LAST_TAG])
    return holdout_step(
        store.label_ready_sessions(),
        window_days=asked.window_days,
        holdout_days=asked.holdout_days,
        embargo_sessions=settings.cv.embargo_sessions,
        start=asked.first,
        end=last,
    )


def _dataset(settings: Settings, store: Store, windows: Step) -> Dataset:
    """Rows of both windows with all features of the set, also those the recipe leaves out."""
    sessions = windows.development.union(windows.predicted)
    rows = _data.snapshot_store(settings).read(sessions, _data.universe(settings))
    return join(rows, store.labels(sessions[0], sessions[-1]))


def _forecast(settings: Settings, target: Target, train: Dataset, test: Dataset) -> pd.Series:
    """The configured model with its initial parameters, its learners weighted equally."""
    rows = capped(train, settings.audit.max_rows)
    learners = {
        learner.name: learner.estimator(seed=settings.seed) for learner in _build.learners(settings)
    }
    equal = dict.fromkeys(learners, 1.0 / len(learners))
    pipeline = assemble(learners, equal, numeric=rows.numeric, categorical=rows.categorical)
    return predictions(fit(pipeline, rows, target), test.features)


def _out_of_sample(version: ModelVersion) -> Checked:
    """Every stored prediction is of a session after all that its model learned from."""
    stored = _predictions.stored(version)
    tags = mlflow.get_run(version.run_id).data.tags
    if TRAINED_UNTIL in stored:
        until = pd.DatetimeIndex(stored[TRAINED_UNTIL])
    elif tags.get("evaluation") == "holdout":
        until = pd.DatetimeIndex([tags["window.end"]]).repeat(len(stored))
    else:
        said = f"the stored predictions do not say until when each was {TRAINED_UNTIL}"
        return Checked(len(stored), enough=False, said=said)
    sessions = pd.DatetimeIndex(stored.index.get_level_values(SESSION))
    inside = np.asarray(sessions <= until)
    learned = [f"trained until {day:%Y-%m-%d}" for day in until[inside]]
    predicted = [f"predicted {day:%Y-%m-%d}" for day in sessions[inside]]
    found = places_of("prediction", stored.index[inside], predicted, learned)
    return replace(found, count=len(stored), enough=len(stored) > 0)


def _served(version: ModelVersion) -> Checked:
    """The registered model repeats the predictions that were kept with it."""
    run_id = str(version.run_id)
    kept = models.read_frame(run_id, models.CHECK_PREDICTIONS).set_index(ROW)
    inputs = models.read_frame(run_id, models.CHECK_INPUTS)
    now = predictions(registry.load(version), inputs.set_axis(kept.index)).to_frame()
    return compared(kept, now.mask(np.isclose(now, kept, rtol=EQUAL, atol=0.0), kept))
