"""Registered versions: whether one may be used here, and predictions it could not cheat on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from pipeline.commands import Command
from pipeline.contract import Artifacts, Tags
from pipeline.errors import Refused
from pipeline.io.tracking import models, runs, safe_models
from pipeline.io.tracking.recipes import recorded_content
from pipeline.io.tracking.values import ModelVersion
from pipeline.recipe.decision import (
    EveningBefore,
    Indicated,
    IndicatedOpen,
    decision_of,
    forecast_columns,
    made_by,
)
from pipeline.schemas import SESSION
from pipeline.workspace import Workspace

NEW_MODEL = (Command("retrain"), Command("promote"))


def check_serves(workspace: Workspace, version: ModelVersion, who: str) -> dict[str, str]:
    """Refuse a model of another source or market index, or of features changed since.

    Returns
    -------
    dict
        Hash by name of the features it uses, in its order.

    Raises
    ------
    Refused
        Naming what differs.
    """
    check_source(workspace, version, who)
    _check_decision(version, who)
    used = models.features_of(version)
    current = workspace.features.hashes
    changed = [name for name, known in used.items() if current.get(name) != known]
    learned_from, chosen = version.tags.get(Tags.FEATURE_SET), workspace.features.name
    if changed and learned_from and learned_from != chosen:
        raise Refused(
            who,
            f"version {version.version} was trained on features={learned_from}, this command has "
            f"features={chosen}",
            f"features={learned_from}, or a model of features={chosen}",
            Command(who, f"features={learned_from}"),
        )
    if changed:
        raise Refused(
            who,
            f"version {version.version} was trained on other definitions of {changed[:5]}"
            + (f" and {len(changed) - 5} more" if len(changed) > 5 else ""),
            f"features={learned_from} as it was, or a new model",
            NEW_MODEL,
        )
    _check_index(workspace, version, who, used)
    return used


def check_source(workspace: Workspace, version: ModelVersion, who: str) -> None:
    """Refuse a model of another source.

    Raises
    ------
    Refused
        It was trained on another source than the workspace reads.
    """
    source = version.tags.get(Tags.DATA_SOURCE)
    if source != workspace.data_source:
        raise Refused(
            who,
            f"version {version.version} was trained on data={source}",
            f"a model of data={workspace.data_source}",
            Command(who, f"data={source}"),
        )


def _check_index(
    workspace: Workspace, version: ModelVersion, who: str, used: Iterable[str]
) -> None:
    trained_on = version.tags.get(Tags.MARKET_INDEX)
    measured = workspace.features.reading("market_return", "regimes")
    if trained_on is None or measured.isdisjoint(used):
        return
    index = workspace.index
    if index.symbol != trained_on:
        raise Refused(
            who,
            f"version {version.version} was trained against {trained_on}, the market is now "
            f"{index.symbol}: {index.why}",
            f'data.market_index="{trained_on}", or a new model',
            NEW_MODEL,
        )


def decision_of_version(version: ModelVersion) -> tuple[EveningBefore | IndicatedOpen, int]:
    """When a version's orders are decided, and the seed its indications were drawn by."""
    content = recorded_content(version)
    return decision_of(content), int(content.get("seed", 0))


def _check_decision(version: ModelVersion, who: str) -> None:
    recorded = recorded_content(version).get("decision")
    if recorded and recorded["code"] != made_by():
        raise Refused(
            who,
            f"version {version.version} was trained on other definitions of the indicated columns",
            "the code as it was, or a new model",
            NEW_MODEL,
        )


def predicted_now(
    workspace: Workspace, version: ModelVersion, sessions: pd.DatetimeIndex, who: str
) -> pd.DataFrame:
    """Forecasts of the model for sessions after its training end, by (session, symbol).

    Returns
    -------
    DataFrame
        ``prediction``; of a version that decides on the indicated open also what `forecast_columns`
        names, by the printed opens with drawn errors.

    Raises
    ------
    Refused
        The model does not serve here.
    NotReady
        Features, indicators or regimes are of other bars than the store holds now.
    """
    columns = list(check_serves(workspace, version, who))
    workspace.require_current(who, sessions)
    rows = workspace.member_rows(sessions, columns)
    if rows.empty:
        return pd.DataFrame({"prediction": pd.Series(dtype="float64", index=rows.index)})
    from pipeline.learning.models import predictions  # brings scikit-learn

    decision, seed = decision_of_version(version)
    if isinstance(decision, IndicatedOpen):
        drawn = Indicated.drawn(workspace, sessions, decision, seed)
        return drawn.forecasts(safe_models.load(version), rows[columns])
    return predictions(safe_models.load(version), rows[columns]).to_frame("prediction")


def parts_of(
    workspace: Workspace, version: ModelVersion, session: pd.Timestamp, symbols: Sequence[str]
) -> pd.DataFrame:
    """What drives the forecasts of some symbols for a session, of ``learning.contributions``."""
    from pipeline.learning.contributions import contributions

    used = list(check_serves(workspace, version, "signals"))
    rows = workspace.snapshot_store.read(pd.DatetimeIndex([session]), symbols, used)
    return contributions(safe_models.load(version), rows[used])


def sessions_of(predictions: pd.Series | pd.DataFrame) -> pd.DatetimeIndex:
    """The sessions that are predicted, in order.

    Parameters
    ----------
    predictions
        By (session, symbol).
    """
    return pd.DatetimeIndex(predictions.index.get_level_values(SESSION).unique()).sort_values()


def stored(version: ModelVersion) -> pd.DataFrame:
    """Out-of-sample predictions and returns kept with the run of a version.

    Returns
    -------
    DataFrame
        By (session, symbol): what `forecast_columns` names, ``intraday_return`` (fractions) and the
        last session that the model of each row learned from.
    """
    return runs.read_frame(str(version.run_id), Artifacts.PREDICTIONS)


def trained_until(version: ModelVersion) -> pd.Timestamp:
    """The last session the version learned from."""
    return pd.Timestamp(version.tags[Tags.TRAINED_UNTIL])


def out_of_sample(
    workspace: Workspace,
    version: ModelVersion,
    first: pd.Timestamp | None,
    last: pd.Timestamp | None,
    who: str,
) -> pd.DataFrame:
    """Predictions of a range of sessions: stored ones, and new ones after the training end.

    Columns as of `predicted_now`.

    Parameters
    ----------
    first, last
        Default: the stored sessions.

    Raises
    ------
    Refused
        Naming the sessions the model was fitted on or chosen by; or a model of another source.
    NotReady
        Regimes or labels are of other bars than the store holds now.
    """
    check_source(workspace, version, who)
    forecasts = forecast_columns(stored(version))
    known = sessions_of(forecasts)
    first, last = first or known[0], last or known[-1]
    ready = workspace.store.label_ready_sessions()
    requested = ready[(ready >= first) & (ready <= last)]
    later = requested[requested > trained_until(version)]
    fitted_on = requested.difference(known).difference(later)
    if len(fitted_on) or requested.empty:
        raise _not_out_of_sample(version, requested, fitted_on, known, who)
    workspace.require_current(who, requested, labels=True, features=False)
    old = forecasts[forecasts.index.get_level_values(SESSION).isin(requested)]
    new = predicted_now(workspace, version, later, who) if len(later) else forecasts.iloc[:0]
    return pd.concat([old, new]).sort_index()


def _not_out_of_sample(
    version: ModelVersion,
    requested: pd.DatetimeIndex,
    fitted_on: pd.DatetimeIndex,
    known: pd.DatetimeIndex,
    who: str,
) -> Refused:
    first, last = f"{known[0]:%Y-%m-%d}", f"{known[-1]:%Y-%m-%d}"
    return Refused(
        who,
        f"version {version.version} has no out-of-sample prediction of {len(fitted_on)} of "
        f"{len(requested)} sessions"
        + (f", {fitted_on[0]:%Y-%m-%d} the first" if len(fitted_on) else ""),
        f"sessions of its holdout ({first} to {last}) or after its training end "
        f"({trained_until(version):%Y-%m-%d}); or backtest.refit=walk_forward, which "
        "fits its recipe again as of each date",
        Command(who, start_date=first, end_date=last),
    )
