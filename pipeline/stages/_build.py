"""The one place where `_target_` becomes an object, behind an allow-list of prefixes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class

from pipeline.errors import InvalidSettings
from pipeline.learning.splits import Splitter
from pipeline.settings import Settings

if TYPE_CHECKING:
    from pipeline.learning.models import Learner

ALLOWED = ("lightgbm.", "sklearn.", "pipeline.learning.splits.")


def learners(settings: Settings) -> list[Learner]:
    """The model's learners: constructors with their fixed parameters, starts and spaces."""
    from pipeline.learning.models import Learner  # brings scikit-learn, which a splitter needs not

    return [
        Learner(
            name=name,
            build=_constructor(dict(learner.estimator)),
            initial=dict(learner.initial),
            space={k: p.model_dump(exclude_none=True) for k, p in learner.space.items()},
            scale=learner.scale,
            recent_sessions=learner.recent_sessions,
        )
        for name, learner in settings.model.learners.items()
    ]


def splitter(settings: Settings) -> Splitter:
    """The cross-validation splitter."""
    chosen = settings.cv
    built = _class(chosen.target)(**chosen.model_dump(exclude={"target"}))
    assert isinstance(built, Splitter)
    return built


def _constructor(estimator: dict[str, Any]) -> partial[Any]:
    return partial(_class(str(estimator.pop("_target_"))), **estimator)


def _class(target: str) -> Any:
    if not target.startswith(ALLOWED):
        raise InvalidSettings("settings", f"_target_ {target!r}", f"a name under {ALLOWED}")
    try:
        found = get_class(target)
    except (ImportError, ValueError, AttributeError) as error:
        raise InvalidSettings(
            "settings", f"_target_ {target!r} cannot be imported: {error}", "an existing class"
        ) from None
    return found
