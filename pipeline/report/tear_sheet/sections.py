"""The sections of a tear sheet in their order, and why some are left out of a run's."""

from __future__ import annotations

import pandas as pd

from pipeline.report.doubts import sentences
from pipeline.report.numbers import (
    basis_points,
    change,
    count,
    day,
    interval,
    number,
    percent,
)
from pipeline.report.tear_sheet import diagnosis_sections as diagnosis
from pipeline.report.tear_sheet import figure_data, figures, tables
from pipeline.report.tear_sheet.risk import risk_tables
from pipeline.report.tear_sheet.searches import searches
from pipeline.report.tear_sheet.section import Section
from pipeline.report.tear_sheet.sheet import MIN_TRADES, Sheet

MIN_MONTHLY_SESSIONS = 42
MIN_YEARLY_SESSIONS = 252
MIN_DECILE_SESSIONS = 10
MIN_TRADED_SESSIONS = 5


def sections(sheet: Sheet) -> list[Section]:
    """All sections in the order of the page, those left out included."""
    builders = (
        _equity, _rolling, _rank_ic, _deciles, diagnosis.calibration, diagnosis.cumulated, _costs,
        _exposure, diagnosis.drivers, _risk, _monthly, _yearly, diagnosis.by_state, _hit_rates,
        diagnosis.symbols, _distribution, _extremes, searches, _gates,
    )  # fmt: skip
    built = [build(sheet) for build in builders]
    return [*built[:-1], _doubts(sheet), built[-1]] if sheet.doubts else built


def _equity(sheet: Sheet) -> Section:
    growth = sheet.growth.iloc[-1] - 1.0
    earned = ", ".join(f"{name} {change(value)}" for name, value in growth.items())
    flat = "" if sheet.traded else "Nothing was traded, so the strategy's line is flat."
    text = f"Over all: {earned}; the strategy net of costs, the others without any."
    return Section("equity", "Equity and drawdown", [flat, text, sheet.index_note], figures.equity)


def _risk(sheet: Sheet) -> Section:
    name, heading = "risk", "Risk"
    if not sheet.traded:
        return Section(name, heading, missing=_no_trades(sheet))
    lead = "Net of costs, over all sessions; payoff and profit factor over trades."
    return Section(name, heading, [lead], tables=risk_tables(sheet), wide=True)


def _rolling(sheet: Sheet) -> Section:
    name, heading = "rolling_sharpe", "Rolling Sharpe"
    if not figure_data.rolling_sharpe_curves(sheet):
        needed = min(sheet.rolling) + figure_data.MIN_CURVE_POINTS - 1
        return Section(name, heading, missing=_no_trades(sheet) or _few(sheet, needed))
    lead = (
        "Net of costs, a year; the interval is Lo's (2002) for independent returns. "
        "Neighbouring points share nearly all of their sessions."
    )
    return Section(name, heading, [lead], figures.rolling_sharpe)


def _monthly(sheet: Sheet) -> Section:
    name, heading = "months", "Returns by month"
    missing = _no_trades(sheet) or _few(sheet, MIN_MONTHLY_SESSIONS)
    if missing:
        return Section(name, heading, missing=missing)
    months = pd.Series(sheet.monthly.drop(columns="year").stack()).dropna()
    lead = (
        f"Net of costs, in %. {percent(float((months > 0).mean()), 0)} of "
        f"{count(len(months), 'month')} gained; the best {change(float(months.max()))}, the worst "
        f"{change(float(months.min()))}."
    )
    return Section(name, heading, [lead], tables=[tables.monthly(sheet.monthly)], wide=True)


def _yearly(sheet: Sheet) -> Section:
    name, heading = "years", "Returns by year"
    missing = _no_trades(sheet) or _few(sheet, MIN_YEARLY_SESSIONS)
    if missing:
        return Section(name, heading, missing=missing)
    lead = (
        "Net of costs. Exposure and turnover (bought and sold, of equity) are means a session; "
        "the interval is Lo's (2002)."
    )
    return Section(name, heading, [lead], tables=[tables.yearly(sheet.yearly)], wide=True)


def _rank_ic(sheet: Sheet) -> Section:
    name, heading = "rank_ic", "Rank IC by session"
    known = sheet.rank_ic.dropna()
    if len(known) < MIN_TRADED_SESSIONS:
        reason = f"the forecasts differed between symbols on {count(len(known), 'session')} only"
        return Section(name, heading, missing=reason)
    lead = (
        f"Rank correlation of forecast and return across symbols: mean {number(known.mean(), 4)}, "
        f"t {number(sheet.metric('test/rank_ic_t'), 1)}, above zero on "
        f"{percent((known > 0).mean(), 0)} of {count(len(known), 'session')}."
    )
    return Section(name, heading, [lead], figures.rank_ic)


def _deciles(sheet: Sheet) -> Section:
    name, heading = "deciles", "Return by forecast decile"
    if sheet.decile_sessions < MIN_DECILE_SESSIONS:
        reason = (
            f"the forecasts of {count(sheet.decile_sessions, 'session')} could be cut into ten "
            f"groups, {MIN_DECILE_SESSIONS} are needed"
        )
        return Section(name, heading, missing=reason)
    spread = {end: float(1e4 * sheet.deciles[end]["spread"]) for end in sheet.deciles}
    lead = (
        f"Highest minus lowest decile: {number(spread['mean'], 1, sign=True, unit='bp')} a "
        f"session before costs (95 % interval {interval(spread['low'], spread['high'])}), over "
        f"{count(sheet.decile_sessions, 'session')}."
    )
    return Section(name, heading, [lead], figures.deciles)


def _costs(sheet: Sheet) -> Section:
    name, heading = "costs", "Costs and turnover"
    missing = _no_trades(sheet) or _few_traded(sheet)
    if missing:
        return Section(name, heading, missing=missing)
    last = sheet.cumulated.iloc[-1]
    turnover = sheet.metric("backtest/turnover")
    lead = (
        f"{percent(turnover, 0)} of equity bought and sold a session. Before costs "
        f"{percent(last['gross'], sign=True)}, costs {percent(last['gross'] - last['net'])}, after "
        f"costs {percent(last['net'], sign=True)}. These trades break even at "
        f"{basis_points(sheet.break_even_bps / 1e4)} a round trip; "
        f"{basis_points(sheet.charged_bps / 1e4)} were charged."
    )
    return Section(name, heading, [lead], figures.costs)


def _exposure(sheet: Sheet) -> Section:
    name, heading = "exposure", "Exposure"
    missing = _no_trades(sheet) or _few_traded(sheet)
    if missing:
        return Section(name, heading, missing=missing)
    active = sheet.positions[sheet.positions > 0]
    lead = (
        f"{percent(sheet.exposure.mean(), 0)} of equity on average; trades on "
        f"{percent(len(active) / sheet.sessions, 0)} of the sessions, then "
        f"{number(active.mean(), 1)} positions. Nothing is held overnight."
    )
    return Section(name, heading, [lead], figures.exposure)


def _hit_rates(sheet: Sheet) -> Section:
    name, heading = "hit_rates", "Hit rate by regime, sector and weekday"
    missing = _no_trades(sheet) or _few_trades(sheet)
    if missing:
        return Section(name, heading, missing=missing)
    lead = (
        "Trades that earned something after costs, and what a trade earned on average. The bar is "
        "the 95 % interval, clustered by session (none under 10 sessions); the tick is 50 %. "
        "Sectors are of the day the table of symbols was made."
    )
    return Section(name, heading, [lead], tables=tables.hit_rates(sheet.hit_rates), wide=True)


def _distribution(sheet: Sheet) -> Section:
    name, heading = "distribution", "Distribution of returns"
    missing = _no_trades(sheet) or _few_trades(sheet)
    if missing:
        return Section(name, heading, missing=missing)
    table = tables.distribution(sheet.session_distribution, sheet.trade_distribution)
    lead = "Net of costs. The outermost bars hold everything beyond them."
    return Section(name, heading, [lead], figures.distribution, [table], wide=True)


def _extremes(sheet: Sheet) -> Section:
    name, heading = "trades", "Best and worst trades"
    if not sheet.traded:
        return Section(name, heading, missing=_no_trades(sheet))
    total, shown = len(sheet.trades), len(sheet.extremes)
    which = f"{shown} of {count(total, 'trade')}" if shown < total else count(total, "trade")
    lead = f"{which}, by net return on the amount traded."
    return Section(name, heading, [lead], tables=[tables.extremes(sheet.extremes)], wide=True)


def _doubts(sheet: Sheet) -> Section:
    name, heading = "doubts", "What the decision on the indicated open hangs on"
    return Section(
        name, heading, sentences(sheet.metrics), tables=tables.doubts(sheet.doubts), wide=True
    )


def _gates(sheet: Sheet) -> Section:
    name, heading = "gates", "Gates"
    if sheet.gates.empty:
        return Section(name, heading, missing="this run asks no gates; a retrain does")
    return Section(name, heading, tables=tables.gates(sheet.gates), wide=True)


def _no_trades(sheet: Sheet) -> str:
    return "" if sheet.traded else "no trades"


def _few(sheet: Sheet, needed: int) -> str:
    if sheet.sessions >= needed:
        return ""
    first, last = day(sheet.net_returns.index[0]), day(sheet.net_returns.index[-1])
    return f"{count(sheet.sessions, 'session')} ({first} to {last}), {needed} are needed"


def _few_traded(sheet: Sheet) -> str:
    traded = int((sheet.positions > 0).sum())
    if traded >= MIN_TRADED_SESSIONS:
        return ""
    return f"trades on {count(traded, 'session')}, {MIN_TRADED_SESSIONS} are needed"


def _few_trades(sheet: Sheet) -> str:
    trades = len(sheet.trades)
    return "" if trades >= MIN_TRADES else f"{count(trades, 'trade')}, {MIN_TRADES} are needed"
