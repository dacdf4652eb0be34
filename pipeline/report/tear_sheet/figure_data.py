"""The data of the tear sheet's figures: from a sheet's frames to what is drawn of them."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from pipeline.report.tear_sheet.sheet import Sheet
from pipeline.trading.periods import NORMAL_95

LOG_FROM = 4.0
"""Growth (highest over lowest) from which an axis of per cent would hide the early years."""
MONTHLY_FROM = 252
"""Sessions from which exposure is drawn by month."""
MIN_CURVE_POINTS = 21
MAX_BARS = 130
"""Sessions above which bars become a line."""
ROLLING_WINDOWS = (63, 21)
"""Sessions of a rolling mean, the longest one first that its curve outlasts threefold."""
MAX_BINS, MIN_BINS = 60, 8
OUTER_QUANTILES = (0.002, 0.998)
"""Returns beyond them are counted in the outermost bars."""


class EquityCurves(NamedTuple):
    """Growth and falls by session.

    Attributes
    ----------
    is_log
        Whether the axis is logarithmic.
    growth
        Sessions x what is compared: growth of 1 where ``is_log``, otherwise the return in %.
    drawdowns
        Sessions x (strategy, universe), in %, negative.
    """

    is_log: bool
    growth: pd.DataFrame
    drawdowns: pd.DataFrame


def equity_curves(sheet: Sheet) -> EquityCurves:
    """Growth of the strategy and of what it is compared with, and its drawdowns."""
    is_log = float(sheet.growth.max().max() / sheet.growth.min().min()) > LOG_FROM
    growth = sheet.growth if is_log else 100.0 * (sheet.growth - 1.0)
    return EquityCurves(is_log, growth, -100.0 * sheet.drawdowns[["strategy", "universe"]])


def rolling_sharpe_curves(sheet: Sheet) -> dict[int, pd.DataFrame]:
    """Rolling Sharpe a year (sharpe, low, high) by window, of those long enough for a curve."""
    return {
        window: table
        for window, table in sheet.rolling.items()
        if table["sharpe"].notna().sum() >= MIN_CURVE_POINTS
    }


class RankIcCurve(NamedTuple):
    """Rank IC by session.

    Attributes
    ----------
    by_session, mean
        Sessions where it is defined, and the mean of all of them.
    window
        Sessions of the rolling mean; 0 where there are too few for one.
    rolling
        By session: mean, and its 95 % interval low, high; without rows where ``window`` is 0.
    """

    by_session: pd.Series
    mean: float
    window: int
    rolling: pd.DataFrame

    @property
    def is_bars(self) -> bool:
        """Whether sessions are few enough for a bar each."""
        return len(self.by_session) <= MAX_BARS


def rank_ic_curve(sheet: Sheet) -> RankIcCurve:
    """Rank IC by session, and where there are enough sessions its rolling mean."""
    values = sheet.rank_ic.dropna()
    window = rolling_window(len(values))
    rolling = pd.DataFrame(columns=["mean", "low", "high"], dtype="float64")
    if window:
        means, deviations = values.rolling(window).mean(), values.rolling(window).std()
        error = NORMAL_95 * deviations / window**0.5
        rolling = pd.DataFrame({"mean": means, "low": means - error, "high": means + error})
    return RankIcCurve(values, float(values.mean()), window, rolling)


def rolling_window(sessions: int) -> int:
    """Sessions of a rolling mean, or 0 for none, so that its curve has thrice as many points.

    >>> rolling_window(252), rolling_window(84), rolling_window(83)
    (63, 21, 0)
    """
    return next((window for window in ROLLING_WINDOWS if sessions >= 4 * window), 0)


class DecileReturns(NamedTuple):
    """Market-relative return by decile of the forecast, lowest forecasts first; in basis points.

    Attributes
    ----------
    means
        One a decile.
    below, above
        Lengths of the 95 % interval on either side of each mean.
    """

    means: pd.Series
    below: pd.Series
    above: pd.Series


def decile_returns(sheet: Sheet) -> DecileReturns:
    """The bars of the deciles, without their spread."""
    table = 1e4 * sheet.deciles.drop(index="spread")
    return DecileReturns(table["mean"], table["mean"] - table["low"], table["high"] - table["mean"])


class ExposureCurves(NamedTuple):
    """What is bought at the open.

    Attributes
    ----------
    is_monthly
        Whether values are means of a month, indexed by its first day, or those of each session.
    bought
        Part of equity, in %.
    positions
        Number of positions.
    """

    is_monthly: bool
    bought: pd.Series
    positions: pd.Series


def exposure_curves(sheet: Sheet) -> ExposureCurves:
    """Exposure and positions; monthly means over long histories."""
    bought, positions = 100.0 * sheet.exposure, 1.0 * sheet.positions
    if sheet.sessions < MONTHLY_FROM:
        return ExposureCurves(False, bought, positions)
    return ExposureCurves(True, bought.resample("MS").mean(), positions.resample("MS").mean())


class Histogram(NamedTuple):
    """Returns to be counted.

    Attributes
    ----------
    returns
        In %, those beyond ``OUTER_QUANTILES`` moved to them.
    bins
        How many, of equal width.
    mean
        Of the returns as they are, in %.
    """

    returns: pd.Series
    bins: int
    mean: float


def histogram(returns: pd.Series) -> Histogram:
    """A histogram of net returns given as fractions; twice as many bins as Rice's rule takes."""
    in_percent = 100.0 * returns
    low, high = in_percent.quantile(list(OUTER_QUANTILES))
    bins = min(MAX_BINS, max(MIN_BINS, 2 * int(2 * len(returns) ** (1 / 3))))
    return Histogram(in_percent.clip(low, high), bins, float(in_percent.mean()))
