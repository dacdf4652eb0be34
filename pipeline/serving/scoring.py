"""Past forecasts against what happened, once final bars exist; and how their models are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import pandas as pd

from pipeline.contract import Aliases
from pipeline.errors import Refused
from pipeline.gates.evidence import age_sessions
from pipeline.io.tracking import life, registry
from pipeline.io.tracking.promises import Promises, promises
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.chain import Sealed, countable
from pipeline.monitor.drift import drift
from pipeline.monitor.health import Health, Thresholds, counted, health
from pipeline.monitor.orders import SealedOrders
from pipeline.monitor.scores import profit, skill
from pipeline.schemas import SYMBOL, TARGET
from pipeline.serving import versions
from pipeline.serving.evenings import learned_sessions
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Watched:
    """A model with its outcomes of one kind, what it promised and how it is.

    Attributes
    ----------
    version
        None: a baseline.
    """

    model: str
    version: ModelVersion | None
    kind: str
    outcomes: pd.DataFrame
    promises: Promises
    health: Health
    drift: pd.DataFrame
    is_champion: bool


def score(workspace: Workspace) -> int:
    """Score what can be and was not yet; gives the number of entries. Twice changes nothing."""
    store = workspace.store
    ready = {f"{session:%Y-%m-%d}" for session in store.label_ready_sessions()}
    known = store.outcomes()
    done = set(zip(known["session"].dt.strftime("%Y-%m-%d"), known["model"], known["kind"],
                   strict=True))  # fmt: skip
    due = [
        entry
        for entry in countable(store.evenings())
        if entry.evening.session in ready
        and (entry.evening.session, entry.evening.model, entry.evening.kind) not in done
    ]
    if due:
        rows = pd.DataFrame(list(_scored(workspace, due)))
        with store.writer("score"):
            store.write_outcomes(rows)
    return len(due)


def watched(workspace: Workspace, thresholds: Thresholds) -> Iterator[Watched]:
    """Every model with outcomes, and the champion without any."""
    listed = workspace.store.outcomes()
    champion = registry.holder(Aliases.CHAMPION)
    known = {str(version.version): version for version in registry.versions()}
    models = list(dict.fromkeys(listed["model"]))
    if champion is not None and str(champion.version) not in models:
        models.append(str(champion.version))
    for model in models:
        version = known.get(model)
        of_model = listed[listed["model"] == model]
        if version is None:
            outcomes = counted(of_model)
            yield Watched(model, None, _kind(outcomes), outcomes, {}, Health("healthy"),
                          pd.DataFrame(), False)  # fmt: skip
            continue
        is_champion = champion is not None and champion.version == version.version
        outcomes = counted(of_model, life.resumed_at(int(version.version)))
        yield _of_version(workspace, version, outcomes, thresholds, is_champion)


def ages(workspace: Workspace, version: ModelVersion | None, sessions: pd.Index) -> pd.Series:
    """Sessions since the training end, by session; of a baseline, its number in the store."""
    listed = workspace.store.sessions()
    trained = versions.trained_until(version) if version else listed[0]
    since = listed[listed > trained]
    return pd.Series(since.searchsorted(pd.DatetimeIndex(sessions), side="right"), sessions)


def _of_version(
    workspace: Workspace,
    version: ModelVersion,
    outcomes: pd.DataFrame,
    thresholds: Thresholds,
    is_champion: bool,
) -> Watched:
    ready = workspace.store.label_ready_sessions()
    promised = promises(workspace, version)
    features, forecasts = (
        _drift(workspace, version, outcomes, thresholds)
        if is_champion
        else (pd.DataFrame(), pd.DataFrame())
    )
    answer = health(
        outcomes,
        promised,
        thresholds,
        age_sessions=age_sessions(ready, versions.trained_until(version)),
        features=features,
        forecasts=forecasts,
    )
    return Watched(str(version.version), version, _kind(outcomes), outcomes, promised, answer,
                   features, is_champion)  # fmt: skip


def _kind(outcomes: pd.DataFrame) -> str:
    return str(outcomes["kind"].iloc[-1]) if len(outcomes) else ""


def _scored(workspace: Workspace, due: Sequence[Sealed]) -> Iterator[dict[str, object]]:
    """Outcomes of entries, those of the same rules together: they share one market."""
    store = workspace.store
    rows = store.forecasts([entry.number for entry in due])
    forecasts = {number: part.set_index(SYMBOL)["prediction"] for number, part in
                 rows.groupby("number")}  # fmt: skip
    days = sorted(pd.Timestamp(entry.evening.session) for entry in due)
    labels = store.labels(days[0], days[-1])[TARGET]
    by_rules = sorted(due, key=lambda entry: entry.evening.rules)
    for rules_text, entries in groupby(by_rules, key=lambda entry: entry.evening.rules):
        rules, alike = Rules(**json.loads(rules_text)), list(entries)
        sessions = pd.DatetimeIndex(sorted({pd.Timestamp(e.evening.session) for e in alike}))
        market = workspace.market(sessions.as_unit("us"), rules)
        for entry in alike:
            session = pd.Timestamp(entry.evening.session)
            forecast = forecasts.get(entry.number, pd.Series(dtype="float64"))
            traded = forecast.reindex(forecast.index.intersection(market.close.columns))
            day = market.at(pd.DatetimeIndex([session]).as_unit("us"))
            evening = entry.evening
            decided = SealedOrders.of(evening.orders)
            yield {
                "session": evening.session,
                "model": evening.model,
                "kind": evening.kind,
                "number": entry.number,
                "role": evening.role,
                "state": evening.state,
                **skill(forecast, labels.xs(session, level=0)),
                **profit(traded, decided.market(day), rules, evening.bankroll),
            }


def _drift(
    workspace: Workspace, version: ModelVersion, outcomes: pd.DataFrame, thresholds: Thresholds
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Of the features the version uses, and of its forecasts; empty where nothing is comparable."""
    nothing = pd.DataFrame()
    count = thresholds.drift_sessions
    sessions = workspace.snapshot_sessions()
    late = sessions[sessions > versions.trained_until(version)][-count:]
    learned = learned_sessions(workspace, version, thresholds.drift_training_sessions)
    if len(late) < count or len(learned) <= count:
        return nothing, nothing
    try:
        columns = list(versions.check_serves(workspace, version, "score"))
        training, now = (workspace.snapshots(each, columns) for each in (learned, late))
    except Refused:
        return nothing, nothing
    features = drift(training, now, thresholds.drift_psi)
    return features, _forecast_drift(workspace, version, outcomes.iloc[-count:], thresholds)


def _forecast_drift(
    workspace: Workspace, version: ModelVersion, outcomes: pd.DataFrame, thresholds: Thresholds
) -> pd.DataFrame:
    if len(outcomes) < thresholds.drift_sessions:
        return pd.DataFrame()
    forecast = workspace.store.forecasts(outcomes["number"].tolist())
    day = forecast["number"].map(outcomes.set_index("number")["session"])
    late = forecast.assign(session=day).set_index(["session", SYMBOL])[["prediction"]]
    return drift(versions.stored(version)[["prediction"]], late, thresholds.drift_psi)
