"""Audit: everything recomputed from what was known at the time, and skill where none can be."""

from __future__ import annotations

import logging

import mlflow

from pipeline.audit import checks
from pipeline.audit.checks import Check, CheckResult, Results
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Tables, Tags
from pipeline.gates.gates import Answer
from pipeline.io.tracking import registry, runs
from pipeline.serving import versions
from pipeline.serving.auditing import checks_of_market, checks_of_recipe, checks_of_version
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.audit")


def run(settings: Settings) -> None:
    """Audit the store, the snapshots and the recipe; with `audit.model`, a registered model too.

    Raises
    ------
    Refused
        Something leaks, or the data are too few to tell.
    """
    alias, recipe = settings.audit.model, build.recipe(settings)
    version = registry.find(alias, who="audit") if alias else None
    with Workspace.open(settings) as workspace:
        if version:
            versions.check_serves(workspace, version, "audit")
            mlflow.set_tag(Tags.MODEL_VERSION, version.version)
        with runs.timed("audit_read"):
            pending = checks_of_market(workspace, settings.audit.sessions, settings.seed)
            pending |= checks_of_recipe(workspace, recipe, settings.audit, version)
            pending |= checks_of_version(version) if version else {}
        results = {name: _result(name, check) for name, check in pending.items()}
    answer = checks.verdict(results)
    _record(settings, results, answer)
    if version:
        registry.record_audit(version, checks.VERDICTS[answer], answer is Answer.PASS)
    if answer is not Answer.PASS:
        raise checks.refusal(results)


def _result(name: str, check: Check) -> CheckResult:
    with runs.timed(f"audit_{name}"):
        result = check()
    log.info("audit: %-17s %-19s %s", name, result.answer, result)
    return result


def _record(settings: Settings, results: Results, answer: Answer) -> None:
    runs.log_settings(settings.content, ("seed", "audit", "data", "features"))
    runs.log_table(checks.table(results), Tables.AUDIT)
    mlflow.log_metrics(checks.metrics(results))
    mlflow.set_tags({Tags.AUDIT: checks.VERDICTS[answer], Tags.DATA_SOURCE: settings.data.name})


if __name__ == "__main__":
    command("audit", run)
