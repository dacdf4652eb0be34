"""Audit: everything recomputed from what was known at the time, and skill where none can be."""

from __future__ import annotations

import logging
import secrets

from pipeline.audit import checks
from pipeline.audit.checks import Check, CheckResult, Results
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Metrics, Tables, Tags
from pipeline.gates.gates import Answer
from pipeline.io.tracking import notes, registry, runs
from pipeline.serving import versions
from pipeline.serving.auditing import checks_of_market, checks_of_recipe, checks_of_version
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.audit")

MAX_SEED = 10**9


def run(settings: Settings) -> None:
    """Audit the store, the snapshots and the recipe; with `audit.model`, a registered model too.

    Raises
    ------
    Refused
        Something leaks, or the data are too few to tell.
    """
    alias, recipe = settings.audit.model, build.recipe(settings)
    seed = settings.audit.seed if settings.audit.seed is not None else secrets.randbelow(MAX_SEED)
    log.info("audit: audit.seed=%d draws the same sessions and symbols again", seed)
    notes.log_metrics({Metrics.AUDIT_SEED: seed})
    version = registry.find(alias, who="audit") if alias else None
    with Workspace.open(settings) as workspace:
        if version:
            versions.check_serves(workspace, version, "audit")
            notes.set_tags({Tags.MODEL_VERSION: version.version})
        with runs.timed("audit_read"):
            pending = checks_of_market(workspace, settings.audit, seed)
            pending |= checks_of_recipe(workspace, recipe, settings.audit, version, seed)
            pending |= checks_of_version(version) if version else {}
        results = {name: _result(name, check) for name, check in pending.items()}
    answer = checks.verdict(results)
    notes.log_settings(settings.content, ("seed", "audit", "data", "features"))
    _record(results, answer, settings.data.name)
    if version:
        registry.record_audit(version, checks.VERDICTS[answer], answer is Answer.PASS)
    if answer is not Answer.PASS:
        raise checks.refusal(results)
    print(f"audit: {checks.VERDICTS[answer]}, no leak in {len(results)} checks")


def _result(name: str, check: Check) -> CheckResult:
    with runs.timed(f"audit_{name}"):
        result = check()
    log.info("audit: %-17s %-19s %s", name, result.answer, result)
    return result


def _record(results: Results, answer: Answer, source: str) -> None:
    runs.log_table(checks.table(results), Tables.AUDIT)
    notes.log_metrics(checks.metrics(results))
    notes.set_tags({Tags.AUDIT: checks.VERDICTS[answer], Tags.DATA_SOURCE: source})


if __name__ == "__main__":
    command("audit", run)
