"""What a person sees of a retrain: a summary in words, tables and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import mlflow
import pandas as pd

from pipeline.io import registry, tracking
from pipeline.schemas import MODEL_NAME
from pipeline.settings import Settings
from pipeline.stages import _evidence
from pipeline.trading.backtest import Backtest
from pipeline.trading.performance import drawdowns
from pipeline.trading.promotion import GateResult, verdict

if TYPE_CHECKING:
    from pipeline.stages._search import Chosen
    from pipeline.stages.retrain import Work

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
    metrics: dict[str, float]
    answers: list[GateResult]
    rank_ic: pd.Series


def write(settings: Settings, work: Work, result: Result, chosen: Chosen, version: int) -> None:
    """Log the ledger, tables, step metrics, pictures and the summary."""
    with tracking.timed("report"):
        log_books(result.books)
        tracking.log_table(_evidence.gate_table(result.answers), "gates")
        tracking.log_table(_trials_table(chosen), "trials")
        tracking.log_steps({"test/rank_ic_by_session": result.rank_ic.dropna()})
        mlflow.log_figure(_pictures(result, chosen), "report.png")
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
    """The ledger as a table and the equity curve as step metrics."""
    tracking.log_table(books.ledger, "ledger")
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


def _trials_table(chosen: Chosen) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "learner": t.learner,
            "trial": t.number,
            "state": t.state,
            "objective": t.value,
            "seconds": round(t.seconds, 3),
            "params": str(t.params),
        }
        for t in chosen.trials
    )


def _pictures(result: Result, chosen: Chosen) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    equity, drawdown, ic, trials = figure.subplots(2, 2).ravel()
    equity.plot(result.books.equity.index, result.books.equity, color="tab:blue")
    equity.set_title("Equity, net of costs, out of sample")
    fall = drawdowns(result.books.net_returns)
    drawdown.fill_between(fall.index, -100 * fall, 0, color="tab:red", alpha=0.5)
    drawdown.set_title("Drawdown, %")
    ic.bar(result.rank_ic.index, result.rank_ic, color="tab:gray")
    ic.axhline(result.rank_ic.mean(), color="tab:blue")
    ic.set_title("Rank IC by session, and its mean")
    for name in dict.fromkeys(t.learner for t in chosen.trials):
        own = [t for t in chosen.trials if t.learner == name and t.state == "complete"]
        trials.plot([t.number for t in own], [t.value for t in own], "o-", label=name)
    trials.set_title("Search objective by trial")
    trials.legend()
    for axes in (equity, drawdown, ic):
        axes.tick_params(axis="x", rotation=30)
    return figure


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
    return (
        f"A Sharpe over {sessions:.0f} sessions has a standard error of about {error:.1f} a year: "
        "by itself this result proves nothing. Evidence belongs to a recipe, over history."
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
