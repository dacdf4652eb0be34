"""Retrain: search, evaluate out of sample, backtest, refit on the newest data, register."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import mlflow
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.io import models, process, registry, tracking
from pipeline.io.store import Store
from pipeline.learning.dataset import Dataset, digest, model_inputs
from pipeline.learning.evaluation import baselines, out_of_sample_metrics, rank_ic
from pipeline.learning.models import Target, assemble, fit, predictions
from pipeline.learning.splits import Windows, refit_window
from pipeline.settings import ROOT, Settings
from pipeline.stages import _build, _data, _evidence, _index, _report, _search, _trading
from pipeline.stages._recipe import feature_version, learned_hashes, recipe, recipe_hash
from pipeline.stages._runner import command
from pipeline.trading.promotion import verdict

log = logging.getLogger("pipeline.retrain")


def run(settings: Settings) -> None:
    """Retrain from the store, after bringing it up to date unless `retrain.refresh=false`."""
    if settings.retrain.refresh:
        with tracking.timed("refresh"):
            _data.refresh(settings)
    with _data.open_store(settings) as store:
        work = _prepared(settings, store)
        log.info("retrain: %s", work.sentence)
        chosen = _search_parameters(settings, store, work)
        result = _evaluated(settings, store, work, chosen)
        version = _registered(settings, store, work, chosen, result)
    _report.write(settings, work, result, chosen, version)
    _search.forget(_journal(settings, work))


@dataclass(frozen=True)
class Work:
    """What a retrain learns from and is judged on."""

    windows: Windows
    development: Dataset
    holdout: Dataset
    newest: Dataset
    digest: str
    target: Target

    @property
    def sentence(self) -> str:
        """The windows in words."""
        parts = {"development": self.development, "holdout": self.holdout}
        return ", ".join(
            f"{name} {part.sessions[0]:%Y-%m-%d}..{part.sessions[-1]:%Y-%m-%d}"
            f" ({len(part.sessions)} sessions, {len(part.returns):,} rows)"
            for name, part in parts.items()
        )


def _prepared(settings: Settings, store: Store) -> Work:
    asked = settings.retrain
    ready = store.label_ready_sessions()
    windows = _data.windows(settings, ready)
    newest = refit_window(ready, asked.window_days, asked.last)
    sessions = windows.development.union(windows.holdout).union(newest)
    dataset = _data.dataset(settings, store, sessions)
    work = Work(
        windows=windows,
        development=dataset.at(windows.development),
        holdout=dataset.at(windows.holdout),
        newest=dataset.at(newest),
        digest=digest(dataset),
        target=Target(**settings.model.target.model_dump()),
    )
    _data.require_rows("retrain", "development", work.development, _build.splitter(settings))
    _data.require_rows("retrain", "the refit window", work.newest, _build.splitter(settings))
    _log_inputs(settings, work, dataset)
    return work


def _log_inputs(settings: Settings, work: Work, dataset: Dataset) -> None:
    content = settings.model_dump(mode="json", by_alias=True)
    content["model"].pop("learners")  # their spaces would bury what people compare: config.yaml
    tracking.log_settings(
        content,
        ("seed", "data", "universe", "features", "cv", "model", "hpo", "evaluation", "strategy",
         "backtest", "retrain"),
    )  # fmt: skip
    mlflow.log_dict(recipe(settings), "recipe.json")
    mlflow.log_metrics(
        {
            "data/rows": len(work.development.returns),
            "data/sessions": len(work.development.sessions),
            "data/symbols": work.development.features.index.get_level_values("symbol").nunique(),
            "data/dropped_rows": sum(dataset.dropped.values()),
            **{f"data/dropped/{reason}": n for reason, n in dataset.dropped.items()},
        }
    )
    mlflow.set_tags(
        {
            **process.git_state(ROOT),
            "recipe": recipe_hash(settings),
            "feature_set": settings.features.name,
            "feature_version": feature_version(settings),
            "data_source": settings.data.name,
            "universe": settings.universe.name,
            "evaluation": settings.evaluation.name,
            "data_digest": work.digest,
            "window.start": f"{work.windows.development[0]:%Y-%m-%d}",
            "window.end": f"{work.windows.development[-1]:%Y-%m-%d}",
            _evidence.FIRST_TAG: f"{work.windows.holdout[0]:%Y-%m-%d}",
            _evidence.LAST_TAG: f"{work.windows.holdout[-1]:%Y-%m-%d}",
        }
    )
    for context, part in (("development", work.development), ("holdout", work.holdout)):
        tracking.log_dataset(settings.data.name, digest(part), context)


def _journal(settings: Settings, work: Work):  # type: ignore[no-untyped-def]
    name = f"{recipe_hash(settings)}-{work.digest[:12]}"
    return settings.store.path.parent / "searches" / name


def _search_parameters(settings: Settings, store: Store, work: Work) -> _search.Chosen:
    traded = _trading.market(settings, store, work.development.sessions)
    with tracking.timed("search"):
        chosen = _search.searched(
            settings,
            work.development,
            parent=tracking.current_run_id(),
            journal=_journal(settings, work),
            strategy_returns=lambda p: _trading.net_returns(settings, p, traded),
        )
    mlflow.log_metrics(chosen.metrics)
    mlflow.log_params(
        {f"best.{name}.{key}": v for name, best in chosen.params.items() for key, v in best.items()}
    )
    log.info("retrain: %d trials, calibration slope %.3f", len(chosen.trials), chosen.slope)
    return chosen


def _fitted(settings: Settings, chosen: _search.Chosen, data: Dataset, slope: float) -> Pipeline:
    learners = [
        (learner.name, learner.estimator(chosen.params[learner.name], seed=settings.seed))
        for learner in _build.learners(settings)
    ]
    pipeline = assemble(learners, slope=slope, numeric=data.numeric, categorical=data.categorical)
    return fit(pipeline, data, Target(**settings.model.target.model_dump()))


def _evaluated(
    settings: Settings, store: Store, work: Work, chosen: _search.Chosen
) -> _report.Result:
    returns = work.holdout.returns
    with tracking.timed("evaluate"):
        model = _fitted(settings, chosen, work.development, chosen.slope)
        # Every snapshot is predicted, also of a symbol that turns out to have no bar: whether it
        # trades is not known before the open.
        predicted = predictions(model, _data.snapshots(settings, work.windows.holdout))
        labelled = predicted.loc[returns.index]
        rivals = baselines(work.development, work.holdout, work.target)
        metrics = out_of_sample_metrics(returns, labelled, rivals, seed=settings.seed)
        metrics["test/ridge_pvalue"] = _evidence.worse_than_ridge(
            returns, labelled, rivals["ridge"], settings.seed
        )
    with tracking.timed("backtest"):
        traded = _trading.market(settings, store, work.holdout.sessions)
        result = _trading.books(settings, predicted, traded)
        metrics |= _trading.metrics(result, traded)
    looks = _evidence.earlier_looks(settings, predicted, work.holdout.sessions)
    metrics |= _evidence.luck(result.net_returns, len(looks) + 1, settings.seed)
    answers = _evidence.gate_answers(settings, metrics)
    mlflow.log_metrics(metrics)
    mlflow.set_tags(
        {
            _evidence.PREDICTIONS_TAG: _evidence.predictions_digest(predicted),
            "verdict": verdict(answers),
        }
    )
    _evidence.log_looks(looks)
    models.log_frame(
        pd.DataFrame({"prediction": predicted, "intraday_return": returns}), models.PREDICTIONS
    )
    return _report.Result(result, metrics, answers, rank_ic(returns, labelled))


def _registered(
    settings: Settings, store: Store, work: Work, chosen: _search.Chosen, result: _report.Result
) -> int:
    """Refit on the newest window, log, register and move `challenger`."""
    with tracking.timed("refit"):
        slope = _search.refitted_slope(settings, work.newest, chosen)
        model = _fitted(settings, chosen, work.newest, slope)
    mlflow.log_metric("refit/slope", slope)
    with tracking.timed("log_model"):
        models.log_features(learned_hashes(settings))
        uri = models.log_model(model, model_inputs(work.newest.features))
        tags = {
            "data_source": settings.data.name,
            "universe": settings.universe.name,
            "recipe": recipe_hash(settings),
            "feature_set": settings.features.name,
            "market_index": _index.market_index(settings, store).symbol,
            "trained_until": f"{work.newest.sessions[-1]:%Y-%m-%d}",
            "verdict": verdict(result.answers),
            **_evidence.gate_tags(result.answers),
        }
        return registry.register(uri, tracking.current_run_id(), tags)


if __name__ == "__main__":
    command("retrain", run)
