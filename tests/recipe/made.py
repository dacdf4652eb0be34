"""Recipes and their parts as tests need them: a test names only what it is about."""

from __future__ import annotations

from functools import partial
from typing import Any

import pandas as pd

from pipeline.learning.search.plan import SearchPlan
from pipeline.market.features import FEATURE_SETS
from pipeline.recipe.feature_set import FeatureSet, RegimeLimits, RowSelection
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.windows import Evaluation, RetrainWindow, WindowPlan
from pipeline.trading.rules import Rules
from tests.learning import made as learning
from tests.trading.conftest import PERMISSIVE


def rules(**changes: Any) -> Rules:
    """Rules that let everything through."""
    return Rules(**PERMISSIVE | changes)


def limits(**changes: Any) -> RegimeLimits:
    """As conf/config.yaml has them."""
    usual: dict[str, Any] = {
        "volatility_window": 252,
        "high_volatility_percentile": 85,
        "low_volatility_percentile": 15,
        "trending_strength": 25,
        "quiet_strength": 20,
        "high_vix": 30,
    }
    return RegimeLimits(**usual | changes)


def selected_rows(**changes: Any) -> RowSelection:
    """All rows with 40 sessions of history."""
    plain: dict[str, Any] = {"min_history": 40, "min_price": 0, "min_dollar_volume": 0}
    return RowSelection(**plain | changes)


def feature_set(name: str = "classic", **changes: Any) -> FeatureSet:
    plain: dict[str, Any] = {
        "name": name,
        "features": FEATURE_SETS[name],
        "rows": selected_rows(),
        "limits": limits(),
        "min_window": 1,
        "usual_sessions": partial(pd.bdate_range, "2023-01-02", "2023-12-29"),
    }
    return FeatureSet(**plain | changes)


def plan(**changes: Any) -> SearchPlan:
    """Two random draws, none of them given up."""
    plain: dict[str, Any] = {
        "n_trials": 2,
        "batch_size": 2,
        "sampler": "random",
        "pruner": None,
        "max_rows": None,
    }
    plain |= {"early_stopping_sessions": None, "timeout_minutes": None, "recorded_trials": None}
    return SearchPlan(**plain | {"objective": "mae"} | changes)


def window(**changes: Any) -> RetrainWindow:
    plain: dict[str, Any] = {
        "start": None,
        "end": None,
        "window_days": 90,
        "holdout_days": 30,
        "expanding": False,
    }
    return RetrainWindow(**plain | changes)


def evaluation(**changes: Any) -> Evaluation:
    """A holdout; its other values are those of a walk-forward."""
    plain: dict[str, Any] = {"name": "holdout", "start": None, "refit_every": 5, "search_every": 10}
    return Evaluation(**plain | {"learning_curve": ()} | changes)


def windows(**changes: Any) -> WindowPlan:
    """A plan; `window` and `evaluation` are taken apart from the rest."""
    parts: dict[str, Any] = {
        "window": window(),
        "evaluation": evaluation(),
        "gap_sessions": 1,
        "min_sessions": 1,
        "sessions_a_year": 252,
    }
    return WindowPlan(**parts | changes)


def recipe(**changes: Any) -> Recipe:
    """Ridge on two features."""
    plain: dict[str, Any] = {
        "name": "any",
        "features": {"signal": "1" * 12, "noise": "2" * 12},
        "rows": selected_rows(),
        "target": learning.target(),
        "learners": (learning.learner(name="ridge", initial={"alpha": 1.0}),),
        "weights": "equal",
        "min_slope": 0.0,
        "splitter": learning.walk_forward(folds=2, fold_sessions=5),
        "plan": plan(),
        "windows": windows(),
        "rules": rules(),
        "bankroll": 100_000.0,
        "limits": limits(),
        "data": {"market_index": None, "exchange_calendar": "XNYS", "adjust_dividends": None},
        "seed": 7,
    }
    return Recipe(**plain | changes)
