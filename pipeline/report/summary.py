"""What a person reads of a retrain: its summary in Markdown, and the text for the terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.commands import Command
from pipeline.gates.gates import GateResult
from pipeline.gates.verdict import gate_table, verdict
from pipeline.report.headlines import headline_table, metric_text
from pipeline.report.meaning import meaning
from pipeline.report.text_tables import markdown_table, terminal_table, wrapped


@dataclass(frozen=True, kw_only=True)
class RetrainSummary:
    """What the summary of a retrain is written from.

    Attributes
    ----------
    registered_model, version
        Name in the registry, and the version that this retrain registered.
    model, features, data_source
        Names of the choices in the configuration.
    seed
        Of every random draw.
    windows
        What was learned from and what was predicted, in words.
    metrics
        By the names of the run contract; NaN where a value is undefined.
    gates
        Answers of all gates.
    sessions_a_year
        Of the market: 252, or 365 where it trades every day.
    survivorship
        What the universe knows of symbols that are no more, in one sentence.
    refits
        Models fitted for the evaluation; more than one is a walk-forward.
    next_steps
        Sentences on what to do next, the first one first.
    is_new
        False: it equals the model of that version, which stands for it.
    is_challenger
        Whether the version becomes the challenger.
    """

    registered_model: str
    version: int
    model: str
    features: str
    data_source: str
    seed: int
    windows: str
    metrics: Mapping[str, float]
    gates: Sequence[GateResult]
    sessions_a_year: int
    survivorship: str
    refits: int = 1
    next_steps: Sequence[str] = ()
    is_new: bool = True
    is_challenger: bool = True

    @property
    def verdict(self) -> str:
        """What the gates' answers add up to."""
        return verdict(self.gates)


def markdown_summary(summary: RetrainSummary) -> str:
    """The description of a run: verdict, figures, windows, gates."""
    answers = gate_table(summary.gates)[["gate", "answer", "explanation"]]
    lines = [
        f"## {summary.registered_model} v{summary.version}: {summary.verdict}",
        "",
        f"**{headline_sentence(summary.metrics)}**",
        "",
        meaning(summary.metrics, summary.sessions_a_year, summary.refits),
        "",
        summary.windows,
        "",
        f"Universe: {summary.survivorship}.",
        "",
        *markdown_table(headline_table(summary.metrics)),
        "",
        "### Gates",
        "",
        *markdown_table(answers),
        "",
        f"Model `{summary.model}`, features `{summary.features}`, "
        f"data `{summary.data_source}`, seed {summary.seed}.",
    ]
    return "\n".join(lines)


def version_summary(summary: RetrainSummary) -> str:
    """The description of a version: lists of versions show the first words of it, unformatted."""
    _, _, text = markdown_summary(summary).partition("\n\n")
    return f"{summary.verdict.capitalize()}.\n\n{text}"


def printed_summary(summary: RetrainSummary) -> str:
    """The end of a retrain on a terminal."""
    lines = [
        "",
        printed_headlines(summary.metrics),
        "",
        wrapped(_standing(summary)),
        wrapped(meaning(summary.metrics, summary.sessions_a_year, summary.refits)),
        wrapped(f"Universe: {summary.survivorship}."),
        *(line if line.startswith(" ") else wrapped(line) for line in summary.next_steps),
        f"Compare: {Command('ui')}",
    ]
    return "\n".join(lines)


def _standing(summary: RetrainSummary) -> str:
    version = f"{summary.registered_model} version {summary.version}"
    is_challenger = "is the challenger" if summary.is_challenger else "leaves challenger as it is"
    equal = "" if summary.is_new else " (an equal model, registered before)"
    return f"{version}{equal} {is_challenger}; gates: {summary.verdict}."


def printed_headlines(metrics: Mapping[str, float]) -> str:
    """The table of ``headline_table`` for a terminal of 100 columns."""
    shown = headline_table(metrics)[["meaning", "value", "target", "metric"]]
    table = terminal_table(shown, words=("meaning", "target", "metric"))
    return f"{table}\nTargets are the published ones; they decide nothing, the gates do."


def headline_sentence(metrics: Mapping[str, float]) -> str:
    """R², rank IC, Sharpe and trades in one line; undefined ones with the reason.

    Parameters
    ----------
    metrics
        By the names of the run contract. A Sharpe ratio is a year's, net of costs.
    """
    parts = (
        f"R² {metric_text('test/r2', metrics, '{:.3%}')}",
        _rank_ic(metrics),
        _sharpe(metrics),
        f"{metric_text('backtest/trades', metrics, '{:.0f}')} trades in "
        f"{metric_text('backtest/sessions', metrics, '{:.0f}')} sessions",
    )
    return ", ".join(parts)


def _rank_ic(metrics: Mapping[str, float]) -> str:
    value = f"rank IC {metric_text('test/rank_ic', metrics, '{:.4f}')}"
    if math.isnan(metrics.get("test/rank_ic", math.nan)):
        return value
    t = metric_text("test/rank_ic_t", metrics, "{:.1f}")
    return (
        f"{value}, t {t}"
        if math.isnan(metrics.get("test/rank_ic_t", math.nan))
        else (f"{value} (t {t})")
    )


def _sharpe(metrics: Mapping[str, float]) -> str:
    value = f"Sharpe {metric_text('backtest/sharpe', metrics, '{:.2f}')}"
    if math.isnan(metrics.get("backtest/sharpe", math.nan)):
        return value  # its interval is undefined for the same reason
    low, high = (
        metric_text(f"backtest/sharpe_ci_{end}", metrics, "{:.1f}") for end in ("low", "high")
    )
    return f"{value} [{low}, {high}] net of costs"
