"""The run whose metrics the gates look at."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property

import mlflow
import pandas as pd

from pipeline.contract import Artifacts, Metrics, Tags
from pipeline.gates.gates import Gates
from pipeline.gates.identity import MIN_AGREEMENT, DataIdentity, differences
from pipeline.gates.verdict import REJECTED, evaluate, verdict
from pipeline.io.tracking import runs
from pipeline.io.tracking.books import logged_net_returns
from pipeline.io.tracking.identity import confirmed, logged_identity
from pipeline.io.tracking.values import FinishedRun, ModelVersion
from pipeline.report.gates import awaits_only
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


@dataclass(frozen=True, eq=False)
class Evidence(FinishedRun):
    """A run that a recipe is judged by; its files are read when they are first asked for, once."""

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """What it predicted out of sample, with returns, by (session, symbol)."""
        return runs.read_frame(self.run_id, Artifacts.PREDICTIONS)

    @cached_property
    def net_returns(self) -> pd.Series:
        """Net returns of its backtest by session."""
        return logged_net_returns(self.run_id)


def newest_evidence(workspace: Workspace, version: ModelVersion) -> Evidence:
    """The newest finished walk-forward of the version's recipe whose data its own data extends.

    Without one, the version's own run, whose few sessions are rarely enough. What is passed over
    is logged.
    """
    identity = logged_identity(str(version.run_id))
    for run in runs.search(
        "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
        " and tags.evaluation = 'walk_forward'"
        f" and tags.recipe = '{version.tags.get(Tags.RECIPE, '')}'",
        newest=None,
    ):
        if run.info.run_id == version.run_id:
            return Evidence.of(run)
        reasons = _other_data(workspace, identity, str(run.info.run_id))
        if not reasons:
            return Evidence.of(run)
        log.info(
            "promote: walk-forward %s of the same recipe is no evidence for version %s: %s",
            run.info.run_id, version.version, "; ".join(reasons),
        )  # fmt: skip
    return Evidence.of(mlflow.get_run(version.run_id))


def _other_data(workspace: Workspace, version: DataIdentity | None, run_id: str) -> list[str]:
    evidence = logged_identity(run_id)
    if version is None or evidence is None:
        return ["what data it was made of was not recorded"]
    reasons = differences(evidence, version)
    agreeing = confirmed(workspace, evidence.witnesses)
    if not agreeing >= MIN_AGREEMENT:
        reasons.append(f"{agreeing:.0%} of its bars are those of here")
    return reasons


def is_rejected(run: FinishedRun, gates: Gates) -> bool:
    """Whether the gates reject a run's evidence, by more than an audit that nobody did yet."""
    answers = evaluate(run.metrics, gates)
    return verdict(answers) == REJECTED and not awaits_only(answers, Metrics.AUDIT_PASSED)


def newest_walk_forward(recipe: str, data_source: str, universe: str) -> FinishedRun | None:
    """The newest finished walk-forward of a recipe, on a source and universe; None without one."""
    newest = runs.search(
        "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
        " and tags.evaluation = 'walk_forward'"
        f" and tags.recipe = '{recipe}'"
        f" and tags.data_source = '{data_source}' and tags.universe = '{universe}'",
        newest=1,
    )
    return FinishedRun.of(newest[0]) if newest else None
