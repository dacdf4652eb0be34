"""Predictions of a registered model that it could not have cheated on."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import Refused
from pipeline.io import models, registry
from pipeline.io.store import Store
from pipeline.schemas import SESSION
from pipeline.settings import Settings
from pipeline.stages import _data, _index
from pipeline.stages._recipe import feature_hashes, feature_set

RETRAIN = "mlflow run . -e retrain && mlflow run . -e promote"


def check_serves(settings: Settings, version: ModelVersion, who: str) -> dict[str, str]:
    """Refuse a model of another source or market index, or of features changed since.

    Returns
    -------
    dict
        Hash by name of the features it uses, in its order.
    """
    check_source(settings, version, who)
    used = models.features_of(version)
    current = feature_hashes(settings)
    changed = [name for name, known in used.items() if current.get(name) != known]
    if changed:
        raise Refused(
            who,
            f"version {version.version} was trained on other definitions of {changed[:5]}"
            + (f" and {len(changed) - 5} more" if len(changed) > 5 else ""),
            f"features={version.tags.get('feature_set')} as it was, or a new model",
            RETRAIN,
        )
    _check_index(settings, version, who, used)
    return used


def check_source(settings: Settings, version: ModelVersion, who: str) -> None:
    """Refuse a model of another source."""
    source = version.tags.get("data_source")
    if source != settings.data.name:
        raise Refused(
            who,
            f"version {version.version} was trained on data={source}",
            f"a model of data={settings.data.name}",
            f"mlflow run . -e {who} -P overrides=data={source}",
        )


def _check_index(settings: Settings, version: ModelVersion, who: str, used: Iterable[str]) -> None:
    trained_on = version.tags.get("market_index")
    measured = {f.name for f in feature_set(settings) if f.reads & {"market_return", "regimes"}}
    if trained_on is None or measured.isdisjoint(used):
        return
    with _data.open_store(settings) as store:
        index = _index.market_index(settings, store)
    if index.symbol != trained_on:
        raise Refused(
            who,
            f"version {version.version} was trained against {trained_on}, the market is now "
            f"{index.symbol}: {index.why}",
            f'data.market_index="{trained_on}", or a new model',
            RETRAIN,
        )


def predicted_now(
    settings: Settings, version: ModelVersion, sessions: pd.DatetimeIndex, who: str
) -> pd.Series:
    """Forecasts of the model for sessions after its training end."""
    columns = list(check_serves(settings, version, who))
    rows = _data.snapshot_store(settings).read(sessions, _data.universe(settings), columns)
    if rows.empty:
        return pd.Series(dtype="float64", index=rows.index, name="prediction")
    from pipeline.learning.models import predictions  # brings scikit-learn

    return predictions(registry.load(version), rows[columns])


def sessions_of(predicted: pd.Series) -> pd.DatetimeIndex:
    """The sessions that are predicted, in order."""
    return pd.DatetimeIndex(predicted.index.get_level_values(SESSION).unique()).sort_values()


def stored(version: ModelVersion) -> pd.DataFrame:
    """Out-of-sample predictions and returns kept with the run of a version."""
    return models.read_frame(str(version.run_id), models.PREDICTIONS)


def out_of_sample(
    settings: Settings,
    store: Store,
    version: ModelVersion,
    first: pd.Timestamp | None,
    last: pd.Timestamp | None,
    who: str,
) -> pd.Series:
    """Predictions of a range of sessions: stored ones, and new ones after the training end.

    Parameters
    ----------
    first, last
        Default: the stored sessions.

    Raises
    ------
    Refused
        Naming the sessions the model was fitted on or chosen by; or a model of another source.
    """
    check_source(settings, version, who)
    kept = stored(version)["prediction"]
    known = sessions_of(kept)
    first, last = first or known[0], last or known[-1]
    ready = store.label_ready_sessions()
    asked = ready[(ready >= first) & (ready <= last)]
    trained_until = pd.Timestamp(version.tags["trained_until"])
    later = asked[asked > trained_until]
    seen = asked.difference(known).difference(later)
    if len(seen) or asked.empty:
        raise Refused(
            who,
            f"version {version.version} has no honest prediction of {len(seen)} of "
            f"{len(asked)} sessions" + (f", {seen[0]:%Y-%m-%d} the first" if len(seen) else ""),
            f"sessions of its holdout ({known[0]:%Y-%m-%d} to {known[-1]:%Y-%m-%d}) or after "
            f"its training end ({trained_until:%Y-%m-%d}); or backtest.refit=walk_forward, which "
            "fits its recipe anew as of each date",
            f"mlflow run . -e {who} -P start_date={known[0]:%Y-%m-%d} "
            f"-P end_date={known[-1]:%Y-%m-%d}",
        )
    old = kept[kept.index.get_level_values(SESSION).isin(asked)]
    new = predicted_now(settings, version, later, who) if len(later) else kept.iloc[:0]
    return pd.concat([old, new]).sort_index()
