"""Names in the registry of models."""

from __future__ import annotations

from typing import Final


class Aliases:
    """Aliases in the registry."""

    CHAMPION: Final = "champion"
    """The deployed version: nothing else decides."""
    CHALLENGER: Final = "challenger"
    """The newest version."""
