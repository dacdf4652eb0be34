"""A part of a tear sheet's page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.report.tear_sheet.tables import Table


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Attributes
    ----------
    name, heading
        Of its anchor and figure, and for people.
    lead
        Sentences under the heading.
    draw
        Its figure, if it has one.
    tables
        Shown side by side where there is room.
    wide
        Whether it takes the whole width of the page.
    missing
        Why it is left out; empty where it is not.
    """

    name: str
    heading: str
    lead: Sequence[str] = ()
    draw: Callable[[Sheet], Any] | None = None
    tables: Sequence[Table] = field(default_factory=tuple)
    wide: bool = False
    missing: str = ""
