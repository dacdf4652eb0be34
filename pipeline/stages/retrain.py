"""Retrain: search, evaluate out of sample, backtest, refit on the newest data, register."""

from __future__ import annotations

import logging
import shutil

import mlflow
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.io import models, registry, tracking
from pipeline.io.store import Store
from pipeline.learning.dataset import model_inputs
from pipeline.learning.evaluation import by_group, out_of_sample_metrics
from pipeline.learning.scores import rank_ic
from pipeline.settings import Settings
from pipeline.stages import (
    _data,
    _evaluation,
    _evidence,
    _index,
    _report,
    _search,
    _trading,
)
from pipeline.stages._recipe import learned_hashes, recipe_hash
from pipeline.stages._runner import command
from pipeline.stages._work import Work, prepared
from pipeline.trading.performance import summary
from pipeline.trading.promotion import verdict

log = logging.getLogger("pipeline.retrain")


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
