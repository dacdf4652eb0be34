"""How much of the skill outlives a late forecast, another price or a higher cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.learning.metrics import rank_ic, rank_ic_aged, top_return
from pipeline.recipe.books import net_returns
from pipeline.stats.returns import sharpe, total_return
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

ROUND_TRIPS_BPS = (5.0, 10.0, 20.0)
AGES_SESSIONS = (1, 5)
NO_OTHER_COSTS: Mapping[str, Any] = {
    "commission_bps": 0.0, "commission_per_share": 0.0, "commission_minimum": 0.0,
    "spread_fraction": 0.0, "impact": 0.0, "borrow_bps_a_year": 0.0,
}  # fmt: skip


def robustness(
    rules: Rules,
    bankroll: float,
    returns: pd.Series,
    predicted: pd.Series,
    market: Market,
) -> dict[str, float]:
    """Skill under other circumstances than those it was measured in.

    Parameters
    ----------
    rules
        Of the strategy; its costs, but those of the hedge, are replaced. ``top_bps`` counts as
        many of a session's forecasts as it has positions.
    bankroll
        Currency before the first session.
    returns
        Open-to-close returns of the labelled rows, by session and symbol, as fractions.
    predicted
        Their forecasts out of sample, and those of rows without a label.
    market
        Of all sessions that are predicted, or more.

    Returns
    -------
    dict
        ``robustness/``: ``ic_1_old`` and ``ic_5_old``, rank IC of forecasts one and five
        sessions old; ``ic_overnight`` and ``ic_close_to_close``, with the same session's other
        returns (skill that is the opposite of the overnight one needs a fill at the printed
        open); ``top_bps``, what the best forecasts earn over the mean before costs;
        ``sharpe_<n>bp`` and ``return_<n>bp``, net at another cost of a round trip.
    """
    labelled = predicted.loc[returns.index]
    metrics = {
        **{f"ic_{age}_old": rank_ic_aged(returns, predicted, age) for age in AGES_SESSIONS},
        "ic_overnight": _mean_ic(market.gaps, labelled),
        "ic_close_to_close": _mean_ic(market.close / market.previous_close - 1, labelled),
        "top_bps": 1e4 * top_return(returns, labelled, rules.max_positions),
    }
    for bps in ROUND_TRIPS_BPS:
        net = net_returns(charging(rules, bps), bankroll, market, predicted)
        metrics |= {f"sharpe_{bps:g}bp": sharpe(net), f"return_{bps:g}bp": total_return(net)}
    return {f"robustness/{name}": value for name, value in metrics.items()}


def _mean_ic(wide: pd.DataFrame, predicted: pd.Series) -> float:
    """Mean rank IC with other returns, sessions x symbols, of the same rows."""
    other = pd.Series(wide.stack().reindex(predicted.index))
    return float(rank_ic(other, predicted).mean())


def charging(rules: Rules, round_trip_bps: float) -> Rules:
    """The same rules where a round trip costs this much and nothing else.

    Parameters
    ----------
    round_trip_bps
        Basis points, half of them on each leg.
    """
    return Rules(**{**vars(rules), **NO_OTHER_COSTS, "open_bps": round_trip_bps / 2,
                    "close_bps": round_trip_bps / 2})  # fmt: skip
