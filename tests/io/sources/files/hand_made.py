"""Small price files made by hand, and a source that reads them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from pipeline.io.sources.files.source import Files
from pipeline.io.sources.settings import FilesData
from pipeline.paths import ROOT

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


def how(**options: object) -> FilesData:
    """As ``conf/data/files.yaml`` has it, with some values given."""
    content = yaml.safe_load((ROOT / "conf/data/files.yaml").read_text())
    content["columns"] |= options.pop("columns", {})
    return FilesData.model_validate(content | options)


def files(path: Path, index_path: Path | None = None, **options: object) -> Files:
    """The source of these files; the options say how to read them."""
    return Files(how(path=path, index_path=index_path, **options))
