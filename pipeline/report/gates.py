"""The answers of the gates as people read them: a printed table, and what stands in the way."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from pipeline.gates.gates import Answer, GateResult
from pipeline.report.text_tables import terminal_table

SHORT = {Answer.UNKNOWN: "not enough"}
"""Answers that would make the table too wide for a terminal."""


def printed_gates(results: Sequence[GateResult]) -> str:
    """The answers for a terminal of 100 columns, the deciding gates first."""
    parts = [
        (title, [result for result in results if result.decisive is decides])
        for title, decides in (("decides", True), ("shown, decides nothing", False))
    ]
    return "\n\n".join(_printed(title, part) for title, part in parts if part)


def _printed(title: str, results: Sequence[GateResult]) -> str:
    rows = [
        {
            title: result.name,
            "answer": SHORT.get(result.answer, str(result.answer)),
            "why": result.explanation,
        }
        for result in results
    ]
    return terminal_table(pd.DataFrame(rows), words=(title, "answer", "why"))


def refusals(results: Sequence[GateResult]) -> list[str]:
    """The deciding gates that did not pass, failed ones first; gates with one reason share a line.

    Returns
    -------
    list[str]
        Sentences; empty where every deciding gate passed.
    """
    names_by_reason: dict[str, list[str]] = {}
    for result in sorted(results, key=lambda r: r.answer is not Answer.FAIL):
        if result.decisive and result.answer is not Answer.PASS:
            reason = f"{result.answer}: {result.explanation}"
            names_by_reason.setdefault(reason, []).append(result.name)
    return [f"{', '.join(names)}: {reason}." for reason, names in names_by_reason.items()]


def awaits_only(results: Sequence[GateResult], excuse: str) -> bool:
    """Whether nothing but a metric that nobody measured yet is in the way of a promotion."""
    refused = [r for r in results if r.decisive and r.answer is not Answer.PASS]
    return bool(refused) and all(result.excuse == excuse for result in refused)
