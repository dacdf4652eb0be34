"""Audit: everything made anew from what was known at the time, and skill where none can be."""

from __future__ import annotations

import logging

import mlflow
import pandas as pd

from pipeline.errors import Refused
from pipeline.io import registry, tracking
from pipeline.leaks import LEAK, Checked
from pipeline.settings import Settings
from pipeline.stages import _audit, _data, _predictions
from pipeline.stages._runner import command
from pipeline.trading.promotion import Answer

log = logging.getLogger("pipeline.audit")
WORDS = {Answer.PASS: "passed", Answer.FAIL: "failed", Answer.UNKNOWN: str(Answer.UNKNOWN)}


def run(settings: Settings) -> None:
    """Audit the store, the snapshots and the recipe; with `audit.model`, a registered model too.

    Raises
    ------
    Refused
        Something leaks, or the data are too few to tell.
    """
    model = settings.audit.model
    version = registry.find(model, who="audit") if model else None
    if version:
        _predictions.check_serves(settings, version, "audit")
        mlflow.set_tag("model_version", version.version)
    with _data.open_store(settings) as store:
        with tracking.timed("audit_read"):
            checks = _audit.of_market(settings, store)
            checks |= _audit.of_recipe(settings, store, version)
            checks |= _audit.of_model(version) if version else {}
        found = {name: _looked(name, check) for name, check in checks.items()}
    answer = _answer(found)
    _report(settings, found, answer)
    if version:
        registry.record_audit(version, WORDS[answer], answer is Answer.PASS)
    if answer is not Answer.PASS:
        raise _refusal(found)


def _looked(name: str, check: _audit.Check) -> Checked:
    with tracking.timed(f"audit_{name}"):
        found = check()
    counted = f"{found.leaks:,} leaks in {found.count:,} values"
    log.info("audit: %-17s %-19s %s", name, _of(found), found.said or counted)
    return found


def _of(checked: Checked) -> Answer:
    if checked.leaks:
        return Answer.FAIL
    return Answer.PASS if checked.enough else Answer.UNKNOWN


def _answer(found: dict[str, Checked]) -> Answer:
    """One leak fails; without one, everything has to have been told apart from noise."""
    answers = {_of(checked) for checked in found.values() if checked.decides or checked.leaks}
    return next(a for a in (Answer.FAIL, Answer.UNKNOWN, Answer.PASS) if a in answers)


def _report(settings: Settings, found: dict[str, Checked], answer: Answer) -> None:
    tracking.log_settings(
        settings.model_dump(mode="json", by_alias=True), ("seed", "audit", "data", "features")
    )
    tracking.log_table(_table(found), "audit")
    figures = {
        f"audit/{name}_{figure}": value
        for name, checked in found.items()
        for figure, value in checked.figures.items()
    }
    mlflow.log_metrics(
        {
            registry.AUDIT_PASSED: float(answer is Answer.PASS),
            "audit/values_checked": sum(checked.count for checked in found.values()),
            "audit/leaks": sum(checked.leaks for checked in found.values()),
            **{f"audit/{name}_leaks": checked.leaks for name, checked in found.items()},
            **figures,
        }
    )
    mlflow.set_tags({registry.AUDIT: WORDS[answer], "data_source": settings.data.name})


def _table(found: dict[str, Checked]) -> pd.DataFrame:
    """One line a check, and one for every leak listed."""
    lines = []
    for name, checked in found.items():
        answer, said = str(_of(checked)), checked.said
        head = {"check": name, "answer": answer, "values": str(checked.count)}
        lines.append(pd.DataFrame([{**head, "leaks": str(checked.leaks), "explanation": said}]))
        lines.append(checked.listed.assign(check=name, answer=answer))
    columns = ["check", "answer", "values", "leaks", *LEAK, "explanation"]
    return pd.concat(lines)[columns].fillna("")


def _refusal(found: dict[str, Checked]) -> Refused:
    """Names the first leak of every check that found one, or what was too little."""
    leaking = {name: checked for name, checked in found.items() if checked.leaks}
    if leaking:
        lines = [_first(name, checked) for name, checked in leaking.items()]
        total = sum(checked.leaks for checked in leaking.values())
        needed = "values that follow from what was known before their session opened"
        return Refused(
            "audit", "\n    ".join([f"{total:,} leaks; the first of each check:", *lines]),
            needed, "mlflow run . -e ui   (all of them: table `audit` of this run)",
        )  # fmt: skip
    unclear = [
        f"{name} ({checked.said or 'no values'})"
        for name, checked in found.items()
        if checked.decides and not checked.enough
    ]
    return Refused(
        "audit",
        f"no leak found, but not enough evidence in {'; '.join(unclear)}",
        "more sessions to tell a leak from noise: a larger audit.holdout_days or audit.window_days",
        "mlflow run . -e status",
    )


def _first(name: str, checked: Checked) -> str:
    leak = checked.listed.iloc[0]
    where = f" of {leak['symbol']} on {leak['session']}" if leak["symbol"] else ""
    return f"{name}: {leak['column']}{where}: {leak['stored']} against {leak['recomputed']}"


if __name__ == "__main__":
    command("audit", run)
