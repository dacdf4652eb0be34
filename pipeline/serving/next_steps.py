"""What to do after a retrain: the evidence that is missing, and what it takes here."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from pipeline import commands
from pipeline.contract import Metrics
from pipeline.errors import TooFewSessions
from pipeline.gates.gates import Gates
from pipeline.gates.judge import Result
from pipeline.io.tracking.evidence import is_rejected, newest_walk_forward
from pipeline.recipe.evaluate import OutOfSample
from pipeline.recipe.expected import Expected, expected
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.windows import WindowPlan
from pipeline.report.gates import awaits_only, refusals
from pipeline.report.next_steps import (
    after_earlier_evidence,
    after_evidence,
    after_quick_retrain,
    is_longer_window_worth_it,
)
from pipeline.stats.returns import sessions_a_year
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class Timed:
    """Seconds of one search, and of fitting and predicting one step."""

    search: float
    fit: float

    @classmethod
    def of(cls, outcome: OutOfSample, seconds: float) -> Timed:
        """Of an evaluation that took so long as a whole."""
        search = outcome.chosen.metrics[Metrics.SEARCH_SECONDS]
        return cls(search, max(seconds - search, 0.0))


def next_steps(
    recipe: Recipe,
    workspace: Workspace,
    result: Result,
    evidence_plan: WindowPlan,
    timed: Timed | None,
    gates: Gates,
) -> list[str]:
    """Sentences and commands for the end of a retrain, in the order to follow.

    Parameters
    ----------
    evidence_plan
        Windows of a walk-forward of the recipe.
    timed
        Of this retrain; None where a part of it was done before.
    gates
        By which an earlier walk-forward is judged.
    """
    given = commands.given()
    if recipe.windows.evaluation.is_walk_forward:
        return after_evidence(
            given, result.verdict, refusals(result.answers),
            only_audit=awaits_only(result.answers, Metrics.AUDIT_PASSED),
        )  # fmt: skip
    if walked := newest_walk_forward(recipe.hash, workspace.data_source, workspace.universe):
        return after_earlier_evidence(given, rejected=is_rejected(walked, gates))
    sessions = workspace.snapshot_sessions()
    walk = _walk_forward(evidence_plan, sessions, timed)
    years = len(sessions) / sessions_a_year(sessions)
    window = recipe.windows.window
    return after_quick_retrain(
        given,
        seconds=walk.seconds if timed and walk.refits else None,
        refits=walk.refits,
        sessions=walk.sessions,
        years=years,
        longer=is_longer_window_worth_it(years, window.window_days, expanding=window.expanding),
    )


def _walk_forward(plan: WindowPlan, sessions: pd.DatetimeIndex, timed: Timed | None) -> Expected:
    try:
        steps = plan.walk_forward(sessions)
    except TooFewSessions:
        return Expected(0.0, 0, 0)
    known = timed or Timed(0.0, 0.0)
    return expected(steps, search_seconds=known.search, fit_seconds=known.fit)
