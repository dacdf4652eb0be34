"""What a person reads on the page of a registered model: what it is, its aliases, its champions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pipeline.contract import Aliases
from pipeline.report.text_tables import markdown_table

MEANING = {
    Aliases.CHAMPION: "the deployed version: `signals` trades it, nothing else decides",
    Aliases.CHALLENGER: "the newest candidate: `promote` judges it",
}


def model_page(
    name: str, held: Mapping[str, int | None], moves: Sequence[Mapping[str, object]]
) -> str:
    """The description of a registered model, in Markdown.

    Parameters
    ----------
    held
        Version by alias; None: nobody holds it.
    moves
        Of `champion`, oldest first: version, previous, reason, forced, by, at, action.
    """
    aliases = pd.DataFrame(
        [(alias, _version(held.get(alias)), words) for alias, words in MEANING.items()],
        columns=["alias", "version", "meaning"],
    )
    return "\n".join(
        [
            "Forecasts of a stock's return from the open to the close of a session, from what is "
            "known before the open. Load it in your own code:",
            "",
            f'    mlflow.pyfunc.load_model("models:/{name}@{Aliases.CHAMPION}")',
            "",
            *markdown_table(aliases),
            "",
            "### Champions, the newest first",
            "",
            *(_history(moves) if moves else ["There was none yet."]),
        ]
    )


def _history(moves: Sequence[Mapping[str, object]]) -> list[str]:
    rows = [
        (
            move["at"],
            _version(move["version"]),
            _version(move["previous"]),
            f"{move['action']}{', forced' if move['forced'] else ''}",
            move["by"],
            " ".join(str(move["reason"]).split()),
        )
        for move in reversed(moves)
    ]
    columns = ["moved at", "to version", "from version", "how", "by", "reason"]
    return markdown_table(pd.DataFrame(rows, columns=columns))


def _version(number: object) -> str:
    return "none" if number is None else str(number)
