"""The words at the top of a tear sheet: whose it is, what it was made of, what the gates say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.gates.gates import GateResult
from pipeline.learning.drivers import Driver
from pipeline.report.gates import refusals
from pipeline.report.headlines import NO_TRADES
from pipeline.report.meaning import meaning
from pipeline.report.numbers import shown
from pipeline.report.summary import RetrainSummary
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import break_even_bps, charged_bps

NO_GATES = "The answer of the retrain that made this version; a backtest asks no gates."
REFITTED = (
    "Traded are refits of its recipe, each on earlier sessions alone. Their parameters are the "
    "version's, chosen on later sessions: evidence is a walk-forward retrain, not this."
)


@dataclass(frozen=True, kw_only=True)
class SheetHeader:
    """What a run says of itself in words.

    Attributes
    ----------
    title, facts
        Its name, and what it was made of by name, in the order to show.
    verdict, reasons
        The gates' answer, and sentences that explain it.
    gates
        Answers of the gates; empty where the run asks none.
    drivers
        Features behind the forecasts, largest first; empty where the run has no model of its own.
    searches
        Of ``recipe.evaluate.searches_table``: what each search chose; empty where there was none.
    """

    title: str
    facts: Mapping[str, str]
    verdict: str
    reasons: Sequence[str]
    gates: Sequence[GateResult] = ()
    drivers: Sequence[Driver] = ()
    searches: pd.DataFrame = field(default_factory=pd.DataFrame)


def trading_facts(
    backtest: Backtest,
    *,
    data_source: str,
    universe: str,
    strategy: str,
    max_positions: int,
    bankroll: float,
) -> dict[str, str]:
    """What a tear sheet says of the trading, by name.

    Parameters
    ----------
    max_positions
        At once.
    bankroll
        Currency before the first session.
    """
    sessions = backtest.net_returns.index
    return {
        "Out of sample": f"{sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}",
        "Data": f"{data_source}, universe {universe}",
        "Strategy": f"{strategy}, at most {max_positions} at once",
        "Bankroll": f"{bankroll:,.0f}",
        "Break-even cost": break_even_sentence(backtest.ledger),
    }


def break_even_sentence(ledger: pd.DataFrame) -> str:
    """What the trades done could have cost, beside what they did cost, in basis points."""
    break_even = break_even_bps(ledger)
    sentence = shown(break_even, "{:.1f} bp a round trip", NO_TRADES)
    if math.isnan(break_even):
        return sentence
    return f"{sentence}; {charged_bps(ledger):.1f} bp were charged"


def retrain_header(
    summary: RetrainSummary,
    facts: Mapping[str, str],
    *,
    development: pd.DatetimeIndex,
    last_predicted: pd.Timestamp,
    fits: int,
    drivers: Sequence[Driver],
    searches: pd.DataFrame,
) -> SheetHeader:
    """The header of a retrain's tear sheet.

    Parameters
    ----------
    facts
        Of ``trading_facts``.
    development
        Sessions that the newest evaluated model learned from.
    last_predicted
        The last session out of sample.
    fits
        Models fitted for the evaluation; more than one is a walk-forward.
    drivers, searches
        See ``SheetHeader``.
    """
    kind = "Walk-forward" if fits > 1 else "Retrain"
    return SheetHeader(
        title=f"{kind} of {summary.model} until {last_predicted:%Y-%m-%d}",
        facts={
            **facts,
            "Model": summary.model,
            "Features": summary.features,
            "Newest development": f"{development[0]:%Y-%m-%d} to {development[-1]:%Y-%m-%d}",
            "Fits": str(fits),
            "Seed": str(summary.seed),
            "Survivorship": summary.survivorship,
        },
        verdict=summary.verdict,
        reasons=[
            meaning(summary.metrics, summary.sessions_a_year, summary.refits),
            *refusals(summary.gates),
        ],
        gates=summary.gates,
        drivers=drivers,
        searches=searches,
    )


def backtest_header(
    version: int | str, facts: Mapping[str, str], *, verdict: str | None, refitted: bool
) -> SheetHeader:
    """The header of a backtest's tear sheet.

    Parameters
    ----------
    version
        Of the registered model that was traded.
    facts
        Of ``trading_facts``.
    verdict
        The answer of the retrain that made the version; None where it evaluated no gates.
    refitted
        Whether refits of the version's recipe were traded instead of the version.
    """
    return SheetHeader(
        title=f"Backtest of version {version}",
        facts=facts,
        verdict="not evaluated" if verdict is None else verdict,
        reasons=[NO_GATES, *([REFITTED] if refitted else [])],
    )
