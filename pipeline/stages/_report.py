"""What a person sees of a retrain: a summary in words, tables and pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import mlflow
import pandas as pd

from pipeline.io import models, registry, tracking
from pipeline.io.store import Store
from pipeline.schemas import MODEL_NAME
from pipeline.settings import Settings
from pipeline.stages import _evidence, _tear_sheet
from pipeline.trading.backtest import Backtest
from pipeline.trading.market import Market
from pipeline.trading.performance import break_even_bps, charged_bps, drawdowns
from pipeline.trading.promotion import Answer, GateResult, verdict

if TYPE_CHECKING:
    from pipeline.stages._search import Chosen
    from pipeline.stages._work import Work

LEDGER = "ledger.parquet"
"""Every order of a backtest; `ledger.csv` is the same as text."""

HEADLINES = (
    ("test/r2", "R² against zero, out of sample", "{:.4%}", "> 8 % good, > 15 % excellent"),
    ("test/mae", "Mean absolute error", "{:.4f}", "< 0.015"),
    ("test/rank_ic", "Rank IC, mean over sessions", "{:.4f}", ""),
    ("test/rank_ic_t", "... its t-statistic", "{:.2f}", ""),
    ("backtest/sharpe", "Sharpe, net, a year", "{:.2f}", "> 1.2"),
    ("backtest/max_drawdown", "Maximum drawdown", "{:.2%}", "< 20 %"),
    ("backtest/annualized_return", "Return, net, a year", "{:.2%}", "> 15 %"),
    ("backtest/win_rate", "Winning trades", "{:.1%}", "> 50 %"),
    ("backtest/trades", "Trades", "{:.0f}", ""),
    ("backtest/break_even_bps", "Break-even cost of a round trip, bp", "{:.1f}", ""),
    ("backtest/sharpe_ci_low", "Sharpe, 95 % interval from", "{:.2f}", "> 0"),
    ("backtest/sharpe_ci_high", "... to", "{:.2f}", ""),
    ("backtest/deflated_sharpe", "Deflated Sharpe (probability)", "{:.3f}", "> 0.95"),
    ("backtest/looks", "Looks at these sessions", "{:.0f}", ""),
    ("backtest/sessions", "Sessions out of sample", "{:.0f}", ">= 60"),
    ("baseline/ridge_r2", "R² of ridge on the same rows", "{:.4%}", ""),
    ("benchmark/total_return", "Universe, equal weight, open to close", "{:.2%}", ""),
)


@dataclass(frozen=True)
class Result:
    """The out-of-sample result of a retrain."""

    books: Backtest
    market: Market
    metrics: dict[str, float]
    answers: list[GateResult]
    rank_ic: pd.Series


def write(
    settings: Settings, store: Store, work: Work, result: Result, chosen: Chosen, version: int
) -> None:
    """Log the ledger, tables, step metrics, the tear sheet and the summary."""
    with tracking.timed("report"):
        log_books(result.books)
        tracking.log_table(_evidence.gate_table(result.answers), "gates")
        tracking.log_table(_trials_table(chosen), "trials")
        tracking.log_steps({"test/rank_ic_by_session": result.rank_ic.dropna()})
        predicted = models.read_frame(tracking.current_run_id(), models.PREDICTIONS)["prediction"]
        told = _told(settings, work, result)
        _tear_sheet.log(
            settings, store, result.books, predicted, result.market, result.metrics, told
        )
        text = _summary(settings, work, result, version)
        mlflow.log_text(text, "report.md")
        last = f"{work.predicted[-1]:%Y-%m-%d}"
        mlflow.set_tags(
            {
                "mlflow.note.content": text,
                "mlflow.runName": f"retrain {settings.model.name} {last}",
            }
        )
        registry.describe(version, text)
    print(_printed(result, version))


def log_books(books: Backtest) -> None:
    """The ledger as a table and as Parquet, the equity curve as step metrics."""
    tracking.log_table(books.ledger, "ledger")
    models.log_frame(books.ledger, LEDGER)
    tracking.log_steps(
        {
            "backtest/equity": books.equity,
            "backtest/drawdown": drawdowns(books.net_returns),
        }
    )


def headline_table(metrics: dict[str, float]) -> pd.DataFrame:
    """The figures that matter, beside what they would need to be."""
    rows = [
        {"metric": name, "meaning": meaning, "value": shown.format(metrics[name]), "target": target}
        for name, meaning, shown, target in HEADLINES
        if name in metrics
    ]
    return pd.DataFrame(rows)


def traded_facts(settings: Settings, books: Backtest) -> dict[str, str]:
    """What a tear sheet says of the trading, by name."""
    sessions = books.net_returns.index
    return {
        "Out of sample": f"{sessions[0]:%Y-%m-%d} to {sessions[-1]:%Y-%m-%d}",
        "Data": f"{settings.data.name}, universe {settings.universe.name}",
        "Strategy": f"{settings.strategy.name}, at most {settings.backtest.max_positions} at once",
        "Bankroll": f"{settings.backtest.bankroll:,.0f}",
        "Break-even cost": _break_even(books),
    }


def _break_even(books: Backtest) -> str:
    """What the trades done could have cost, beside what they did cost, in words."""
    least = break_even_bps(books.ledger)
    if math.isnan(least):
        return "unknown: no trades"
    return f"{least:.1f} bp a round trip; {charged_bps(books.ledger):.1f} bp were charged"


def _told(settings: Settings, work: Work, result: Result) -> _tear_sheet.Told:
    development = work.development
    name = "Walk-forward" if len(work.steps) > 1 else "Retrain"
    return _tear_sheet.Told(
        title=f"{name} of {settings.model.name} until {work.predicted[-1]:%Y-%m-%d}",
        facts={
            **traded_facts(settings, result.books),
            "Model": settings.model.name,
            "Features": settings.features.name,
            "Newest development": f"{development[0]:%Y-%m-%d} to {development[-1]:%Y-%m-%d}",
            "Fits": str(len(work.steps)),
            "Seed": str(settings.seed),
        },
        verdict=verdict(result.answers),
        reasons=[_in_words(result), *_refusals(result.answers)],
        answers=result.answers,
    )


def _refusals(answers: list[GateResult]) -> list[str]:
    """The gates that stand in the way, failed ones first, those with one reason in one sentence."""
    by_reason: dict[str, list[str]] = {}
    for answer in sorted(answers, key=lambda a: a.answer is not Answer.FAIL):
        if answer.decisive and answer.answer is not Answer.PASS:
            by_reason.setdefault(f"{answer.answer}: {answer.explanation}", []).append(answer.name)
    return [f"{', '.join(names)}: {reason}." for reason, names in by_reason.items()]


def _trials_table(chosen: Chosen) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "learner": t.learner,
            "trial": t.number,
            "state": t.state,
            "objective": t.value,
            "seconds": round(t.seconds, 3),
            "error": t.error,
            "params": str(t.params),
        }
        for t in chosen.trials
    )


def _summary(settings: Settings, work: Work, result: Result, version: int) -> str:
    answer = verdict(result.answers)
    table = headline_table(result.metrics)
    lines = [f"## {MODEL_NAME} v{version}: {answer}", "", _headline(result), "", _in_words(result)]
    lines += ["", work.sentence, ""]
    lines += [*_markdown(table), "", "### Gates", ""]
    lines += _markdown(_evidence.gate_table(result.answers)[["gate", "answer", "explanation"]])
    lines += [
        "",
        f"Model `{settings.model.name}`, features `{settings.features.name}`, "
        f"data `{settings.data.name}`, seed {settings.seed}.",
    ]
    return "\n".join(lines)


def _headline(result: Result) -> str:
    m = result.metrics
    return (
        f"**R² {m['test/r2']:.3%}, rank IC {m['test/rank_ic']:.4f} (t {m['test/rank_ic_t']:.1f}), "
        f"Sharpe {m['backtest/sharpe']:.2f} "
        f"[{m['backtest/sharpe_ci_low']:.1f}, {m['backtest/sharpe_ci_high']:.1f}] net of costs, "
        f"{m['backtest/trades']:.0f} trades in {m['backtest/sessions']:.0f} sessions**"
    )


def _in_words(result: Result) -> str:
    metrics = result.metrics
    if metrics["backtest/trades"] == 0:
        return (
            "No forecast exceeded the cost of a round trip, so nothing was traded: "
            "this model shows no edge."
        )
    sessions = metrics["backtest/sessions"]
    error = (252 / sessions) ** 0.5
    known = f"A Sharpe over {sessions:.0f} sessions has a standard error of about {error:.1f}"
    if error < 1.0:
        return f"{known} a year."
    return (
        f"{known} a year: by itself this result proves nothing. "
        "Evidence belongs to a recipe, over history."
    )


def _markdown(table: pd.DataFrame) -> list[str]:
    head = "| " + " | ".join(table.columns) + " |"
    rows = ["| " + " | ".join(str(v) for v in row) + " |" for row in table.to_numpy()]
    return [head, "|" + "---|" * len(table.columns), *rows]


def _printed(result: Result, version: int) -> str:
    table = headline_table(result.metrics).to_string(index=False)
    answer = verdict(result.answers)
    return (
        f"\n{table}\n\n{MODEL_NAME} version {version} is the challenger; gates: {answer}.\n"
        f"{_in_words(result)}\n"
        "Next: mlflow run . -e ui (add --env-manager local where this environment is active)"
    )
