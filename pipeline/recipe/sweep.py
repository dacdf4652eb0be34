"""The same predictions traded under several rules and bankrolls.

Each setting is a look at the sessions, once a backtest of it is shown; who picks the best
setting has searched, which ``sweep/deflated_sharpe`` shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from pipeline.recipe.books import wide
from pipeline.schemas import UNIVERSE_INDEX
from pipeline.stats.overfitting import deflated_sharpe
from pipeline.stats.returns import session_sharpe, sharpe
from pipeline.trading.backtest import Backtest, backtests
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules


@dataclass(frozen=True)
class Combination:
    """One combination of a sweep.

    Attributes
    ----------
    changes
        The keys that are swept, with their values.
    rules, bankroll
        What is traded by them.
    """

    changes: Mapping[str, Any]
    rules: Rules
    bankroll: float


def swept_books(
    settings: Sequence[tuple[Rules, float]],
    predictions: pd.Series,
    market: Market,
    hedge: str | None,
    market_for: Callable[[Rules], Market],
) -> Iterator[tuple[int, Backtest]]:
    """The number of each setting and its books; settings that hedge alike share one market.

    Parameters
    ----------
    predictions
        Forecast returns, fractions by (session, symbol), out of sample.
    settings
        Rules and bankroll of each.
    market, hedge
        The market at hand, and what it was made to hedge with, see ``hedged_with``; it serves all
        that hedge so, or not at all.
    market_for
        Makes the market of other rules.
    """
    groups: dict[str | None, list[int]] = {}
    for number, (rules, _) in enumerate(settings):
        groups.setdefault(hedged_with(rules), []).append(number)
    for needed, numbers in groups.items():
        group = [settings[number] for number in numbers]
        traded = market if needed in (None, hedge) else market_for(group[0][0])
        yield from zip(numbers, backtests(wide(predictions, traded), traded, group), strict=True)


def hedged_with(rules: Rules) -> str | None:
    """What the strategy hedges with: an index, the universe, or None where it does not."""
    if not rules.is_hedged:
        return None
    return rules.hedge_symbol or UNIVERSE_INDEX


def sweep_metrics(returns: Sequence[pd.Series]) -> dict[str, float]:
    """What the best of the settings is worth, since it is the best of so many.

    Parameters
    ----------
    returns
        Net return by session of each setting.
    """
    sharpes = np.array([session_sharpe(net.to_numpy(np.float64)) for net in returns])
    metrics = {"sweep/settings": float(len(returns))}
    if np.isfinite(sharpes).any():
        best = returns[int(np.nanargmax(sharpes))]
        metrics["sweep/best_sharpe"] = sharpe(best)
        metrics["sweep/deflated_sharpe"] = deflated_sharpe(best, sharpes)
    return metrics
