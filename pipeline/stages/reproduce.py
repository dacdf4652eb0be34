"""Reproduce: do a finished retrain again from its logged configuration; compare every number."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import yaml
from mlflow.entities import Run
from sklearn.pipeline import Pipeline

from pipeline.errors import NotReady, Refused
from pipeline.io import models, process, tracking
from pipeline.settings import ROOT, Settings
from pipeline.stages import _data, _evidence, _logged, retrain
from pipeline.stages._recipe import learned_hashes
from pipeline.stages._runner import command
from pipeline.stages._work import Work, prepared

log = logging.getLogger("pipeline.reproduce")

NOT_COMPARED = (
    "time/",  # of another hour
    "search/seconds",
    "audit/",  # logged later, by another stage
    "backtest/equity",  # series of the report, which follow from the compared numbers
    "backtest/drawdown",
    "test/rank_ic_by_session",
)
ELSEWHERE_TOLERANCE = 1e-6
"""Relative; on another processor, Python or lock file the last bits may differ."""


def run(settings: Settings) -> None:
    """Search, evaluate, judge and refit as that run did; nothing is registered."""
    original = _original(settings)
    mlflow.set_tags({"reproduces": original.info.run_id, "data_source": settings.data.name})
    same = _settings_of(settings, original)
    differences = _differences(same, original)
    with _data.open_store(same) as store, tempfile.TemporaryDirectory() as folder:
        work = prepared(same, store)
        differences |= _of_data(settings, original, work)
        work = replace(work, journal=Path(folder))
        outcome = retrain.evaluated(same, store, work)
        looks = _evidence.logged_looks(original.info.run_id)
        retrain.judged(same, store, work, outcome, looks)
        model = retrain.refitted(same, work, outcome.chosen)
    table = _compared(original, mlflow.get_run(tracking.current_run_id()))
    tracking.log_table(table, "comparison")
    worst = _worst_prediction(original, model)
    tolerance = ELSEWHERE_TOLERANCE if "environment" in " ".join(differences) else 0.0
    _conclude(table, worst, tolerance, differences)


def _original(settings: Settings) -> Run:
    run_id = settings.reproduce.run_id
    where = "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
    finished = tracking.runs(where)
    found = [run for run in finished if run_id in (None, run.info.run_id)]
    if not found:
        raise NotReady(
            "reproduce",
            f"no finished retrain {run_id}" if run_id else "no finished retrain",
            "the run id of one of: " + (", ".join(r.info.run_id for r in finished[:5]) or "none"),
            "mlflow run . -e retrain",
        )
    return found[0]


def _settings_of(settings: Settings, original: Run) -> Settings:
    """The run's own settings on the store and with the workers of here, its sessions pinned."""
    content = _logged.configuration(settings, original.info.run_id)
    content["reproduce"] = settings.reproduce.model_dump(mode="json")
    content["retrain"]["end"] = original.data.tags[_evidence.LAST_TAG]
    tags = original.data.tags
    if tags.get("search.stopped_by") == "time":
        if content["evaluation"]["name"] != "holdout":
            raise Refused(
                "reproduce",
                "a time budget ended the searches of this walk-forward",
                "a walk-forward whose searches were ended by their number of trials",
            )
        content["hpo"]["told_trials"] = yaml.safe_load(tags["search.told_trials"])
    return Settings.from_config(content)


def _differences(same: Settings, original: Run) -> dict[str, str]:
    """What differs in code, versions and definitions, in words."""
    now = process.git_state(ROOT) | process.environment(ROOT)
    tags = original.data.tags
    found = {
        name: f"was {tags.get(name, 'not recorded')}, is {value}"
        for name, value in now.items()
        if tags.get(name) != value
    }
    kept = models.features_of_run(original.info.run_id)
    current = learned_hashes(same)
    changed = sorted(
        name for name in kept.keys() | current.keys() if kept.get(name) != current.get(name)
    )
    if changed:
        found["features"] = f"{len(changed)} defined otherwise: {', '.join(changed[:5])}"
    return found


def _of_data(settings: Settings, original: Run, work: Work) -> dict[str, str]:
    logged = original.data.tags["data_digest"]
    if work.digest == logged:
        return {}
    words = f"was {logged}, is {work.digest} ({len(work.dataset.returns):,} rows now)"
    if settings.reproduce.data == "current":
        return {"data": words}
    raise Refused(
        "reproduce",
        f"the data digest {words}: bars, features or their definitions changed since",
        "the store as it was, or the word to compare with what it holds now",
        'mlflow run . -e reproduce -P overrides="reproduce.data=current"',
    )


def _compared(original: Run, again: Run) -> pd.DataFrame:
    """Both values of every metric, and their relative difference."""
    names = sorted(n for n in original.data.metrics if not n.startswith(NOT_COMPARED))
    table = pd.DataFrame(
        {
            "metric": names,
            "was": [original.data.metrics[name] for name in names],
            "is": [again.data.metrics.get(name, np.nan) for name in names],
        }
    )
    distance = (table["was"] - table["is"]).abs() / table["was"].abs().where(table["was"] != 0, 1.0)
    neither = table["was"].isna() & table["is"].isna()
    return table.assign(difference=distance.mask(neither, 0.0).fillna(np.inf))


def _worst_prediction(original: Run, model: Pipeline) -> float:
    """Largest distance between the refitted model's predictions and the kept ones."""
    run_id = original.info.run_id
    inputs = models.read_frame(run_id, models.CHECK_INPUTS)
    expected = models.read_frame(run_id, models.CHECK_PREDICTIONS)["prediction"]
    return float(np.abs(model.predict(inputs) - expected.to_numpy()).max())


def _conclude(
    table: pd.DataFrame, worst: float, tolerance: float, differences: dict[str, str]
) -> None:
    off = table[table["difference"] > tolerance]
    equal = off.empty and worst <= tolerance
    mlflow.log_metrics(
        {
            "reproduce/equal": float(equal),
            "reproduce/metrics": len(table),
            "reproduce/metrics_off": len(off),
            "reproduce/largest_difference": float(table["difference"].max()),
            "reproduce/largest_prediction_difference": worst,
        }
    )
    listed = [f"  {name}: {words}" for name, words in differences.items()]
    print(
        "\n".join(["What differs:", *listed] if listed else ["Code, versions and data are equal."])
    )
    exact = "exactly" if tolerance == 0.0 else f"within {tolerance:g}"
    if equal:
        print(
            f"Reproduced: {len(table)} metrics and the model's predictions {exact}; the largest "
            f"differences are {table['difference'].max():.3g} and {worst:.3g}."
        )
        return
    print(off.sort_values("difference", ascending=False).head(20).to_string(index=False))
    raise Refused(
        "reproduce",
        f"{len(off)} of {len(table)} metrics differ, predictions by up to {worst:.3g}",
        f"every number {exact}" + ("" if listed else ", since nothing else differs"),
    )


if __name__ == "__main__":
    command("reproduce", run)
