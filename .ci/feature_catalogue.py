"""Writes docs/features.md, the page of all features, from their definitions."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "features.md"
HEADER = """# Features

Made by `python .ci/feature_catalogue.py` from the definitions in `pipeline/market/features_*.py`;
change those, not this page.

A row for session t holds only what is known before t opens. In the formulas s is t-1, the last
session before t; a mean, sum or sd over n ends at s. Look-back: sessions up to s that a value is
made of. Classic windows need every session; extended ones take the values there are, at least
min(n, 40) of them. "Standing": rank in the session of a value over the symbol's volatility, net
of its sector's mean; symbols of unknown sector are one group. "Centred rank": rank in the session
less the mean rank, between -0.5 and 0.5, among the symbols with a bar in s. "Residual" of a return,
overnight or intraday: return - beta over 252 * mean of all symbols, over the root mean square of
such returns over 63, at most 5 either way, less the mean of the others in the sector; beta is 1
until it is known. Kind: `symbol`, one value a symbol; `session`, the same for all symbols;
`static`, an attribute as of the day the symbol table was made, used for all sessions alike.
"""


def page() -> str:
    """The whole page."""
    from pipeline.market.features import FEATURE_SETS, catalogue, warm_up

    week = 5

    parts = [HEADER]
    for name, features in FEATURE_SETS.items():
        needed = warm_up(features, _min_history(name), week)
        parts.append(
            f"\n## {name}\n\n{len(features)} features; "
            f"{needed} sessions are loaded before the first one asked for "
            "(where every day is traded, look-backs on weekdays count seven a week).\n\n"
        )
        table = catalogue(features)
        parts.append("| " + " | ".join(column.replace("_", " ") for column in table) + " |\n")
        parts.append("|" + " --- |" * len(table.columns) + "\n")
        for values in table.itertuples(index=False):
            cells = [f"`{values.name}`", *(_cell(value) for value in values[1:])]
            parts.append("| " + " | ".join(cells) + " |\n")
    return "".join(parts)


def _min_history(name: str) -> int:
    import yaml

    chosen = yaml.safe_load((ROOT / "conf" / "features" / f"{name}.yaml").read_text())
    return int(chosen["min_history"])


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("*", "\\*")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(page())
