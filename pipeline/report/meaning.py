"""What a result proves, in words: whether it orders the symbols, and whether that pays."""

from __future__ import annotations

import math
from collections.abc import Mapping

from pipeline.report.headlines import metric_text
from pipeline.report.numbers import count, number
from pipeline.stats.inference import annual_sharpe_error

SKILL_T = 2.0
"""The t-statistic of a rank IC from which it differs from chance, at 5 %."""

ORDERS = "orders the symbols"
EARNS_ITS_COST = f"{ORDERS} and earns its cost"
EARNS_LESS = f"{ORDERS}, earns less than its cost"
NO_ORDER = "no order of the symbols that differs from chance"


def skill(metrics: Mapping[str, float]) -> str:
    """What the forecasts are worth, in one phrase; empty where no rank IC was measured.

    Parameters
    ----------
    metrics
        By the names of the run contract: rank IC with its t-statistic, trades and total return.

    >>> skill({"test/rank_ic": 0.02, "test/rank_ic_t": 3.0, "backtest/total_return": -0.1})
    'orders the symbols, earns less than its cost'
    """
    t = metrics.get("test/rank_ic_t", math.nan)
    if math.isnan(t):
        return ""
    if t < SKILL_T:
        return NO_ORDER
    earned = metrics.get("backtest/total_return", 0.0) > 0.0
    return EARNS_ITS_COST if earned else EARNS_LESS


def meaning(metrics: Mapping[str, float], sessions_a_year: int, refits: int = 1) -> str:
    """What the result proves, in words.

    Parameters
    ----------
    metrics
        At least ``backtest/trades`` and ``backtest/sessions``.
    sessions_a_year
        Of the market: 252, or 365 where it trades every day.
    refits
        Models fitted for the evaluation; more than one is a walk-forward, whose evidence counts.
    """
    sentences = [
        _skill_sentence(metrics),
        _traded_sentence(metrics),
        _error_sentence(metrics, sessions_a_year),
    ]
    if refits > 1:
        sentences.append(_evidence_sentence(metrics, refits))
    return " ".join(sentence for sentence in sentences if sentence)


def _skill_sentence(metrics: Mapping[str, float]) -> str:
    phrase = skill(metrics)
    if not phrase:
        return ""
    return f"{phrase[0].upper()}{phrase[1:]} (rank IC t {number(metrics['test/rank_ic_t'], 1)})."


def _traded_sentence(metrics: Mapping[str, float]) -> str:
    if metrics["backtest/trades"] == 0:
        return "No forecast exceeded what an order asks for, so nothing was traded."
    break_even = metrics.get("backtest/break_even_bps", math.nan)
    if math.isnan(break_even):
        return ""
    if break_even <= 0.0:
        return "The trades lost before costs."
    return f"The trades break even at {number(break_even, 1)} bp a round trip."


def _error_sentence(metrics: Mapping[str, float], sessions_a_year: int) -> str:
    if metrics["backtest/trades"] == 0:
        return ""
    sessions = metrics["backtest/sessions"]
    error = annual_sharpe_error(sessions, sessions_a_year)
    sentence = f"A Sharpe over {sessions:.0f} sessions has a standard error of about {error:.1f}"
    if error < 1.0:
        return f"{sentence} a year."
    return f"{sentence} a year: by itself this result proves nothing."


def _evidence_sentence(metrics: Mapping[str, float], refits: int) -> str:
    sharpe = metric_text("backtest/sharpe", metrics, "{:.2f}")
    deflated = metric_text("backtest/deflated_sharpe", metrics, "{:.3f}")
    looks = count(metrics.get("backtest/looks", math.nan), "look")
    return (
        f"Evidence of this recipe: {refits} refits, each judged on later sessions alone; Sharpe "
        f"{sharpe}, deflated Sharpe (probability) {deflated} after {looks} known here."
    )
