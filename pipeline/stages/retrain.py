"""Retrain: search, evaluate out of sample, backtest, refit on the newest data, register."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.io import models, process, registry, tracking
from pipeline.io.store import Store
from pipeline.learning import splits
from pipeline.learning.dataset import Dataset, digest, model_inputs
from pipeline.learning.evaluation import by_group, out_of_sample_metrics, rank_ic
from pipeline.learning.splits import Step
from pipeline.learning.targets import Target
from pipeline.settings import ROOT, Settings
from pipeline.stages import (
    _build,
    _data,
    _evaluation,
    _evidence,
    _index,
    _report,
    _search,
    _trading,
)
from pipeline.stages._recipe import feature_version, learned_hashes, recipe, recipe_hash
from pipeline.stages._runner import command
from pipeline.trading.performance import summary
from pipeline.trading.promotion import verdict

log = logging.getLogger("pipeline.retrain")

FEW_TO_RANK = 30
"""Symbols a session from which on their order is worth learning."""


def run(settings: Settings) -> None:
    """Retrain from the store, after bringing it up to date unless `retrain.refresh=false`."""
    if settings.retrain.refresh:
        with tracking.timed("refresh"):
            _data.refresh(settings)
    with _data.open_store(settings) as store:
        work = prepared(settings, store)
        outcome = evaluated(settings, store, work)
        result = judged(settings, store, work, outcome)
        model = refitted(settings, work, outcome.chosen)
        version = _registered(settings, store, work, model, result)
        _report.write(settings, store, work, result, outcome.chosen, version)
    shutil.rmtree(work.journal, ignore_errors=True)


@dataclass(frozen=True)
class Work:
    """What a retrain learns from and is judged on.

    Attributes
    ----------
    steps
        Of the evaluation, in order.
    newest
        Sessions of the final refit.
    dataset
        All rows of all of these.
    journal
        Folder of what is done so far; removed when the retrain has ended.
    """

    steps: list[Step]
    newest: pd.DatetimeIndex
    dataset: Dataset
    digest: str
    journal: Path

    @property
    def development(self) -> pd.DatetimeIndex:
        """Sessions the newest evaluated model learned from."""
        return self.steps[-1].development

    @property
    def predicted(self) -> pd.DatetimeIndex:
        """Sessions predicted out of sample that have rows."""
        return self.dataset.sessions[
            (self.dataset.sessions >= self.steps[0].predicted[0])
            & (self.dataset.sessions <= self.steps[-1].predicted[-1])
        ]

    def rows(self, sessions: pd.DatetimeIndex) -> int:
        """Labelled rows of these sessions."""
        return int(self.dataset.row_sessions.isin(sessions).sum())

    @property
    def sentence(self) -> str:
        """The windows in words."""
        parts = {"development": self.development, "holdout": self.predicted}
        if len(self.steps) > 1:
            parts = {"newest development": self.development, "walked forward over": self.predicted}
        return ", ".join(
            f"{name} {part[0]:%Y-%m-%d}..{part[-1]:%Y-%m-%d}"
            f" ({len(part)} sessions, {self.rows(part):,} rows)"
            for name, part in parts.items()
        ) + (f", {len(self.steps)} refits" if len(self.steps) > 1 else "")


def prepared(settings: Settings, store: Store) -> Work:
    """Windows, rows and their digest; logged."""
    asked = settings.retrain
    ready = store.label_ready_sessions()
    if settings.evaluation.name == "walk_forward":
        dataset = _data.dataset(settings, store, _history(settings, ready))
        ready = dataset.sessions  # no window begins with sessions that have no snapshots
        steps = _data.walk_forward_steps(settings, ready)
    else:
        steps = [_data.holdout_step(settings, ready)]
    newest = splits.refit_window(
        ready, asked.window_days, expanding=asked.expanding, end=asked.last
    )
    if settings.evaluation.name == "holdout":
        sessions = steps[0].development.union(steps[0].predicted).union(newest)
        dataset = _data.dataset(settings, store, sessions)
        development = dataset.at(steps[0].development)
        _data.require_rows("retrain", "development", development, _build.splitter(settings))
    total = digest(dataset)
    name = f"{recipe_hash(settings)}-{total[:12]}-{settings.evaluation.name}"
    work = Work(steps, newest, dataset, total, settings.store.path.parent / "retrains" / name)
    _data.require_rows("retrain", "the refit window", dataset.at(newest), _build.splitter(settings))
    log.info("%s", work.sentence)
    for caution in _cautions(settings, dataset):
        log.info("%s", caution)
    _log_inputs(settings, work)
    return work


def _cautions(settings: Settings, dataset: Dataset) -> Iterator[str]:
    """What a reader should know of a target that these rows do not suit."""
    target = Target(**settings.model.target.model_dump())
    lacking = target.missing(dataset.features.columns)
    if lacking:
        yield (
            f"the target keeps what {' and '.join(lacking)} would explain of it: not among the "
            f"features of {settings.features.name}"
        )
    symbols = int(np.median(np.bincount(dataset.session_codes)))
    if target.ranked and symbols < FEW_TO_RANK:
        yield (
            f"model={settings.model.name} learns the order of the symbols, of which a session has "
            f"{symbols}: for fewer than {FEW_TO_RANK} choose features=classic"
        )


def _history(settings: Settings, ready: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """All sessions a walk-forward may learn from or predict."""
    first, last = settings.retrain.first, settings.retrain.last
    ready = ready if first is None else ready[ready >= first]
    return ready if last is None else ready[ready <= last]


def _log_inputs(settings: Settings, work: Work) -> None:
    content = settings.model_dump(mode="json", by_alias=True)
    content["model"].pop("learners")  # their spaces would bury what people compare: config.yaml
    tracking.log_settings(
        content,
        ("seed", "data", "universe", "features", "cv", "model", "hpo", "evaluation", "strategy",
         "backtest", "retrain"),
    )  # fmt: skip
    mlflow.log_dict(recipe(settings), "recipe.json")
    development = work.dataset.at(work.development)
    dropped = work.dataset.dropped
    mlflow.log_metrics(
        {
            "data/rows": len(development.returns),
            "data/sessions": len(development.sessions),
            "data/symbols": development.features.index.get_level_values("symbol").nunique(),
            "data/dropped_rows": sum(dropped.values()),
            **{f"data/dropped/{reason}": n for reason, n in dropped.items()},
        }
    )
    mlflow.set_tags(
        {
            **process.git_state(ROOT),
            **process.environment(ROOT),
            "recipe": recipe_hash(settings),
            "feature_set": settings.features.name,
            "feature_version": feature_version(settings),
            "data_source": settings.data.name,
            "universe": settings.universe.name,
            "evaluation": settings.evaluation.name,
            "data_digest": work.digest,
            "window.start": f"{work.development[0]:%Y-%m-%d}",
            "window.end": f"{work.development[-1]:%Y-%m-%d}",
            _evidence.FIRST_TAG: f"{work.predicted[0]:%Y-%m-%d}",
            _evidence.LAST_TAG: f"{work.predicted[-1]:%Y-%m-%d}",
        }
    )
    for context, part in (("development", work.development), ("holdout", work.predicted)):
        tracking.log_dataset(settings.data.name, digest(work.dataset.at(part)), context)


def evaluated(settings: Settings, store: Store, work: Work) -> _evaluation.OutOfSample:
    """Out-of-sample predictions of every step, and what was chosen on the way."""
    with tracking.timed("evaluate"):
        outcome = _evaluation.out_of_sample(settings, store, work.dataset, work.steps, work.journal)
    chosen = outcome.chosen
    mlflow.log_params(
        {f"best.{name}.{key}": v for name, best in chosen.params.items() for key, v in best.items()}
    )
    tracking.log_table(outcome.steps, "steps")
    if len(outcome.searches) > 1:
        tracking.log_table(_evaluation.searches_table(outcome), "searches")
    trials = sum(len(search.trials) for search in outcome.searches)
    told = ", ".join(f"{name} {weight:.3f}" for name, weight in chosen.weights.items())
    log.info("%d trials, weights of the learners: %s", trials, told)
    return outcome


def judged(
    settings: Settings,
    store: Store,
    work: Work,
    outcome: _evaluation.OutOfSample,
    looks: list[str] | None = None,
) -> _report.Result:
    """Metrics, backtest and gates of the predictions; logged.

    Parameters
    ----------
    looks
        Earlier looks at the same sessions; None: as the tracking store knows them now.
    """
    returns = work.dataset.at(work.predicted).returns
    predicted = outcome.predicted[_evaluation.PREDICTION]
    labelled, rivals = predicted.loc[returns.index], outcome.predicted.loc[returns.index]
    metrics = out_of_sample_metrics(
        returns, labelled, rivals[_evaluation.BASELINES], seed=settings.seed
    )
    metrics["test/ridge_pvalue"] = _evidence.worse_than_ridge(
        returns, labelled, rivals["ridge"], settings.seed
    )
    with tracking.timed("backtest"):
        traded = _trading.market(settings, store, work.predicted)
        books = _trading.books(settings, predicted, traded)
        metrics |= summary(books, _trading.benchmark(traded))
    metrics |= _evidence.robustness(settings, returns, predicted, traded)
    if looks is None:
        looks = _evidence.earlier_looks(settings, predicted, work.predicted)
    metrics |= _evidence.luck(books.net_returns, len(looks) + 1, settings.seed)
    answers = _evidence.gate_answers(settings, metrics)
    mlflow.log_metrics(metrics)
    mlflow.set_tags(
        {
            _evidence.PREDICTIONS_TAG: _evidence.predictions_digest(predicted),
            "verdict": verdict(answers),
        }
    )
    _evidence.log_looks(looks)
    _log_tables(outcome, returns, labelled, traded)
    until = outcome.predicted[_evaluation.TRAINED_UNTIL]
    stored = {"prediction": predicted, "intraday_return": returns, until.name: until}
    models.log_frame(pd.DataFrame(stored), models.PREDICTIONS)
    return _report.Result(books, traded, metrics, answers, rank_ic(returns, labelled))


def _log_tables(
    outcome: _evaluation.OutOfSample,
    returns: pd.Series,
    labelled: pd.Series,
    traded: _trading.Market,
) -> None:
    """Skill by year and by regime, and by length of the window."""
    days = pd.DatetimeIndex(traded.regimes.index)
    years = pd.Series(days.year.astype(str), days)
    for name, groups in (("by_year", years), ("by_regime", traded.regimes)):
        table = by_group(returns, labelled, groups)
        tracking.log_table(table.rename_axis(name.removeprefix("by_")).reset_index(), name)
    curve = _evaluation.learning_curve(outcome, returns)
    if len(curve):
        tracking.log_table(curve, "learning_curve")


def refitted(settings: Settings, work: Work, chosen: _search.Chosen) -> Pipeline:
    """The chosen parameters, fitted on the newest window."""
    newest = work.dataset.at(work.newest)
    with tracking.timed("refit"):
        weights = _search.refitted_weights(settings, newest, chosen)
        model = _evaluation.fitted(settings, chosen.params, newest, weights)
    mlflow.log_metrics(
        {
            "refit/slope": sum(weights.values()),
            **{f"refit/weight_{name}": weight for name, weight in weights.items()},
        }
    )
    return model


def _registered(
    settings: Settings, store: Store, work: Work, model: Pipeline, result: _report.Result
) -> int:
    """Log the model, register it and move `challenger`."""
    with tracking.timed("log_model"):
        models.log_features(learned_hashes(settings))
        uri = models.log_model(model, model_inputs(work.dataset.at(work.newest).features))
        tags = {
            "data_source": settings.data.name,
            "universe": settings.universe.name,
            "recipe": recipe_hash(settings),
            "feature_set": settings.features.name,
            "market_index": _index.market_index(settings, store).symbol,
            "trained_until": f"{work.newest[-1]:%Y-%m-%d}",
            "verdict": verdict(result.answers),
            **_evidence.gate_tags(result.answers),
        }
        return registry.register(uri, tracking.current_run_id(), tags)


if __name__ == "__main__":
    command("retrain", run)
