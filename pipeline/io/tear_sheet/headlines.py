"""The figures at the top of a tear sheet."""

from __future__ import annotations

import math
from dataclasses import dataclass

from pipeline.io.tear_sheet.numbers import (
    basis_points,
    change,
    count,
    interval,
    number,
    percent,
    probability,
)
from pipeline.io.tear_sheet.sheet import MIN_TRADES, Sheet
from pipeline.schemas import SESSIONS_A_YEAR


@dataclass(frozen=True)
class Headline:
    """A figure, what it is, and what to hold it against."""

    label: str
    value: str
    note: str


def headlines(sheet: Sheet) -> list[Headline]:
    """The figures that are known of this run."""
    groups = (_earned(sheet), _traded(sheet) if sheet.traded else [], _forecast(sheet))
    return [headline for group in groups for headline in group]


def _earned(sheet: Sheet) -> list[Headline]:
    get = sheet.metric
    a_year = f", {percent(get('backtest/annualized_return'))} a year"
    over = count(sheet.sessions, "session")
    shown = [
        Headline(
            "Return, net of costs",
            change(get("backtest/total_return")),
            over + (a_year if sheet.sessions >= SESSIONS_A_YEAR else ""),
        ),
        Headline(
            "Universe, open to close",
            change(get("benchmark/total_return")),
            f"equal weight, no costs, Sharpe {number(get('benchmark/sharpe'))}",
        ),
    ]
    if not sheet.traded:
        return shown
    low, high = get("backtest/sharpe_ci_low"), get("backtest/sharpe_ci_high")
    fall = get("backtest/max_drawdown")
    return [
        shown[0],
        Headline("Sharpe, net, a year", number(get("backtest/sharpe")),
                 f"95 % interval {interval(low, high)}"),
        Headline("Largest drawdown", change(-fall), "from the highest equity"),
        shown[1],
    ]  # fmt: skip


def _traded(sheet: Sheet) -> list[Headline]:
    get = sheet.metric
    exposure, made = get("backtest/exposure"), count(get("backtest/trades"), "trade")
    shown = [
        Headline("Winning trades", percent(get("backtest/win_rate")), f"of {made}, after costs"),
        Headline("Exposure", percent(exposure, 0 if exposure >= 0.1 else 1),
                 f"of equity a session; turnover {percent(get('backtest/turnover'), 0)}"),
        Headline("Deflated Sharpe", probability(get("backtest/deflated_sharpe")),
                 f"probability of more than luck after {count(get('backtest/looks'), 'look')}"),
    ]  # fmt: skip
    return shown if len(sheet.trades) < MIN_TRADES else [shown[0], _costs(sheet), *shown[1:]]


def _costs(sheet: Sheet) -> Headline:
    share = sheet.metric("backtest/cost_share")
    took = f"; costs took {percent(share, 0)} of the gains" if math.isfinite(share) else ""
    note = f"{basis_points(sheet.charged_bps / 1e4)} a round trip charged{took}"
    return Headline("Break-even cost", basis_points(sheet.break_even_bps / 1e4), note)


def _forecast(sheet: Sheet) -> list[Headline]:
    get = sheet.metric
    shown = [
        Headline("Rank IC", number(sheet.rank_ic.mean(), 4),
                 f"t {number(get('test/rank_ic_t'), 1)} over "
                 f"{count(sheet.rank_ic.notna().sum(), 'session')}")
    ]  # fmt: skip
    if math.isfinite(get("test/r2")):
        ridge = get("baseline/ridge_r2")
        rival = f", ridge {percent(ridge, 3)}" if math.isfinite(ridge) else ""
        shown.append(
            Headline(
                "R², out of sample", percent(get("test/r2"), 3), f"a zero forecast has 0{rival}"
            )
        )
    if not sheet.traded:
        shown.append(
            Headline("Highest forecast", basis_points(sheet.highest_forecast),
                     f"a trade needs more than {basis_points(sheet.min_edge)}")
        )  # fmt: skip
    return shown
