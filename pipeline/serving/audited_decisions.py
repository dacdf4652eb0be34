"""What an audit does again of a recipe: the join of its rows, its refits, and its orders."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.audit.checks import Check, CheckResult
from pipeline.audit.decisions import few_symbols, joined_alike, ordered_alike, predicted_alike
from pipeline.audit.recomputation import sample_sessions
from pipeline.audit.skill import AuditedRecipe
from pipeline.io.evaluation_journal import EvaluationJournal
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.windows import Step, walk_forward_steps
from pipeline.market.indication import Evening
from pipeline.recipe.books import books
from pipeline.recipe.decision import with_indication
from pipeline.recipe.evaluate import out_of_sample
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.steps import PREDICTION
from pipeline.schemas import ROW, SESSION, BarPanel
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

STEPS, TRIALS = 2, 2
"""Of the walk-forward that is done again: a search, and a refit without one."""

TRADED_BEFORE = 3
"""Sessions traded before the one whose orders are compared."""

ORDERED = ["leg", "rank", "side", "prediction", "weight", "reference_price", "shares_ordered",
           "limit", "stop", "target"]  # fmt: skip
"""Columns of a ledger that are decided before the open."""


@dataclass(frozen=True)
class _Rows:
    """A dataset in the place of the snapshots, with the workspace's market."""

    dataset: Dataset
    workspace: Workspace

    def snapshots(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
        return self.dataset.at(sessions).features[list(columns)]

    def market(self, sessions: pd.DatetimeIndex, rules: Rules) -> Market:
        return self.workspace.market(sessions, rules)

    def evening(self, sessions: pd.DatetimeIndex) -> Evening:
        return self.workspace.evening(sessions)

    def printed_opens(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        return self.workspace.printed_opens(sessions)


def decision_checks(
    workspace: Workspace,
    recipe: Recipe,
    audited: AuditedRecipe,
    max_rows: int,
    count: int,
    forecasts: Callable[[], pd.DataFrame],
) -> dict[str, Check]:
    """Whether rows, predictions and orders depend on what was not known when they were made.

    Parameters
    ----------
    audited
        The recipe with its rows, windows and seed.
    max_rows
        Of the evaluation that is done again; symbols are drawn for it.
    count
        Sessions whose orders are compared.
    forecasts
        What orders of the holdout are made of, see `orderer`.
    """
    sessions, seed = audited.dataset.sessions, audited.seed
    few = few_symbols(audited.dataset, max_rows, seed)
    ordered = sample_sessions(sessions.intersection(audited.windows.predicted), count, seed)
    return {
        "join": lambda: joined_alike(
            join,
            workspace.member_rows(sessions),
            workspace.store.labels(sessions[0], sessions[-1]),
            seed=seed,
        ),
        "steps": lambda: _walked_alike(recipe, workspace, few, audited.windows, max_rows),
        "orders": lambda: ordered_alike(
            orderer(recipe, workspace, forecasts()), ordered, seed=seed
        ),
    }


def _walked_alike(
    recipe: Recipe, workspace: Workspace, few: Dataset, windows: Step, max_rows: int
) -> CheckResult:
    """The check of the steps; no pass where the evaluation fails, as on folds that are broken."""
    steps, gap = audited_steps(recipe, few.sessions, windows), recipe.splitter.gap_sessions
    try:
        return predicted_alike(predictor(recipe, workspace, max_rows), few, steps, gap)
    except ValueError as error:
        return CheckResult(0, sufficient=False, summary=f"the evaluation failed: {error}")


def audited_steps(recipe: Recipe, sessions: pd.DatetimeIndex, windows: Step) -> list[Step]:
    """The first steps of a walk-forward over the audit's holdout: one searches, one does not."""
    development = windows.development
    refit_every = recipe.windows.evaluation.refit_every
    return walk_forward_steps(
        sessions,
        window_days=(windows.predicted[0] - development[0]).days,
        refit_every=refit_every,
        search_every=STEPS * refit_every,
        min_sessions=recipe.splitter.needed_sessions,
        gap_sessions=recipe.splitter.gap_sessions,
        expanding=recipe.windows.window.expanding,
        start=windows.predicted[0],
    )[:STEPS]


def predictor(
    recipe: Recipe, workspace: Workspace, max_rows: int
) -> Callable[[Dataset, Sequence[Step]], pd.DataFrame]:
    """The recipe's own evaluation, with the budget of a few trials and kept nowhere."""
    plan = recipe.plan.changed(
        n_trials=TRIALS, batch_size=TRIALS, timeout_minutes=None, recorded_trials=None,
        max_rows=min(recipe.plan.max_rows or max_rows, max_rows),
    )  # fmt: skip
    quick = replace(recipe, plan=plan)

    def predict(dataset: Dataset, steps: Sequence[Step]) -> pd.DataFrame:
        with tempfile.TemporaryDirectory() as folder:
            outcome = out_of_sample(
                quick, dataset, steps, _Rows(dataset, workspace),
                EvaluationJournal(Path(folder) / "audit", "audit"), clock=time.perf_counter,
            )  # fmt: skip
        return outcome.predicted[[PREDICTION]]

    return predict


def orderer(
    recipe: Recipe, workspace: Workspace, forecasts: pd.DataFrame
) -> Callable[[Callable[[BarPanel], BarPanel], pd.Timestamp], pd.DataFrame]:
    """Orders of a session as a backtest that ends with it gives them.

    Parameters
    ----------
    forecasts
        By (session, symbol): ``prediction``, and what limits are made of where it is decided on
        the indicated open. Of the session itself that is all orders may know.
    """
    of_row = forecasts.index.get_level_values(SESSION)
    listed = pd.DatetimeIndex(of_row.unique().sort_values())

    def order(alter: Callable[[BarPanel], BarPanel], session: pd.Timestamp) -> pd.DataFrame:
        place = int(listed.get_indexer(pd.DatetimeIndex([session]))[0])
        sessions = listed[max(place - TRADED_BEFORE, 0) : place + 1]
        known = forecasts[np.asarray(of_row.isin(sessions))]
        market = with_indication(workspace.market(sessions, recipe.rules, alter), known)
        ledger = books(recipe.rules, recipe.bankroll, known[PREDICTION], market).ledger
        return ledger[ledger[SESSION] == session].set_index(ROW)[ORDERED]

    return order
