"""What a person reads on the page of a registered model: what it is, its aliases, its history."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.contract import Aliases
from pipeline.monitor.history import Event, history_table
from pipeline.report.text_tables import markdown_table

MEANING = {
    Aliases.CHAMPION: "the deployed version: `signals` trades it, nothing else decides",
    Aliases.CHALLENGER: "the newest candidate: `promote` judges it",
}


SPACE = "\N{EM SPACE}" * 4
"""After a head of a column: MLflow sets tables without any space between their columns."""

PAGE_CHARACTERS = 4900
"""A server's database may hold 5,000 of a page; older events are left out first."""

REASON_CHARACTERS = 200


def model_page(name: str, held: Mapping[str, int | None], events: Sequence[Event]) -> str:
    """The description of a registered model, in Markdown.

    Parameters
    ----------
    held
        Version by alias; None: nobody holds it.
    events
        Of its life, oldest first: moves of `champion`, stops, expiries and returns to trading.
    """
    aliases = pd.DataFrame(
        [(alias, _version(held.get(alias)), words) for alias, words in MEANING.items()],
        columns=[f"alias{SPACE}", f"version{SPACE}", "meaning"],
    )
    head = [
        "Forecasts of a stock's return from the open to the close of a session, from what is "
        "known before the open. Load it in your own code, and so only models of this "
        "registry: MLflow does what a model's files ask for.",
        "",
        f'    mlflow.pyfunc.load_model("models:/{name}@{Aliases.CHAMPION}")',
        "",
        *markdown_table(aliases),
        "",
        "### Who was live when and why, the newest first",
        "",
    ]
    if not events:
        return "\n".join([*head, "Nobody yet."])
    rows = _history(events)
    shown = len(rows)
    while shown > 1 and len("\n".join([*head, *_table(rows[:shown], len(rows))])) > PAGE_CHARACTERS:
        shown -= 1
    return "\n".join([*head, *_table(rows[:shown], len(rows))])


def _table(rows: pd.DataFrame, known: int) -> list[str]:
    left = known - len(rows)
    older = ["", f"{left} older ones: `promote promote.history=true` prints all."] if left else []
    return [*markdown_table(rows), *older]


def _history(events: Sequence[Event]) -> pd.DataFrame:
    """Newest first, in the words of a person."""
    table = history_table(events).iloc[::-1]
    how = table["action"] + table["forced"].map({"yes": ", forced", "": ""})
    reasons = [
        textwrap.shorten(str(reason), REASON_CHARACTERS, placeholder=" ...")
        for reason in table["reason"]
    ]
    return pd.DataFrame(
        {
            "from": table["from"],
            "version": table["version"],
            "state": table["state"],
            "how": how,
            "by": table["by"],
            "reason": reasons,
            "evidence": table["evidence"],
        }
    )


def _version(number: object) -> str:
    return "none" if number is None else str(number)
