"""Small price files made by hand, and a source that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.io.providers.files import Files
from pipeline.io.providers.reading import Reading

HEADER = "date,open,high,low,close,volume"

WEEK = ("2021-03-08", "2021-03-09", "2021-03-10", "2021-03-11", "2021-03-12")
"""Five sessions of XNYS, Monday to Friday."""


def rows(days: Iterable[str] = WEEK, first: float = 10.0) -> list[str]:
    """A bar a day: open p, high p + 1, low p - 1, close p + 0.5, volume 100; p goes up by 1."""
    bars = [(day, first + place) for place, day in enumerate(days)]
    return [f"{day},{p},{p + 1},{p - 1},{p + 0.5},100" for day, p in bars]


def write(file: Path, *lines: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")
    return file


def files(path: Path, index_path: Path | None = None, **options) -> Files:
    """The source of these files; what does not belong to the source says how to read them."""
    own = {name: options.pop(name) for name in ("symbols_path", "splits_path", "accept")
           if name in options}  # fmt: skip
    return Files(path, index_path, reading=Reading(**options), **own)
