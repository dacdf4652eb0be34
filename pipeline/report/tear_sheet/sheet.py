"""What a tear sheet shows, as plain frames; nothing in here is calculated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.report.tear_sheet.diagnosis import Diagnosis

MIN_TRADES = 20
"""Trades that averages over trades need."""


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Contents of a tear sheet. Returns, rates and costs are fractions, sessions are the index.

    A frame without rows means that there was too little to calculate it from; its section then
    says what was missing.

    Attributes
    ----------
    title, facts
        Of the run: its name, and what it was made of by name, in the order to show.
    verdict, reasons
        The gates' answer in words, and sentences that explain it.
    gates
        gate, answer, decides, explanation.
    metrics
        By the names of the run contract; absent ones are not shown.
    net_returns, exposure
        By session.
    positions
        Number of filled trades by session.
    growth
        Cumulated growth of 1, from the session before the first: strategy, universe, and where
        its open is real the index, by its name.
    index_note
        Why there is no index; empty where there is one or none was requested.
    drawdowns
        Positive fractions, columns as in ``growth``.
    monthly, yearly
        Of ``trading.periods``.
    rolling
        Rolling Sharpe (sharpe, low, high) by its number of sessions.
    rank_ic
        By session, NaN where the forecast did not vary.
    deciles
        mean, low, high of the market-relative return by forecast group, lowest first, and as its
        last row ``spread``, the highest minus the lowest.
    decile_sessions
        Sessions that could be cut into groups.
    cumulated
        Sum of session returns: gross, net.
    break_even_bps, charged_bps
        Cost of a round trip that would have taken the gross P&L, and the mean cost charged.
    highest_forecast, min_edge
        The highest forecast, and the return a forecast must exceed to be traded.
    trades
        Of ``trading.attribution.trades``.
    hit_rates
        Tables of ``trading.attribution.hit_rates`` by what they group by.
    extremes
        Best and worst trades, best first, with ``place``.
    session_distribution, trade_distribution
        Of ``trading.attribution.distribution``: sessions with a trade, and trades.
    diagnosis
        What explains the result.
    drivers
        Of ``learning.drivers``; no rows where the run has no model of its own.
    searches
        Of ``recipe.evaluate.searches_table``; no rows where there was none.
    doubts
        Of ``recipe.doubts.measured_doubts``; empty where it is decided the evening before.
    """

    title: str
    facts: Mapping[str, str]
    verdict: str
    reasons: Sequence[str]
    gates: pd.DataFrame
    metrics: Mapping[str, float]
    net_returns: pd.Series
    exposure: pd.Series
    positions: pd.Series
    growth: pd.DataFrame
    index_note: str
    drawdowns: pd.DataFrame
    monthly: pd.DataFrame
    yearly: pd.DataFrame
    rolling: Mapping[int, pd.DataFrame]
    rank_ic: pd.Series
    deciles: pd.DataFrame
    decile_sessions: int
    cumulated: pd.DataFrame
    break_even_bps: float
    charged_bps: float
    highest_forecast: float
    min_edge: float
    trades: pd.DataFrame
    hit_rates: Mapping[str, pd.DataFrame]
    extremes: pd.DataFrame
    session_distribution: pd.Series
    trade_distribution: pd.Series
    diagnosis: Diagnosis
    drivers: pd.DataFrame
    searches: pd.DataFrame = field(default_factory=pd.DataFrame)
    doubts: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @property
    def sessions(self) -> int:
        """Sessions out of sample."""
        return len(self.net_returns)

    @property
    def traded(self) -> bool:
        """Whether anything was."""
        return len(self.trades) > 0

    def metric(self, name: str) -> float:
        """A metric of the run contract, NaN where it is absent."""
        return float(self.metrics.get(name, float("nan")))
