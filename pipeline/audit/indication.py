"""Leaks of a decision on the indicated open: what only the print, or the session, could tell.

The columns of a session are made again of the bars before it and its indications alone, and once
more of the same indications where its prints and all its bars are others. What then differs has
seen more: a rank of printed gaps, or a market gap with the session's own close in it.
That the indications are not the print itself is seen by how far they miss it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from pipeline.audit.checks import NO_ROW, Check, CheckResult, combine, compare, leaks_at

EXACT = 0.02
"""Part of the indications that may be the print by chance: of 25 bp, one in 250 is, to 0.1 bp."""

MIN_PART = 0.8
"""Of the configured error: indications that miss the print by less know it."""

ROUNDING = 1e-6
"""Of columns between -1 and 1 that are kept in single precision."""

BPS = 1e4


def indication_checks(
    stored: pd.DataFrame,
    recomputed: Callable[[], pd.DataFrame],
    held: Callable[[], pd.DataFrame],
    missed: Callable[[], pd.Series],
    error_bps: float,
) -> dict[str, Check]:
    """Two checks.

    Parameters
    ----------
    stored
        Indicated columns that a recipe learns from, of some sessions.
    recomputed
        The same, each session from the bars before it.
    held
        The same where only the indications stay: prints and bars of the session are others.
    missed
        Indicated price over printed open - 1 of the same rows.
    error_bps
        As configured.

    Returns
    -------
    dict
        ``indicated_columns`` and ``indication_error``.
    """
    return {
        "indicated_columns": lambda: combine(
            [
                compare(stored, recomputed().reindex(columns=stored.columns)),
                compare(stored, _but_for_rounding(held().reindex(columns=stored.columns), stored)),
            ]
        ),
        "indication_error": lambda: _error(missed().dropna(), error_bps),
    }


def _but_for_rounding(made: pd.DataFrame, stored: pd.DataFrame) -> pd.DataFrame:
    """What was made by another way of rounding, as it was stored where that is all."""
    known = stored.reindex(made.index)
    return made.where((made - known).abs() > ROUNDING, known).where(made.notna())


def _error(missed: pd.Series, error_bps: float) -> CheckResult:
    """Whether the indications miss the print by their configured error."""
    if missed.empty:
        return CheckResult(0, sufficient=False)
    size = BPS * float(np.sqrt((missed**2).mean()))
    exact = float((missed.abs() * BPS < 0.1).mean())
    found = f"indications miss the print by {size:.1f} bp, {error_bps:g} bp are configured"
    if error_bps > 0.0 and size >= MIN_PART * error_bps and exact <= EXACT:
        return CheckResult(len(missed), summary=found, metrics={"size_bps": size})
    leak = leaks_at("printed open", NO_ROW, [f"{size:.2f} bp"], [f"{error_bps:g} bp"])
    return CheckResult(
        len(missed), 1, leak.listed, summary=f"{found}: nobody knows the print before it",
        metrics={"size_bps": size},
    )  # fmt: skip
