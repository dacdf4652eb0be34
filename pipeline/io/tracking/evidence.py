"""The run whose metrics the gates look at."""

from __future__ import annotations

import logging

import mlflow
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.contract import Tags
from pipeline.gates.identity import MIN_AGREEMENT, DataIdentity, differences
from pipeline.io.tracking import runs
from pipeline.io.tracking.identity import confirmed, logged_identity
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


def newest_evidence(workspace: Workspace, version: ModelVersion) -> Run:
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
            return run
        reasons = _other_data(workspace, identity, str(run.info.run_id))
        if not reasons:
            return run
        log.info(
            "promote: walk-forward %s of the same recipe is no evidence for version %s: %s",
            run.info.run_id, version.version, "; ".join(reasons),
        )  # fmt: skip
    return mlflow.get_run(version.run_id)


def _other_data(workspace: Workspace, version: DataIdentity | None, run_id: str) -> list[str]:
    evidence = logged_identity(run_id)
    if version is None or evidence is None:
        return ["what data it was made of was not recorded"]
    reasons = differences(evidence, version)
    agreeing = confirmed(workspace, evidence.witnesses)
    if not agreeing >= MIN_AGREEMENT:
        reasons.append(f"{agreeing:.0%} of its bars are those of here")
    return reasons


def newest_walk_forward(recipe: str, data_source: str, universe: str) -> Run | None:
    """The newest finished walk-forward of a recipe, on a source and universe; None without one."""
    found = runs.search(
        "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
        " and tags.evaluation = 'walk_forward'"
        f" and tags.recipe = '{recipe}'"
        f" and tags.data_source = '{data_source}' and tags.universe = '{universe}'",
        newest=1,
    )
    return found[0] if found else None
