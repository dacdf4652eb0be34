"""Promote: move `champion` to a version that passes every gate, or say why not."""

from __future__ import annotations

import getpass
import logging
from dataclasses import asdict

import mlflow
import pandas as pd
from mlflow.entities import Run
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import Refused
from pipeline.io import registry, tracking
from pipeline.io.store import Store
from pipeline.schemas import SESSION
from pipeline.settings import Settings
from pipeline.stages import _data, _evidence, _predictions, _trading, audit
from pipeline.stages._runner import ask, command
from pipeline.trading.promotion import GateResult, unmeasured_excuses, verdict
from pipeline.trading.significance import paired_test

log = logging.getLogger("pipeline.promote")


def run(settings: Settings) -> None:
    """Check the gates of the challenger (or `promote.version`), then move the alias."""
    asked = settings.promote
    if asked.history:
        print(_history())
        return
    version = registry.find(asked.version or registry.CHALLENGER, who="promote")
    _predictions.check_serves(settings, version, "promote")
    champion = registry.holder(registry.CHAMPION)
    if champion and champion.version == version.version:
        print(f"version {version.version} is the champion already")
        return
    answers = _answers(settings, version, champion)
    table = _evidence.gate_table(answers)
    answer = verdict(answers)
    print(f"\nversion {version.version}: {answer}\n{table.to_string(index=False)}\n")
    tracking.log_table(table, "gates")
    mlflow.set_tags({"model_version": version.version, "gates": answer})
    if answer != "accepted" and not asked.force:
        raise Refused(
            "promote",
            f"version {version.version}: {answer}; champion stays "
            + (f"version {champion.version}" if champion else "unset"),
            "every deciding gate to pass, or a person's decision",
            "mlflow run . -e promote -P overrides=\"promote.force=true promote.reason='...'\"",
        )
    reason = asked.reason or f"passed every gate of {len(answers)}"
    move = registry.move_champion(
        int(version.version), action="promote", reason=reason, forced=answer != "accepted",
        by=getpass.getuser(), tags=_evidence.gate_tags(answers),
    )  # fmt: skip
    mlflow.set_tag("verdict", "forced" if move.forced else "accepted")
    print(
        f"champion: version {version.version}"
        + (f", before it version {move.previous}" if move.previous else "")
        + f"; {reason}\nNext: mlflow run . -e signals"
    )


def _answers(
    settings: Settings, version: ModelVersion, champion: ModelVersion | None
) -> list[GateResult]:
    own = mlflow.get_run(version.run_id)
    evidence = _evidence.newest_evidence(settings, version.tags.get("recipe", ""), own)
    metrics = dict(evidence.data.metrics)
    with _data.open_store(settings) as store:
        metrics = _aged(settings, store, evidence, metrics)
        if champion:
            metrics["test/champion_pvalue"] = _worse_than(settings, store, version, champion)
    if registry.AUDIT_PASSED in unmeasured_excuses(metrics, settings.gates):
        metrics |= _audited(settings, evidence)
    return _evidence.gate_answers(settings, metrics)


def _audited(settings: Settings, evidence: Run) -> dict[str, float]:
    """What an audit of a result that is too good to be true leaves on its run."""
    log.info("promote: the evidence is too good to be true until it is audited")
    run_id = evidence.info.run_id
    ask("audit", audit.run, settings.auditing(run_id))
    left = mlflow.get_run(run_id).data.metrics
    return {name: left[name] for name in (registry.AUDIT_PASSED,) if name in left}


def _aged(
    settings: Settings, store: Store, evidence: Run, metrics: dict[str, float]
) -> dict[str, float]:
    """No evidence at all from a result that ended too many sessions ago."""
    ended = evidence.data.tags[_evidence.LAST_TAG]
    ready = store.label_ready_sessions()
    age = int((ready > ended).sum())
    allowed = int(settings.gates["evidence_max_age_sessions"])
    if age <= allowed:
        return metrics
    log.warning("promote: the evidence ended %d sessions ago, %d are allowed", age, allowed)
    return {name: value for name, value in metrics.items() if not name.startswith("backtest/")}


def _worse_than(
    settings: Settings, store: Store, version: ModelVersion, champion: ModelVersion
) -> float:
    """p-value of a lower net return than the champion's, on sessions unseen by both."""
    kept = _predictions.stored(version)["prediction"]
    sessions = pd.DatetimeIndex(kept.index.get_level_values(SESSION).unique())
    theirs = _predictions.stored(champion)["prediction"]
    known = pd.DatetimeIndex(theirs.index.get_level_values(SESSION).unique())
    later = sessions[sessions > pd.Timestamp(champion.tags["trained_until"])]
    later = later.difference(known)
    if len(later):
        theirs = pd.concat(
            [theirs, _predictions.predicted_now(settings, champion, later, "promote")]
        )
    joint = sessions.intersection(known.union(later))
    if joint.empty:
        return float("nan")
    traded = _trading.market(settings, store, joint)
    own_net, their_net = (
        _trading.books(
            settings, p[p.index.get_level_values(SESSION).isin(joint)], traded
        ).net_returns
        for p in (kept, theirs)
    )
    return paired_test(own_net, their_net, seed=settings.seed)


def _history() -> str:
    moves = [asdict(move) for move in registry.history()]
    return pd.DataFrame(moves).to_string(index=False) if moves else "champion was never moved"


if __name__ == "__main__":
    command("promote", run)
