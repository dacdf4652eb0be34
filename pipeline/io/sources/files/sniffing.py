"""Whether a file whose suffix says nothing is a table of prices, by its first lines."""

from __future__ import annotations

import re

from pipeline.io.sources.files.columns import has_prices
from pipeline.io.sources.files.encoding import encoding

OTHERS = (
    ".md", ".rst", ".py", ".ipynb", ".htm", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".sh", ".r",
    ".rmd", ".sql", ".log", ".bak", ".old", ".orig", ".tmp", ".temp", ".part", ".crdownload",
    ".swp", ".pdf", ".doc", ".docx", ".tex", ".c", ".js", ".css", ".bat", ".lock",
)  # fmt: skip
"""Suffixes of texts, copies and unfinished downloads, which may show a table and are none."""

HEAD_BYTES = 4096
HEADER_WITHIN = 10


def is_table(name: str, head: bytes) -> bool:
    """Whether a file begins as a table of prices does.

    Parameters
    ----------
    name
        Of the file.
    head
        Its first `HEAD_BYTES`.

    Examples
    --------
    >>> is_table("AAPL.dly", b"Date, Open, High, Low, Close, Volume"), is_table("LICENSE", b"MIT")
    (True, False)
    """
    if name.lower().endswith(OTHERS):
        return False
    text = head.decode(encoding(head, ""), errors="replace")
    lines = text.splitlines()[:HEADER_WITHIN]
    return any(has_prices(re.split(r"[,;\t|]|\s+", line)) for line in lines)
