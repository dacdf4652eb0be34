"""What a check of an audit compares and finds, and what follows from the results of all checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.commands import Command
from pipeline.errors import Fault, Refused
from pipeline.gates.gates import Answer
from pipeline.schemas import SESSION, SYMBOL

LEAK_COLUMNS = ["column", SYMBOL, SESSION, "stored", "recomputed"]
"""Columns of a list of leaks, as text: the place, and both values that should be one."""

MAX_LISTED = 20
"""Leaks of one column that are listed; all are counted."""

NO_ROW = pd.MultiIndex.from_arrays([[pd.NaT], [""]], names=[SESSION, SYMBOL])
"""The place of a leak that is not one row's."""

VERDICTS = {Answer.PASS: "passed", Answer.FAIL: "failed", Answer.UNKNOWN: str(Answer.UNKNOWN)}
"""An answer as the tag ``audit`` of a run and of a version states it."""


NOT_LOOKED_AT = "not looked at"
UNSEEN: Mapping[str, str] = {
    "universe": "symbols that are listed because they survived, or were chosen with hindsight: the "
    "store has no others; the gate `timing` takes what such a choice teaches",
    "prices": "history adjusted with later splits and dividends, or restated by its source",
    "attributes": "a table of sectors that knows less of later returns than `attributes` shows",
}
"""What no audit can see, by kind; a table of an audit says so."""


@dataclass(frozen=True)
class CheckResult:
    """What one check compared and what it found.

    Attributes
    ----------
    checked
        Number of values compared.
    leaks
        Number of those that are not what they should be.
    listed
        Columns `LEAK_COLUMNS`; the first `MAX_LISTED` of each column.
    sufficient
        False: these data are too few to tell a leak from noise.
    required
        False: the verdict does without this check where data are too few; a leak counts all the
        same.
    summary
        The result in words; empty where the numbers say it all.
    metrics
        Numbers behind the result, by name.
    """

    checked: int
    leaks: int = 0
    listed: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=LEAK_COLUMNS))
    sufficient: bool = True
    required: bool = True
    summary: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)

    @property
    def answer(self) -> Answer:
        """Fail with a leak; pass without one, if the data suffice to tell."""
        if self.leaks:
            return Answer.FAIL
        return Answer.PASS if self.sufficient else Answer.UNKNOWN

    def __str__(self) -> str:
        return self.summary or f"{self.leaks:,} leaks in {self.checked:,} values"


Check = Callable[[], CheckResult]
"""A check that has all it looks at."""

Results = Mapping[str, CheckResult]
"""By the name of the check."""


def compare(stored: pd.DataFrame, recomputed: pd.DataFrame) -> CheckResult:
    """Two long frames (session, symbol), cell by cell to the last bit; missing equals missing.

    A row or a column that one side lacks is a leak too: whether it exists is information as well.

    Parameters
    ----------
    stored, recomputed
        Values of the same sessions, as of the same moment.
    """
    rows = stored.index.intersection(recomputed.index)
    columns = stored.columns.intersection(recomputed.columns)
    old, new = stored.loc[rows, columns], recomputed.loc[rows, columns]
    differs = ((old != new) & ~(old.isna() & new.isna())).to_numpy()
    parts = [
        leaks_at(str(name), rows[where], old[name].to_numpy()[where], new[name].to_numpy()[where])
        for name, where in zip(columns, differs.T, strict=True)
        if where.any()
    ]
    unpaired = stored.index.symmetric_difference(recomputed.index)
    on_each_side = (unpaired.isin(side.index) for side in (stored, recomputed))
    parts.append(leaks_at("row", unpaired, *on_each_side))
    for name in stored.columns.symmetric_difference(recomputed.columns):
        parts.append(leaks_at(str(name), NO_ROW, [name in stored], [name in recomputed]))
    total = combine(parts)
    return CheckResult(old.size + len(unpaired), total.leaks, total.listed)


def leaks_at(
    column: str, rows: pd.Index, stored: npt.ArrayLike, recomputed: npt.ArrayLike
) -> CheckResult:
    """Leaks of one column at these rows (session, symbol), with both values of each."""
    first = rows[:MAX_LISTED].to_frame(index=False)
    first["column"] = column
    first[SESSION] = pd.DatetimeIndex(first[SESSION]).strftime("%Y-%m-%d").fillna("")
    for name, values in (("stored", stored), ("recomputed", recomputed)):
        first[name] = [str(value) for value in np.asarray(values)[:MAX_LISTED]]
    return CheckResult(len(rows), len(rows), first[LEAK_COLUMNS])


def combine(results: Iterable[CheckResult], summary: str = "") -> CheckResult:
    """Several comparisons as one; without a single value they are not sufficient."""
    parts = list(results)
    listed = pd.concat([part.listed for part in parts if part.leaks] or [CheckResult(0).listed])
    return CheckResult(
        checked=sum(part.checked for part in parts),
        leaks=sum(part.leaks for part in parts),
        listed=listed.groupby("column", sort=False).head(MAX_LISTED).reset_index(drop=True),
        sufficient=any(part.checked for part in parts),
        summary=summary,
    )


def verdict(results: Results) -> Answer:
    """One leak fails the audit; it passes when every required check has sufficient data.

    Raises
    ------
    ValueError
        No check decides: an audit that looked at nothing has no verdict.
    """
    answers = {result.answer for result in results.values() if result.required or result.leaks}
    for answer in (Answer.FAIL, Answer.UNKNOWN, Answer.PASS):
        if answer in answers:
            return answer
    raise ValueError("an audit needs at least one required check")


def metrics(results: Results) -> dict[str, float]:
    """Metrics of an audit's run, by name under ``audit/``."""
    return {
        "audit/passed": float(verdict(results) is Answer.PASS),
        "audit/values_checked": sum(result.checked for result in results.values()),
        "audit/leaks": sum(result.leaks for result in results.values()),
        **{f"audit/{name}_leaks": result.leaks for name, result in results.items()},
        **{
            f"audit/{name}_{metric}": value
            for name, result in results.items()
            for metric, value in result.metrics.items()
        },
    }


def table(results: Results) -> pd.DataFrame:
    """One line a check, one for every leak listed, and what no audit sees; all cells are text.

    Returns
    -------
    DataFrame
        Columns check, answer, values, leaks, those of `LEAK_COLUMNS`, explanation.
    """
    lines = []
    for name, result in results.items():
        head = {"check": name, "answer": str(result.answer), "explanation": result.summary}
        counts = {"values": str(result.checked), "leaks": str(result.leaks)}
        lines.append(pd.DataFrame([head | counts]))
        lines.append(result.listed.assign(check=name, answer=str(result.answer)))
    lines += [
        pd.DataFrame([{"check": name, "answer": NOT_LOOKED_AT, "explanation": words}])
        for name, words in UNSEEN.items()
    ]
    columns = ["check", "answer", "values", "leaks", *LEAK_COLUMNS, "explanation"]
    return pd.concat(lines)[columns].fillna("")


def refusal(results: Results) -> Refused:
    """Why an audit did not pass: the first leak of every check with one, or what was too little.

    Every check that leaks, or has too little evidence, is a fault of it.
    """
    leaking = {name: result for name, result in results.items() if result.leaks}
    if leaking:
        total = sum(result.leaks for result in leaking.values())
        faults = [Fault(name, _first_leak(result)) for name, result in leaking.items()]
        return Refused(
            "audit",
            "\n    ".join([f"{total:,} leaks; the first of each check:", *map(str, faults)]),
            "values that follow from what was known before their session opened",
            Command("ui"),
            faults=faults,
        )
    unclear = [
        Fault(name, result.summary or "no values")
        for name, result in results.items()
        if result.required and not result.sufficient
    ]
    return Refused(
        "audit",
        "no leak found, but not enough evidence in "
        + "; ".join(f"{each.key} ({each.found})" for each in unclear),
        "more sessions to tell a leak from noise: a larger audit.holdout_days or audit.window_days",
        Command("status"),
        faults=unclear,
    )


def _first_leak(result: CheckResult) -> str:
    leak = result.listed.iloc[0]
    place = f" of {leak[SYMBOL]} on {leak[SESSION]}" if leak[SYMBOL] else ""
    return f"{leak['column']}{place}: {leak['stored']} against {leak['recomputed']}"
