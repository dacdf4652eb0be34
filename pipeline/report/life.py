"""The life of deployed models as a person reads it: health, history, one line for a monitor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from pipeline.monitor.health import Health
from pipeline.monitor.history import Event, history_table
from pipeline.report.numbers import NONE, number, percent
from pipeline.report.text_tables import terminal_table, wrapped
from pipeline.stats.returns import total_return

Judged = tuple[str, bool, str, pd.DataFrame, Health]
"""Model, whether it is the champion, kind of outcomes, outcomes, health."""


def health_table(judged: Iterable[Judged]) -> pd.DataFrame:
    """One row a model: model, champion, kind, sessions, rank_ic, net, last, health, reasons."""
    rows = [
        {
            "model": model,
            "champion": "yes" if is_champion else "",
            "kind": kind,
            "sessions": len(outcomes),
            "rank_ic": float(outcomes["rank_ic"].mean()) if len(outcomes) else float("nan"),
            "net_return": total_return(outcomes["net_return"].fillna(0.0)),
            "last": f"{outcomes['session'].iloc[-1]:%Y-%m-%d}" if len(outcomes) else "",
            "health": health.answer if model.isdigit() else "",
            "reasons": "; ".join(health.reasons),
        }
        for model, is_champion, kind, outcomes, health in judged
    ]
    columns = ["model", "champion", "kind", "sessions", "rank_ic", "net_return", "last", "health",
               "reasons"]  # fmt: skip
    return pd.DataFrame(rows, columns=columns)


def printed_health(table: pd.DataFrame, scored: int) -> str:
    """The table for a terminal, and the reasons below it.

    Parameters
    ----------
    table
        One row a model: its version, kind, answer, sessions and reasons.
    scored
        Forecasts that have an outcome since this run.
    """
    head = f"\nScored {scored} forecasts of sessions whose final bars are there."
    if table.empty:
        return f"{head}\nNo forecast has an outcome yet."
    shown = pd.DataFrame(
        {
            "model": table["model"],
            "champion": table["champion"],
            "kind": table["kind"],
            "sessions": table["sessions"].astype(str),
            "rank IC": table["rank_ic"].map(lambda value: number(value, 4)),
            "net": table["net_return"].map(percent),
            "last": table["last"],
            "health": table["health"],
        }
    )
    lines = [head, "", terminal_table(shown, words=("model", "champion", "kind", "health"))]
    lines += [
        wrapped(f"{model}: {reasons}")
        for model, reasons in zip(table["model"], table["reasons"], strict=True)
        if reasons
    ]
    return "\n".join(lines)


def printed_reconciliation(table: pd.DataFrame) -> str:
    """Currency by session; data, signal, fill and cost lead from the backtest to the account.

    Parameters
    ----------
    table
        One row a session: its name, and amounts of currency.
    """
    shown = table.copy()
    for name in table.columns.drop("session"):
        shown[name] = table[name].map(lambda money: number(money, 2))
    return "\n" + terminal_table(shown, words=("session",))


def printed_history(events: Sequence[Event]) -> str:
    """Every event with all that is known of it, oldest first."""
    if not events:
        return "champion was never moved"
    table = history_table(events)
    shown = table[["from", "until", "version", "state", "action", "by"]]
    lines = [terminal_table(shown.fillna(""), words=tuple(shown.columns))]
    for place, event in enumerate(events, 1):
        forced = " (forced)" if event.forced else ""
        evidence = f" Evidence: {event.evidence}." if event.evidence else ""
        lines.append(wrapped(f"{place}. {event.at} {event.action}{forced}: {event.reason}."
                             f"{evidence}"))  # fmt: skip
    return "\n".join(lines)


def summary_line(name: str, facts: Mapping[str, object]) -> str:
    """One line that a monitoring system reads: ``name key=value ...``; empty values are a dash.

    >>> summary_line("daily", {"result": "ok", "orders": 3, "note": "two words"})
    'daily result=ok orders=3 note="two words"'
    """
    words = []
    for key, value in facts.items():
        text = NONE if value in ("", None) else " ".join(str(value).replace('"', "'").split())
        words.append(f'{key}="{text}"' if " " in text else f"{key}={text}")
    return " ".join([name, *words])
