"""Files of a folder that may be parts of one symbol, though their names say two."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

import numpy as np

from pipeline.io.sources.files.merging import PriceFile

PIECES_APART = np.timedelta64(7, "D")
PIECES_STEP = 1.15
PIECE_ENDING = 6
"""Characters by which the names of two parts of one symbol differ at most."""


def pieces(read: Iterable[PriceFile]) -> dict[str, str]:
    """Symbols by file names that may be parts of one: AAB23.csv ends where AAB24.csv begins.

    Their names have the same beginning, and their prices go on as those of one symbol. By symbol,
    both readings.
    """
    single = [file.prices for file in read if len(file.prices.symbols) == 1 and file.prices.by_name]
    spans: dict[str, tuple[np.datetime64, np.datetime64, float, float]] = {}
    for held in single:
        ends = [int(held.days.argmin()), int(held.days.argmax())]
        first, last = (float(held.numbers["close"][at]) for at in ends)
        name = held.symbols[0]
        if name in spans:
            return {}  # years in files of one name: whoever names them so, names none otherwise
        spans[name] = (held.days[ends[0]], held.days[ends[1]], first, last)
    by_first = sorted(spans.items(), key=lambda item: item[1][0])
    starts = np.array([span[0] for _, span in by_first], dtype="datetime64[us]")
    refused: dict[str, str] = {}
    for name, (_, last_day, _, last) in by_first:
        place = int(np.searchsorted(starts, last_day, side="right"))
        until = int(np.searchsorted(starts, last_day + PIECES_APART, side="right"))
        for other, (_, _, first, _) in by_first[place:until]:
            same = len(_common(name, other))
            is_alike = same > 1 and max(len(name), len(other)) - same <= PIECE_ENDING
            if is_alike and abs(np.log(first / last)) < np.log(PIECES_STEP):
                why = (
                    f"the files of {name} and {other} follow each other in days and prices: parts "
                    "of one symbol (needed: a column symbol, or names as AAB-2023.csv), or two "
                    f"(needed: data.accept=[{name},{other}])"
                )
                refused |= {name: why, other: why}
    return refused


def _common(one: str, other: str) -> list[tuple[str, str]]:
    """The characters that both begin with."""
    return list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
