"""The recipe: what decides a model before it sees data, and the hash that ties its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from pydantic_core import to_jsonable_python

from pipeline.commands import Command
from pipeline.errors import NotReady, TooFewSessions
from pipeline.learning.dataset import Dataset
from pipeline.learning.learner import Learner
from pipeline.learning.search.plan import SearchPlan
from pipeline.learning.splits import Splitter
from pipeline.learning.targets import Target
from pipeline.recipe.decision import EVENING, EveningBefore, IndicatedOpen
from pipeline.recipe.feature_set import RegimeLimits, RowSelection, canonical_hash
from pipeline.recipe.windows import WindowPlan
from pipeline.trading.rules import Rules
from pipeline.values import listed_names

FEW_TO_RANK = 30
"""Symbols a session from which on their order is worth learning."""
RANK = "rank_"
"""Start of the names of features that are ranks among the symbols of a session."""

NAMED = 5


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What decides a model before it sees data.

    Attributes
    ----------
    name
        What people call the model; no part of the hash.
    features
        Hash by name of the columns learned from, in the model's order.
    rows
        Which symbols get a row.
    target
        How the open-to-close return is treated before a fit.
    learners
        Members of the ensemble, in order.
    weights, min_slope
        How the members' out-of-fold forecasts become their weights, and the least sum of these.
    splitter, plan
        Folds and budget of the search.
    windows
        How much history is learned from, and how the result is judged.
    rules, bankroll
        What a forecast is traded by.
    limits
        What regimes are determined by.
    data
        Options of the data that change prices or regimes: index, calendar, dividends.
    seed
        Of every random draw.
    decision
        When it is decided: the evening before, or on indicated opens.
    """

    name: str
    features: Mapping[str, str]
    rows: RowSelection
    target: Target
    learners: tuple[Learner, ...]
    weights: Literal["stacked", "equal"]
    min_slope: float
    splitter: Splitter
    plan: SearchPlan
    windows: WindowPlan
    rules: Rules
    bankroll: float
    limits: RegimeLimits
    data: Mapping[str, str | bool | None]
    seed: int
    decision: EveningBefore | IndicatedOpen = EVENING

    @property
    def columns(self) -> list[str]:
        """Names of the features, in the model's order."""
        return list(self.features)

    @cached_property
    def content(self) -> dict[str, Any]:
        """All that decides the model, as plain values; a repeated search is the same recipe."""
        plan = {k: v for k, v in to_jsonable_python(self.plan).items() if k != "recorded_trials"}
        return {
            "features": dict(self.features),
            "rows": to_jsonable_python(self.rows),
            "target": to_jsonable_python(self.target),
            "learners": [
                {"name": learner.name, **to_jsonable_python(learner)} for learner in self.learners
            ],
            "weights": self.weights,
            "min_slope": self.min_slope,
            "folds": {type(self.splitter).__name__: to_jsonable_python(self.splitter)},
            "search": plan,
            "rules": self.rules.content,
            "bankroll": self.bankroll if self.rules.depend_on_bankroll else None,
            "regimes": self.limits.hash if self.rules.regime_positions else None,
            "data": dict(self.data),
            "refits": [self.windows.evaluation.refit_every, self.windows.evaluation.search_every],
            "window_days": "all" if self.windows.window.expanding else self.windows.window_days,
            "seed": self.seed,
            # The evening's recipes are what they were before there was another time to decide.
            **({} if self.decision == EVENING else {"decision": self.decision.content}),
        }

    @cached_property
    def hash(self) -> str:
        """12 hex digits over ``content``: the tag that ties runs and versions of a recipe."""
        return canonical_hash(self.content)

    def require_rows(self, who: str, part: str, rows: Dataset) -> None:
        """Refuse a window whose sessions with rows are too few for the folds, or hold one symbol.

        Raises
        ------
        TooFewSessions
            Naming the part, what it has and what the folds need.
        NotReady
            A session has one symbol, and the target is what sets symbols apart.
        """
        sessions = len(rows.sessions)
        if sessions < self.splitter.needed_sessions:
            raise TooFewSessions(
                who,
                f"{part} has {sessions} sessions and {len(rows.returns):,} rows to learn from",
                f"{self.splitter.needed_sessions} sessions: {self.splitter.needs}; "
                "widen retrain.window_days, or choose later dates",
                Command("status"),
            )

        compares = self.target.ranked or self.target.relative != "none"
        if compares and _symbols(rows) < 2:
            raise NotReady(
                who,
                f"{part} has one symbol a session, and model={self.name} learns what sets symbols "
                "apart",
                "two symbols or more; or a model of the return itself",
                Command("retrain", "features=classic", "model=lightgbm",
                        "model.target.relative=none"),
            )  # fmt: skip

    def cautions(self, dataset: Dataset, unadjusted: Sequence[str]) -> list[str]:
        """What a reader should know of rows that do not suit the target or the search.

        Parameters
        ----------
        unadjusted
            Symbols of which nobody says what their prices were divided by.
        """
        cautions = []
        missing = self.target.missing(dataset.features.columns)
        if missing:
            cautions.append(
                f"the target keeps what {' and '.join(missing)} would explain of it: not among "
                "the features"
            )
        by_price = {
            "features.min_price": self.rows.min_price > 0.0,
            "strategy.commission_per_share": self.rules.commission_per_share > 0.0,
        }
        if any(by_price.values()) and unadjusted:
            count, names = listed_names(unadjusted, NAMED)
            cautions.append(
                f"{' and '.join(n for n, holds in by_price.items() if holds)}: the source does not "
                f"tell all splits of {count} symbols ({names}), so their "
                "history is held to other prices, and whole shares to other sizes, than there were"
            )
        columns = [str(name) for name in dataset.features.columns]
        ranks = sum(name.startswith(RANK) for name in columns)
        if self.plan.objective == "mae" and 2 * ranks > len(columns):
            cautions.append(
                f"hpo.objective=mae: {ranks} of {len(columns)} features are ranks among the "
                "symbols of a session, which cannot tell the session's own move, and that move "
                "decides an error in return: choose hpo.objective=rank_ic"
            )
        symbols = _symbols(dataset)
        if self.target.ranked and symbols < FEW_TO_RANK:
            cautions.append(
                f"model={self.name} learns the order of the symbols, of which a session has "
                f"{symbols}: for fewer than {FEW_TO_RANK} choose features=classic"
            )
        return cautions


def _symbols(dataset: Dataset) -> int:
    """Rows of a session, in the median."""
    return int(np.median(np.bincount(dataset.session_codes)))
