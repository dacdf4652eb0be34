"""What every declared value has in common: frozen, checked, and without unknown keys.

Rooms declare their own values (`Rules`, `Target`, `Learner`, ...) on `Value`; `pipeline.settings`
composes them. A wrong value raises pydantic's ``ValidationError``, which names every fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Count = Annotated[int, Field(ge=1)]
NotNegative = Annotated[float, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
Fraction = Annotated[float, Field(gt=0, le=1)]
"""A part of a whole, above 0 and at most 1."""

Bps = Annotated[float, Field(ge=0, le=1000)]
"""A cost in basis points."""


class Value(BaseModel):
    """A frozen value of checked fields; `changed` checks again, unlike pydantic's own copies."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True
    )

    def changed(self, **changes: Any) -> Self:
        """The same value with other fields.

        Raises
        ------
        pydantic.ValidationError
            Naming every field that is unknown or out of bounds, and every broken rule.
        """
        return type(self).model_validate({**dict(self), **changes})


def typed(value: object) -> str:
    """A value of a setting as a command line has it.

    >>> typed(None), typed(True), typed(2.5), typed("long")
    ('null', 'true', '2.5', 'long')
    """
    words = {None: "null", True: "true", False: "false"}
    return words[value] if value is None or isinstance(value, bool) else str(value)


def metric_name(*parts: str) -> str:
    """A metric's name of these parts, what MLflow does not take in one left out.

    >>> metric_name("ingest/quarantined", "row given twice, kept once (5%)")
    'ingest/quarantined/row given twice kept once 5'
    """
    return "/".join(re.sub(r"[^\w\-. :]", "", part) if i else part for i, part in enumerate(parts))


def listed_names(symbols: Iterable[str], max_names: int = 20) -> tuple[int, str]:
    """How many, and the first of them in words.

    >>> listed_names(["C", "A", "B"], max_names=2)
    (3, 'A, B, ...')
    """
    ordered = sorted(symbols)
    more = ["..."] if len(ordered) > max_names else []
    return len(ordered), ", ".join([*ordered[:max_names], *more])
