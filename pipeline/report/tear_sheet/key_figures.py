"""The figures at the top of a tear sheet."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.report.headlines import why_undefined
from pipeline.report.numbers import (
    NONE,
    basis_points,
    change,
    count,
    interval,
    number,
    percent,
    probability,
)
from pipeline.report.tear_sheet.sheet import MIN_TRADES, Sheet
from pipeline.stats.returns import sessions_a_year


@dataclass(frozen=True)
class KeyFigure:
    """A figure, what it is, and what to hold it against.

    Attributes
    ----------
    metric
        Its name in the run contract; a figure whose metric was not measured is not shown.
    label, value, note
        Words for people; where the metric is undefined the value is a dash and the note says why.
    """

    metric: str
    label: str
    value: str
    note: str


def key_figures(sheet: Sheet) -> list[KeyFigure]:
    """The figures that were measured of this run, in the order to show."""
    groups = [_earned(sheet), _traded(sheet) if sheet.traded else (), _forecast(sheet)]
    candidates = [figure for group in groups for figure in group]
    return [_defined(figure, sheet) for figure in candidates if figure.metric in sheet.metrics]


def _defined(figure: KeyFigure, sheet: Sheet) -> KeyFigure:
    if math.isfinite(sheet.metric(figure.metric)):
        return figure
    return KeyFigure(figure.metric, figure.label, NONE, why_undefined(figure.metric, sheet.metrics))


def _earned(sheet: Sheet) -> Iterator[KeyFigure]:
    get = sheet.metric
    a_year = f", {percent(get('backtest/annualized_return'))} a year"
    is_a_year = sheet.sessions >= sessions_a_year(sheet.net_returns.index)
    yield KeyFigure(
        "backtest/total_return",
        "Return, net of costs",
        change(get("backtest/total_return")),
        count(sheet.sessions, "session") + (a_year if is_a_year else ""),
    )
    if sheet.traded:
        low, high = get("backtest/sharpe_ci_low"), get("backtest/sharpe_ci_high")
        yield KeyFigure(
            "backtest/sharpe",
            "Sharpe, net, a year",
            number(get("backtest/sharpe")),
            f"95 % interval {interval(low, high)}",
        )
        yield KeyFigure(
            "backtest/max_drawdown",
            "Largest drawdown",
            change(-get("backtest/max_drawdown")),
            "from the highest equity",
        )
    yield KeyFigure(
        "benchmark/total_return",
        "Universe, open to close",
        change(get("benchmark/total_return")),
        f"equal weight, no costs, Sharpe {number(get('benchmark/sharpe'))}",
    )


def _traded(sheet: Sheet) -> Iterator[KeyFigure]:
    get = sheet.metric
    yield KeyFigure(
        "backtest/win_rate",
        "Winning trades",
        percent(get("backtest/win_rate")),
        f"of {count(get('backtest/trades'), 'trade')}, after costs",
    )
    if len(sheet.trades) >= MIN_TRADES:
        yield _costs(sheet)
    exposure = get("backtest/exposure")
    yield KeyFigure(
        "backtest/exposure",
        "Exposure",
        percent(exposure, 0 if exposure >= 0.1 else 1),
        f"of equity a session; turnover {percent(get('backtest/turnover'), 0)}",
    )
    yield KeyFigure(
        "backtest/deflated_sharpe",
        "Deflated Sharpe",
        probability(get("backtest/deflated_sharpe")),
        f"probability of more than luck after {count(get('backtest/looks'), 'look')} known here",
    )


def _costs(sheet: Sheet) -> KeyFigure:
    share = sheet.metric("backtest/cost_share")
    of_gains = f"; costs took {percent(share, 0)} of the gains" if math.isfinite(share) else ""
    return KeyFigure(
        "backtest/break_even_bps",
        "Break-even cost",
        basis_points(sheet.break_even_bps / 1e4),
        f"{basis_points(sheet.charged_bps / 1e4)} a round trip charged{of_gains}",
    )


def _forecast(sheet: Sheet) -> Iterator[KeyFigure]:
    get = sheet.metric
    yield KeyFigure(
        "test/rank_ic",
        "Rank IC",
        number(sheet.rank_ic.mean(), 4),
        f"t {number(get('test/rank_ic_t'), 1)} over "
        f"{count(sheet.rank_ic.notna().sum(), 'session')}",
    )
    ridge = get("baseline/ridge_r2")
    baseline = f", ridge {percent(ridge, 3)}" if math.isfinite(ridge) else ""
    yield KeyFigure(
        "test/r2",
        "R², out of sample",
        percent(get("test/r2"), 3),
        f"a zero forecast has 0{baseline}",
    )
    if not sheet.traded:
        yield KeyFigure(
            "backtest/trades",
            "Highest forecast",
            basis_points(sheet.highest_forecast),
            f"a trade needs more than {basis_points(sheet.min_edge)}",
        )
