"""The judgement of out-of-sample predictions: metrics, books, luck, and the gates' answers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.contract import Metrics, Tables
from pipeline.gates.evidence import luck
from pipeline.gates.gates import GateResult, Gates, Verdict
from pipeline.gates.looks import predictions_digest, total
from pipeline.gates.selective import selective_metrics
from pipeline.gates.skill import skill_metrics
from pipeline.gates.verdict import evaluate, verdict
from pipeline.gates.version import AS_TRAINED
from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import by_group, out_of_sample_metrics, rank_ic, session_losses
from pipeline.recipe.books import books
from pipeline.recipe.decision import forecast_columns, with_indication
from pipeline.recipe.doubts import at_errors, measured_doubts
from pipeline.recipe.evaluate import BASELINES, OutOfSample, learning_curve
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.robustness import robustness
from pipeline.recipe.steps import PREDICTION, TRAINED_UNTIL
from pipeline.stats.inference import paired_test
from pipeline.trading.backtest import Backtest
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark, summary


@dataclass(frozen=True)
class Result:
    """The out-of-sample result of a recipe.

    Attributes
    ----------
    predictions
        Of every snapshot of the judged sessions, by (session, symbol).
    returns
        Open-to-close returns of the labelled ones.
    stored
        What is kept of both: columns prediction, intraday_return, trained_until.
    books, market
        The backtest, and what it traded on.
    metrics
        ``test/*``, ``baseline/*``, ``backtest/*``, ``selective/*``, ``benchmark/*``,
        ``robustness/*``.
    answers
        Of the gates.
    rank_ic
        By session.
    tables
        Skill by year and by regime, and by length of the window.
    looks
        Earlier looks at the same sessions: by run id, the part of them that each covers.
    """

    predictions: pd.Series
    returns: pd.Series
    stored: pd.DataFrame
    books: Backtest
    market: Market
    metrics: dict[str, float]
    answers: list[GateResult]
    rank_ic: pd.Series
    tables: dict[str, pd.DataFrame]
    looks: Mapping[str, float]

    @property
    def verdict(self) -> Verdict:
        """What the gates' answers add up to."""
        return verdict(self.answers)

    @property
    def digest(self) -> str:
        """Of the predictions: equal ones are one look."""
        return predictions_digest(self.predictions)


def judge(
    recipe: Recipe,
    outcome: OutOfSample,
    labelled: Dataset,
    market: Market,
    gates: Gates,
    looks: Mapping[str, float],
) -> Result:
    """Score, trade and judge what a recipe predicted.

    Parameters
    ----------
    labelled
        The judged sessions' rows that have a label.
    market
        Of the judged sessions.
    looks
        Earlier looks at the same sessions, see ``gates.looks.earlier_looks``.
    """
    returns = labelled.returns
    predicted, count = outcome.predicted[PREDICTION], total(looks)
    bare, market = market, with_indication(market, outcome.predicted)
    scored, others = predicted.loc[returns.index], outcome.predicted.loc[returns.index]
    result = books(recipe.rules, recipe.bankroll, predicted, market)
    metrics = measured(recipe, predicted, returns, others[BASELINES], market, result, count)
    benchmark = equal_weight_benchmark(market.open, market.close, predicted)
    metrics |= selective_metrics(
        recipe.rules, recipe.bankroll, predicted, market, result, benchmark
    )
    metrics |= robustness(recipe.rules, recipe.bankroll, returns, predicted, market)
    seen = at_errors(recipe, outcome.predicted, bare)
    doubted, doubts = measured_doubts(recipe, seen, predicted, returns, market, result)
    metrics |= doubted
    if seen:
        answers = [
            _if_audited(
                measured(recipe, one.predicted, returns, others[BASELINES], one.market, one.books,
                         count), gates,
            )
            for one in seen
        ]  # fmt: skip
        doubts[Tables.DOUBTS_BY_ERROR]["gates"] = answers
        passed = [
            one.error_bps for one, answer in zip(seen, answers, strict=True) if answer == "accepted"
        ]
        metrics[Metrics.DOUBT_LARGEST_ERROR] = max(passed, default=math.nan)
    until = outcome.predicted[TRAINED_UNTIL]
    return Result(
        predictions=predicted,
        returns=returns,
        stored=pd.DataFrame(
            {
                **forecast_columns(outcome.predicted),
                "intraday_return": returns,
                "baseline_ridge": outcome.predicted["ridge"],
                "baseline_mean": outcome.predicted["mean"],
                TRAINED_UNTIL: until,
            }
        ),
        books=result,
        market=market,
        metrics=metrics,
        answers=evaluate({**metrics, **AS_TRAINED}, gates),
        rank_ic=rank_ic(returns, scored),
        tables={**_tables(outcome, returns, scored, market.regimes), **doubts},
        looks=looks,
    )


def measured(
    recipe: Recipe,
    predicted: pd.Series,
    returns: pd.Series,
    baselines: pd.DataFrame,
    market: Market,
    result: Backtest,
    looks: float,
) -> dict[str, float]:
    """Metrics of forecasts and of the books traded on them: what the gates ask for.

    Parameters
    ----------
    predicted
        Of every row, by (session, symbol).
    returns
        Of the labelled ones.
    baselines
        Their forecasts by simple rules, ``BASELINES``.
    looks
        At these sessions, this one included.
    """
    scored, seed = predicted.loc[returns.index], recipe.seed
    benchmark = equal_weight_benchmark(market.open, market.close, predicted)
    return {
        **out_of_sample_metrics(returns, scored, baselines, seed=seed),
        "test/ridge_pvalue": worse_than_ridge(returns, scored, baselines["ridge"], seed),
        **summary(result, benchmark),
        **luck(result.net_returns, looks, seed),
        **skill_metrics(result, returns, predicted, looks, seed, market.previous_close),
    }


def _if_audited(metrics: Mapping[str, float], gates: Gates) -> Verdict:
    """The verdict, were the audit passed, which `promote` makes."""
    return verdict(evaluate({**metrics, **AS_TRAINED, Metrics.AUDIT_PASSED: 1.0}, gates))


def worse_than_ridge(
    returns: pd.Series, predictions: pd.Series, ridge: pd.Series, seed: int
) -> float:
    """One-sided p-value of a larger squared error than ridge; NaN under 60 joint sessions."""
    losses, of_ridge = session_losses(returns, predictions), session_losses(returns, ridge)
    return paired_test(-losses, -of_ridge, seed=seed)


def _tables(
    outcome: OutOfSample, returns: pd.Series, scored: pd.Series, regimes: pd.Series
) -> dict[str, pd.DataFrame]:
    """Skill by year and by regime, and by length of the window where that was requested."""
    days = pd.DatetimeIndex(regimes.index)
    years = pd.Series(days.year.astype(str), days)
    tables = {
        table: by_group(returns, scored, groups).rename_axis(name).reset_index()
        for table, name, groups in (
            (Tables.BY_YEAR, "year", years),
            (Tables.BY_REGIME, "regime", regimes),
        )
    }
    curve = learning_curve(outcome, returns)
    return tables if curve.empty else {**tables, Tables.LEARNING_CURVE: curve}
