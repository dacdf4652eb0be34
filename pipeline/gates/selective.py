"""What trading only above the round-trip cost would have done, beside what was traded."""

from __future__ import annotations

import pandas as pd

from pipeline.recipe.books import books
from pipeline.trading.backtest import Backtest
from pipeline.trading.market import Market
from pipeline.trading.performance import summary
from pipeline.trading.rules import Rules

SELECTIVE = "selective/"
MEASURES = (
    "sharpe",
    "gross_sharpe",
    "max_drawdown",
    "total_return",
    "win_rate",
    "trades",
    "exposure",
    "break_even_bps",
)


def selective_metrics(
    rules: Rules,
    bankroll: float,
    predicted: pd.Series,
    market: Market,
    traded: Backtest,
    benchmark: pd.Series,
) -> dict[str, float]:
    """Measures of the same rules where a forecast must exceed the symbol's round-trip cost.

    Parameters
    ----------
    rules, traded
        Of the strategy, and its books: they are the selective ones where the rules are already.
    predicted
        Forecast return by (session, symbol), out of sample.
    benchmark
        Open-to-close return by session.

    Returns
    -------
    dict
        ``selective/*`` as ``backtest/*``, net of costs; trades may be 0, and what is then undefined
        is NaN.
    """
    if rules.min_edge_bps is not None:
        traded = books(rules.changed(min_edge_bps=None), bankroll, predicted, market)
    measured = summary(traded, benchmark)
    return {f"{SELECTIVE}{name}": measured[f"backtest/{name}"] for name in MEASURES}
