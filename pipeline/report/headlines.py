"""The figures of a run that matter, beside what they would need to be; none of them is ever nan."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import pandas as pd

from pipeline.report.numbers import shown

NO_TRADES = "no trades"
MIN_SESSIONS_A_YEAR = 60
"""Sessions below which a return is not shown as a year's."""


class Headline(NamedTuple):
    """A metric of the run contract as people read it.

    Attributes
    ----------
    metric, meaning
        Its name, and what it is.
    form
        Format of its value, for ``str.format``.
    target
        What it would need to be; empty where nothing is required of it.
    """

    metric: str
    meaning: str
    form: str
    target: str = ""


HEADLINES = (
    Headline("test/rank_ic", "Rank IC, mean over sessions", "{:.4f}"),
    Headline("test/rank_ic_t", "... its t-statistic", "{:.2f}"),
    Headline("test/r2", "R² against zero, out of sample", "{:.4%}", "> 8 %, > 15 %"),
    Headline("test/mae", "Mean absolute error", "{:.4f}", "< 0.015"),
    Headline("backtest/sharpe", "Sharpe, net, a year", "{:.2f}", "> 1.2"),
    Headline("backtest/sharpe_ci_low", "... 95 % interval from", "{:.2f}", "> 0"),
    Headline("backtest/sharpe_ci_high", "... to", "{:.2f}"),
    Headline("backtest/gross_sharpe", "Sharpe before costs, a year", "{:.2f}"),
    Headline("backtest/max_drawdown", "Maximum drawdown", "{:.2%}", "< 20 %"),
    Headline("backtest/total_return", "Return, net, all sessions", "{:.2%}"),
    Headline("backtest/annualized_return", "Return, net, a year", "{:.2%}", "> 15 %"),
    Headline("backtest/win_rate", "Winning trades", "{:.1%}", "> 50 %"),
    Headline("backtest/trades", "Trades", "{:.0f}"),
    Headline("backtest/break_even_bps", "Break-even of a round trip, bp", "{:.1f}"),
    Headline("selective/trades", "Trades above the cost alone", "{:.0f}"),
    Headline("selective/sharpe", "... their Sharpe, net, a year", "{:.2f}"),
    Headline("backtest/deflated_sharpe", "Deflated Sharpe (probability)", "{:.3f}", "> 0.95"),
    Headline("backtest/looks", "Looks at these sessions", "{:.0f}"),
    Headline("backtest/sessions", "Sessions out of sample", "{:.0f}", ">= 60"),
    Headline("baseline/ridge_r2", "R² of ridge on the same rows", "{:.4%}"),
    Headline("benchmark/total_return", "Universe, equal weight", "{:.2%}"),
)


def is_a_year_shown(sessions: float) -> bool:
    """Whether so many sessions may be shown as a year's return; unknown ones may not.

    >>> is_a_year_shown(59), is_a_year_shown(60), is_a_year_shown(math.nan)
    (False, True, False)
    """
    return sessions >= MIN_SESSIONS_A_YEAR


def headlines_first(metrics: Mapping[str, float]) -> dict[str, float]:
    """The same metrics, those of `HEADLINES` first: pages show them as they were logged.

    >>> list(headlines_first({"data/rows": 1.0, "test/r2": 0.1, "test/rank_ic": 0.0}))
    ['test/rank_ic', 'test/r2', 'data/rows']
    """
    first = {line.metric: metrics[line.metric] for line in HEADLINES if line.metric in metrics}
    return first | dict(metrics)


def headline_table(metrics: Mapping[str, float]) -> pd.DataFrame:
    """The figures that matter, beside what they would need to be.

    A return a year is left out below `MIN_SESSIONS_A_YEAR` sessions: the total stands there alone.

    Parameters
    ----------
    metrics
        By the names of the run contract; those that were not measured have no row.

    Returns
    -------
    pd.DataFrame
        Text only: metric, meaning, value, target.
    """
    sessions = metrics.get("backtest/sessions", math.nan)
    left_out = () if is_a_year_shown(sessions) else ("backtest/annualized_return",)
    rows = [
        {
            "metric": headline.metric,
            "meaning": headline.meaning,
            "value": metric_text(headline.metric, metrics, headline.form),
            "target": headline.target,
        }
        for headline in HEADLINES
        if headline.metric in metrics and headline.metric not in left_out
    ]
    return pd.DataFrame(rows, columns=["metric", "meaning", "value", "target"])


def metric_text(name: str, metrics: Mapping[str, float], form: str) -> str:
    """A metric in a format; where it is undefined or was not measured, a dash and the reason.

    >>> metric_text("backtest/sharpe", {"backtest/sharpe": math.nan, "backtest/trades": 0.0}, "{}")
    '\N{EN DASH} (no trades)'
    """
    return shown(metrics.get(name, math.nan), form, why_undefined(name, metrics))


def why_undefined(name: str, metrics: Mapping[str, float]) -> str:
    """The reason why a metric has no value, from the other metrics of its run.

    Meaningful only for a metric that is absent or NaN.
    """
    if name not in metrics:
        return "not measured"
    books = name.partition("/")[0]
    if books in ("backtest", "selective"):
        if metrics.get(f"{books}/trades") == 0.0:
            return NO_TRADES
        return "one session" if metrics.get("backtest/sessions") == 1.0 else "returns do not vary"
    if name.startswith("test/rank_ic"):
        unranked = math.isnan(metrics.get("test/rank_ic", math.nan))
        return "forecasts all equal" if unranked else "too few sessions"
    if name in ("test/r2", "baseline/ridge_r2"):
        return "every return is 0"
    return "too little data"
