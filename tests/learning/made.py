"""Learners, targets and splitters as tests need them: a test names only what it is about."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pipeline.learning.learner import Learner
from pipeline.learning.splits import CombinatorialBySession, WalkForward
from pipeline.learning.targets import Target

TREES = "sklearn.ensemble.ExtraTreesRegressor"
RIDGE = "sklearn.linear_model.Ridge"


def learner(path: str = RIDGE, name: str = "any", **changes: Any) -> Learner:
    """A learner without a search; `fixed` are the estimator's own parameters."""
    fixed = changes.pop("fixed", {})
    plain: dict[str, Any] = {"initial": {}, "space": {}, "scale": False, "recent_sessions": None}
    return Learner(name=name, estimator={"_target_": path, **fixed}, **plain | changes)


class HandMade(Learner):
    """A learner that a test builds itself, of a class no configuration may name."""

    made_by: Callable[..., Any]

    def build(self, **params: Any) -> Any:
        return self.made_by(**params)


def hand_made(made_by: Callable[..., Any], name: str, **changes: Any) -> HandMade:
    return HandMade(made_by=made_by, **dict(learner(name=name, **changes)))


def target(**changes: Any) -> Target:
    """Pooled winsorised returns beyond the session's mean."""
    plain: dict[str, Any] = {
        "winsorise": 0.01,
        "relative": "market",
        "neutralise": (),
        "ranked": False,
    }
    return Target(**plain | changes)


def walk_forward(**changes: Any) -> WalkForward:
    """Expanding folds with an embargo of one session and labels of one session."""
    plain: dict[str, Any] = {"embargo_sessions": 1, "label_sessions": 1, "train_sessions": None}
    return WalkForward(**plain | {"min_train_sessions": 15} | changes)


def combinatorial(**changes: Any) -> CombinatorialBySession:
    """Two groups held out, with an embargo of one session and labels of one session."""
    plain: dict[str, Any] = {"test_groups": 2, "embargo_sessions": 1, "label_sessions": 1}
    return CombinatorialBySession(**plain | {"min_group_sessions": 5} | changes)
