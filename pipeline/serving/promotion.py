"""What the gates look at for a version: its recipe's evidence, itself, and the champion."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from pipeline.contract import Metrics, Tags
from pipeline.gates.champion import (
    JointSessions,
    at_sessions,
    champion_pvalue,
    joint_sessions,
)
from pipeline.gates.evidence import age_sessions, aged
from pipeline.gates.gates import GateResult, Gates
from pipeline.gates.looks import total
from pipeline.gates.skill import deflated, members_return
from pipeline.gates.verdict import evaluate, unmeasured_excuses
from pipeline.gates.version import holdout_pvalue
from pipeline.io.tracking import looks, registry
from pipeline.io.tracking.evidence import Evidence, newest_evidence
from pipeline.io.tracking.identity import logged_identity
from pipeline.io.tracking.recipes import recorded_rules
from pipeline.io.tracking.values import ModelVersion
from pipeline.recipe.books import books
from pipeline.recipe.decision import forecast_columns, with_indication
from pipeline.schemas import TARGET
from pipeline.serving import versions
from pipeline.serving.learned import learned_metrics
from pipeline.stats.inference import MIN_BLOCK_SESSIONS
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


@dataclass(frozen=True)
class TradedBy:
    """How forecasts are traded where two versions are compared, and the seed of the comparison."""

    rules: Rules
    bankroll: float
    seed: int

    def of(self, version: ModelVersion) -> TradedBy:
        """By the rules of a version's own recipe, where its run recorded any."""
        return replace(self, rules=recorded_rules(version, self.rules))


@dataclass(frozen=True, eq=False)
class Candidate:
    """A version that may be deployed, and the evidence of its recipe.

    Attributes
    ----------
    evidence
        The newest walk-forward of its recipe on its data; else its own run.
    """

    version: ModelVersion
    evidence: Evidence

    @classmethod
    def of(cls, workspace: Workspace, version: ModelVersion) -> Candidate:
        """A version with the newest evidence there is."""
        return cls(version, newest_evidence(workspace, version))

    @property
    def is_own_evidence(self) -> bool:
        """Whether nothing but the version's own run speaks for its recipe."""
        return self.evidence.run_id == self.version.run_id

    @cached_property
    def stored(self) -> pd.DataFrame:
        """Out-of-sample predictions and returns of its own run, by (session, symbol)."""
        return self.evidence.predictions if self.is_own_evidence else versions.stored(self.version)

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Sessions that its own run predicted."""
        return versions.sessions_of(self.stored["prediction"])

    @property
    def out_of_sample(self) -> pd.DataFrame:
        """Predictions of its evidence, and those of its own run on other sessions."""
        of_its_run = forecast_columns(self.stored)
        if self.is_own_evidence:
            return of_its_run
        proven = forecast_columns(self.evidence.predictions)
        others = versions.sessions_of(of_its_run).difference(versions.sessions_of(proven))
        return pd.concat([proven, at_sessions(of_its_run, others)]).sort_index()


def judged(
    workspace: Workspace,
    candidate: Candidate,
    champion: ModelVersion | None,
    gates: Gates,
    traded: TradedBy,
    audited: Callable[[str], bool],
) -> list[GateResult]:
    """The gates' answers on a version.

    Parameters
    ----------
    champion
        Who holds the alias; None: nobody.
    traded
        How versions are traded that recorded no rules of their own.
    audited
        Whether the audit of a run passes; asked where its metrics are too good to be true.
    """
    metrics = evidence_metrics(workspace, candidate.evidence, gates)
    metrics |= version_metrics(workspace, candidate, gates)
    if champion:
        metrics |= comparison(workspace, traded, candidate, champion)
    if Metrics.AUDIT_PASSED in unmeasured_excuses(metrics, gates):
        log.info("promote: the evidence is too good to be true until it is audited")
        metrics[Metrics.AUDIT_PASSED] = float(audited(candidate.evidence.run_id))
    return evaluate(metrics, gates)


def evidence_metrics(workspace: Workspace, evidence: Evidence, gates: Gates) -> dict[str, float]:
    """The metrics of the evidence, deflated by all looks at its sessions until now.

    None of trading where it ended too many sessions ago.
    """
    ended = pd.Timestamp(evidence.tags[Tags.HOLDOUT_END])
    age = age_sessions(workspace.store.label_ready_sessions(), ended)
    allowed = gates.evidence_max_age_sessions
    if age > allowed:
        log.warning("promote: the evidence ended %d sessions ago, %d are allowed", age, allowed)
        return aged(evidence.metrics, age, allowed)
    return {**evidence.metrics, **_of_later_looks(workspace, evidence)}


def _of_later_looks(workspace: Workspace, evidence: Evidence) -> dict[str, float]:
    """What changes by looks at its sessions since: who looks on and takes the first has chosen."""
    if Tags.PREDICTIONS not in evidence.tags:
        return {}
    stored = evidence.predictions
    sessions = versions.sessions_of(stored)
    before = total(looks.logged_looks(evidence.run_id))
    now = total(looks.earlier_looks(workspace, looks.look_of(evidence), sessions))
    if now <= before:
        return {}
    log.info("promote: %.3g looks at the evidence's sessions by now, %.3g before it", now, before)
    members = members_return(stored["prediction"], stored[TARGET].dropna())
    return deflated(evidence.net_returns, members, now)


def version_metrics(workspace: Workspace, candidate: Candidate, gates: Gates) -> dict[str, float]:
    """``version/*``: of the fit that would be deployed, whatever its recipe can do.

    Its rows are read again, all of an expanding window, only where a gate looks at them.
    """
    ready, version = workspace.store.label_ready_sessions(), candidate.version
    metrics = {Metrics.VERSION_AGE: float(age_sessions(ready, versions.trained_until(version)))}
    identity = logged_identity(str(version.run_id))
    if identity is not None:
        reads_rows = gates.look_at(Metrics.VERSION_LEARNED)
        metrics |= learned_metrics(workspace, version, identity, reads_rows=reads_rows)
    if not candidate.is_own_evidence:
        metrics[Metrics.VERSION_HOLDOUT_PVALUE] = holdout_pvalue(
            candidate.stored, candidate.evidence.predictions
        )
    return metrics


def comparison(
    workspace: Workspace, traded: TradedBy, challenger: Candidate, champion: ModelVersion
) -> dict[str, float]:
    """p-value of a lower net return than the champion's, on sessions unseen by both.

    Each is traded by the rules of its own recipe, on all sessions that its evidence or its own run
    predicted; those after the training end of both, and of the champion's, are predicted now.

    Parameters
    ----------
    traded
        Where a run recorded no rules.

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
    ours = with_live_sessions(workspace, challenger.version, challenger.out_of_sample)
    theirs = Candidate.of(workspace, champion).out_of_sample
    joint = joint_sessions(
        versions.sessions_of(ours),
        versions.sessions_of(theirs),
        versions.trained_until(champion),
    )
    log.info(
        "promote: %d sessions are out of sample for version %s and for the champion, version %s",
        len(joint.sessions), challenger.version.version, champion.version,
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
        _net_returns(workspace, traded.of(version), predictions, joint)
        for version, predictions in ((challenger.version, ours), (champion, theirs))
    )
    return {Metrics.CHAMPION_PVALUE: champion_pvalue(our_net, their_net, traded.seed)}


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
    workspace: Workspace, traded: TradedBy, forecasts: pd.DataFrame, joint: JointSessions
) -> pd.Series:
    both = at_sessions(forecasts, joint.sessions)
    market = with_indication(workspace.market(joint.sessions, traded.rules), both)
    return books(traded.rules, traded.bankroll, both["prediction"], market).net_returns
