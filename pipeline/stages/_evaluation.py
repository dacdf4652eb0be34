"""Out-of-sample predictions: the recipe at each step, by models that saw earlier sessions only.

A holdout evaluation is one step. A walk-forward repeats the whole recipe, search included, over
the history. What a step predicted is kept until the retrain has ended, so that a killed one goes
on with the step it was at.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import mlflow
import pandas as pd
from sklearn.pipeline import Pipeline
from tqdm import tqdm

from pipeline.io import tracking
from pipeline.io.files import replaced
from pipeline.io.store import Store
from pipeline.learning.dataset import Dataset
from pipeline.learning.evaluation import baselines
from pipeline.learning.models import assemble, fit, predictions
from pipeline.learning.scores import rank_ic
from pipeline.learning.splits import Step
from pipeline.learning.targets import Target
from pipeline.learning.threads import fit_workers
from pipeline.settings import Settings
from pipeline.stages import _build, _data, _search, _trading

log = logging.getLogger("pipeline.retrain")

PREDICTION = "prediction"
TRAINED_UNTIL = "trained_until"
"""Column of stored predictions: the last session that the model of each one learned from."""

BASELINES = ["zero", "mean", "ridge"]


Parameters = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True)
class OutOfSample:
    """What the steps predicted, and how.

    Attributes
    ----------
    predicted
        Every snapshot of the predicted sessions: whether a symbol will trade is not known before
        the open. Columns prediction, zero, mean, ridge, trained_until, and ``window_<percent>``
        for the shorter windows of the learning curve (at search steps).
    searches
        What each search decided, oldest first.
    steps
        One row a step: first and last session of development and prediction, rows, the
        weight of each learner.
    """

    predicted: pd.DataFrame
    searches: list[_search.Chosen]
    steps: pd.DataFrame

    @property
    def chosen(self) -> _search.Chosen:
        """The newest decision: what the final refit uses."""
        return self.searches[-1]


def out_of_sample(
    settings: Settings, store: Store, dataset: Dataset, steps: Sequence[Step], journal: Path
) -> OutOfSample:
    """Search where a step asks for it, fit, and predict the sessions after."""
    done = len(list(journal.glob("step-*.parquet")))
    if done:
        log.info("retrain: goes on, %d of %d steps are done", done, len(steps))
    parts: list[pd.DataFrame] = []
    searches: list[_search.Chosen] = []
    with tqdm(total=len(steps), desc="steps", unit="step", disable=None) as progress:
        for number, block in enumerate(_blocks(steps)):
            chosen = _searched(settings, store, dataset.at(block[0].development), block, journal)
            searches.append(chosen)
            mlflow.log_metrics(_cumulated(searches), step=number)
            for part in predicted_steps(settings, dataset, block, chosen, journal):
                parts.append(part)
                progress.update()
    table = pd.DataFrame([part.attrs["step"] for part in parts])
    for part in parts:
        part.attrs = {}
    return OutOfSample(pd.concat(parts), searches, table)


def fitted(
    settings: Settings, params: Parameters, dataset: Dataset, weights: Mapping[str, float]
) -> Pipeline:
    """The learners with these parameters as one pipeline, fitted on all rows of the dataset.

    Parameters
    ----------
    params
        By learner.
    weights
        By learner; see `learning.weights`.
    """
    target = Target(**settings.model.target.model_dump())
    unit, learners = target.unit(dataset), _build.learners(settings)
    pipeline = assemble(
        {own.name: own.estimator(params[own.name], seed=settings.seed) for own in learners},
        {name: weight * unit for name, weight in weights.items()},
        numeric=dataset.numeric,
        categorical=dataset.categorical,
    )
    return fit(pipeline, dataset, target, learners)


def searches_table(outcome: OutOfSample) -> pd.DataFrame:
    """Parameters, weights and scores of every search: how stable the choices are."""
    first = outcome.steps.loc[outcome.steps["search"], "predicted_first"].tolist()
    return pd.DataFrame(
        {
            "predicted_first": day,
            "weights": json.dumps(chosen.weights),
            "cv_rank_ic": chosen.metrics["cv/rank_ic_mean"],
            **{name: json.dumps(best, default=str) for name, best in chosen.params.items()},
        }
        for day, chosen in zip(first, outcome.searches, strict=True)
    )


def learning_curve(outcome: OutOfSample, returns: pd.Series) -> pd.DataFrame:
    """Rank IC by length of the window, all on the same sessions: those after a search."""
    shorter = [name for name in outcome.predicted if str(name).startswith("window_")]
    rows = outcome.predicted.loc[returns.index].dropna(subset=shorter) if shorter else None
    if rows is None or rows.empty:
        return pd.DataFrame(columns=["window_percent", "rank_ic", "sessions"])
    scores = {
        percent: rank_ic(returns[rows.index], rows[name])
        for name, percent in [
            *((name, int(str(name).removeprefix("window_"))) for name in shorter),
            (PREDICTION, 100),
        ]
    }
    return pd.DataFrame(
        {"window_percent": percent, "rank_ic": score.mean(), "sessions": int(score.count())}
        for percent, score in sorted(scores.items())
    )


def _blocks(steps: Sequence[Step]) -> list[list[Step]]:
    """Each search step with the steps that use its parameters."""
    blocks: list[list[Step]] = []
    for step in steps:
        if step.search or not blocks:
            blocks.append([])
        blocks[-1].append(step)
    return blocks


def _searched(
    settings: Settings, store: Store, development: Dataset, block: Sequence[Step], journal: Path
) -> _search.Chosen:
    who = f"the window before {block[0].predicted[0]:%Y-%m-%d}"
    _data.require_rows("retrain", who, development, _build.splitter(settings))
    traded = _trading.market(settings, store, development.sessions)
    with tracking.timed("search"):
        return _search.searched(
            settings,
            development,
            parent=tracking.current_run_id(),
            journal=journal / f"search-{block[0].predicted[0]:%Y-%m-%d}",
            strategy_returns=lambda p: _trading.net_returns(settings, p, traded),
        )


def _cumulated(searches: Sequence[_search.Chosen]) -> dict[str, float]:
    """Scores of the newest search; the trials of all."""
    return {
        **searches[-1].metrics,
        "cv/trials": float(sum(len(chosen.trials) for chosen in searches)),
    }


def predicted_steps(
    settings: Settings,
    dataset: Dataset,
    block: Sequence[Step],
    chosen: _search.Chosen,
    journal: Path,
) -> Iterator[pd.DataFrame]:
    """What the steps of one search predict, side by side; in order.

    Each part has the columns of `OutOfSample.predicted`, and its row of ``steps`` in ``attrs``. A
    step without a search uses the parameters alone and calibrates their slope anew. What is done is
    kept in the journal, and read from there the next time.
    """
    alone = settings.model_copy(
        update={"compute": settings.compute.model_copy(update={"workers": 1})}
    )

    def part(step: Step) -> pd.DataFrame:
        path = journal / f"step-{step.predicted[0]:%Y-%m-%d}.parquet"
        if not path.exists():
            done = _part(alone, dataset, step, chosen)
            replaced(path, done.to_parquet)
        return pd.read_parquet(path)

    with fit_workers(min(settings.compute.workers, len(block))) as pool:
        yield from pool.map(part, block)


def _part(settings: Settings, dataset: Dataset, step: Step, chosen: _search.Chosen) -> pd.DataFrame:
    development = dataset.at(step.development)
    weights = chosen.weights
    if not step.search:
        weights = _search.refitted_weights(settings, development, chosen)
    model = fitted(settings, chosen.params, development, weights)
    features = _data.snapshots(settings, step.predicted)
    target = Target(**settings.model.target.model_dump())
    part = baselines(development, features, target)
    part.insert(0, PREDICTION, predictions(model, features))
    part[TRAINED_UNTIL] = development.sessions[-1]
    if step.search:
        for share in settings.evaluation.learning_curve:
            recent = development.sessions[-round(share * len(development.sessions)) :]
            shorter = fitted(settings, chosen.params, dataset.at(recent), weights)
            part[f"window_{round(100 * share)}"] = predictions(shorter, features)
    part.attrs["step"] = {
        "search": step.search,
        "development_first": f"{development.sessions[0]:%Y-%m-%d}",
        "development_last": f"{development.sessions[-1]:%Y-%m-%d}",
        "predicted_first": f"{step.predicted[0]:%Y-%m-%d}",
        "predicted_last": f"{step.predicted[-1]:%Y-%m-%d}",
        "sessions": len(development.sessions),
        "rows": len(development.returns),
        **{f"weight_{name}": weight for name, weight in weights.items()},
    }
    return part
