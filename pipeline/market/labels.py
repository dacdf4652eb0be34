"""Outcomes of a session, from its open: what a model learns to predict."""

from __future__ import annotations

import pandas as pd

from pipeline.schemas import BarPanel


def labels(bars: BarPanel, final: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Open-to-close return and the extremes on the way, of every final bar.

    Known once the final bar of the session exists.

    Parameters
    ----------
    bars
        Daily bars, sessions x symbols.
    final
        Whether the bar was read after its session closed; sessions and symbols that it does
        not name count as not final.

    Returns
    -------
    dict
        ``intraday_return`` = close / open - 1, ``max_favorable_excursion`` = high / open - 1 and
        ``max_adverse_excursion`` = low / open - 1, as fractions, sessions x symbols; NaN where
        the bar does not exist or is provisional.
    """
    settled = final.reindex(index=bars.sessions, columns=bars.symbols, fill_value=False)
    opens = bars.open.where(settled.astype(bool) & (bars.open > 0))
    return {
        "intraday_return": bars.close / opens - 1,
        "max_favorable_excursion": bars.high / opens - 1,
        "max_adverse_excursion": bars.low / opens - 1,
    }
