"""The first schema; stores of it carry its number, and nothing has to be done."""

from __future__ import annotations

revision = "1"
down_revision = None


def upgrade() -> None:
    """Nothing."""
