"""What the gates look at for a version: its recipe's evidence, itself, and the champion."""

from __future__ import annotations

import logging

import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.contract import Artifacts, Metrics, Tags
from pipeline.gates.champion import (
    JointSessions,
    at_sessions,
    champion_pvalue,
    joint_sessions,
)
from pipeline.gates.evidence import age_sessions, aged
from pipeline.gates.gates import Gates
from pipeline.gates.looks import total
from pipeline.gates.skill import deflated, members_return
from pipeline.gates.version import holdout_pvalue
from pipeline.io.tracking import looks, registry, runs
from pipeline.io.tracking.books import logged_net_returns
from pipeline.io.tracking.evidence import newest_evidence
from pipeline.io.tracking.identity import logged_identity
from pipeline.io.tracking.recipes import recorded_rules
from pipeline.recipe.books import books
from pipeline.recipe.decision import forecast_columns, with_indication
from pipeline.schemas import TARGET
from pipeline.serving import versions
from pipeline.serving.learned import learned_metrics
from pipeline.stats.inference import MIN_BLOCK_SESSIONS
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


def evidence_metrics(workspace: Workspace, evidence: Run, gates: Gates) -> dict[str, float]:
    """The metrics of the evidence, deflated by all looks at its sessions until now.

    None of trading where it ended too many sessions ago.
    """
    ended = pd.Timestamp(evidence.data.tags[Tags.HOLDOUT_END])
    age = age_sessions(workspace.store.label_ready_sessions(), ended)
    allowed = gates.evidence_max_age_sessions
    if age > allowed:
        log.warning("promote: the evidence ended %d sessions ago, %d are allowed", age, allowed)
        return aged(evidence.data.metrics, age, allowed)
    return {**evidence.data.metrics, **_of_later_looks(workspace, evidence)}


def _of_later_looks(workspace: Workspace, evidence: Run) -> dict[str, float]:
    """What changes by looks at its sessions since: who looks on and takes the first has chosen."""
    run_id = str(evidence.info.run_id)
    if Tags.PREDICTIONS not in evidence.data.tags:
        return {}
    stored = runs.read_frame(run_id, Artifacts.PREDICTIONS)
    sessions = versions.sessions_of(stored)
    before = total(looks.logged_looks(run_id))
    now = total(looks.earlier_looks(workspace, looks.look_of(evidence), sessions))
    if now <= before:
        return {}
    log.info("promote: %.3g looks at the evidence's sessions by now, %.3g before it", now, before)
    members = members_return(stored["prediction"], stored[TARGET].dropna())
    return deflated(logged_net_returns(run_id), members, now)


def version_metrics(workspace: Workspace, version: ModelVersion, evidence: Run) -> dict[str, float]:
    """``version/*``: of the fit that would be deployed, whatever its recipe can do."""
    ready = workspace.store.label_ready_sessions()
    metrics = {Metrics.VERSION_AGE: float(age_sessions(ready, versions.trained_until(version)))}
    identity = logged_identity(str(version.run_id))
    if identity is not None:
        metrics |= learned_metrics(workspace, version, identity)
    if evidence.info.run_id != version.run_id:
        metrics[Metrics.VERSION_HOLDOUT_PVALUE] = holdout_pvalue(
            versions.stored(version),
            runs.read_frame(str(evidence.info.run_id), Artifacts.PREDICTIONS),
        )
    return metrics


def comparison(
    workspace: Workspace,
    rules: Rules,
    bankroll: float,
    challenger: ModelVersion,
    champion: ModelVersion,
    evidence: Run,
    seed: int,
) -> dict[str, float]:
    """p-value of a lower net return than the champion's, on sessions unseen by both.

    Each is traded by the rules of its own recipe, on all sessions that its evidence or its own run
    predicted; those after the training end of both, and of the champion's, are predicted now.

    Parameters
    ----------
    rules
        Where a run recorded none.
    evidence
        Of the challenger.

    Returns
    -------
    dict
        ``test/champion_pvalue``; NaN without enough joint sessions, or where the champion's run
        is gone, which is logged.

    Raises
    ------
    NotReady
        The champion's run was deleted, and can be restored.
    """
    if registry.active_run(champion, "promote") is None:
        log.warning("promote: the run of the champion, version %s, is gone", champion.version)
        return {Metrics.CHAMPION_PVALUE: float("nan")}
    ours = with_live_sessions(workspace, challenger, _out_of_sample(challenger, evidence))
    theirs = _out_of_sample(champion, newest_evidence(workspace, champion))
    joint = joint_sessions(
        versions.sessions_of(ours),
        versions.sessions_of(theirs),
        versions.trained_until(champion),
    )
    log.info(
        "promote: %d sessions are out of sample for version %s and for the champion, version %s",
        len(joint.sessions), challenger.version, champion.version,
    )  # fmt: skip
    if len(joint.sessions) < MIN_BLOCK_SESSIONS:
        log.warning(
            "promote: too few to compare the two, %d are needed; the champion is no hurdle",
            MIN_BLOCK_SESSIONS,
        )
        return {Metrics.CHAMPION_PVALUE: float("nan")}
    if len(joint.to_predict):
        now = versions.predicted_now(workspace, champion, joint.to_predict, "promote")
        theirs = pd.concat([theirs, now])
    our_net, their_net = (
        _net_returns(workspace, recorded_rules(version, rules), bankroll, predictions, joint)
        for version, predictions in ((challenger, ours), (champion, theirs))
    )
    return {Metrics.CHAMPION_PVALUE: champion_pvalue(our_net, their_net, seed)}


def with_live_sessions(
    workspace: Workspace, version: ModelVersion, stored: pd.DataFrame
) -> pd.DataFrame:
    """Out-of-sample predictions of a version, with those of all sessions since its training end.

    Parameters
    ----------
    stored
        By (session, symbol), as `versions.predicted_now` gives them, which makes what is missing.
    """
    ready = workspace.store.label_ready_sessions()
    live = ready[ready > versions.trained_until(version)].difference(versions.sessions_of(stored))
    if live.empty:
        return stored
    return pd.concat([stored, versions.predicted_now(workspace, version, live, "promote")])


def _net_returns(
    workspace: Workspace,
    rules: Rules,
    bankroll: float,
    forecasts: pd.DataFrame,
    joint: JointSessions,
) -> pd.Series:
    own = at_sessions(forecasts, joint.sessions)
    market = with_indication(workspace.market(joint.sessions, rules), own)
    return books(rules, bankroll, own["prediction"], market).net_returns


def _out_of_sample(version: ModelVersion, evidence: Run) -> pd.DataFrame:
    """Predictions of a version's evidence, and those of its own run on other sessions."""
    own = forecast_columns(versions.stored(version))
    if evidence.info.run_id == version.run_id:
        return own
    proven = forecast_columns(runs.read_frame(str(evidence.info.run_id), Artifacts.PREDICTIONS))
    others = versions.sessions_of(own).difference(versions.sessions_of(proven))
    return pd.concat([proven, at_sessions(own, others)]).sort_index()
