"""Symbols as this project writes them, from columns and from file names."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.errors import InvalidData

INDICES = ("GSPC", "IXIC", "VIX", "NDX", "DJI", "RUT")
"""Indices that people write without the caret that Yahoo puts before them."""

_TICKER = r"\^?[A-Z][A-Z0-9]{0,6}(?:[.\-=][A-Z0-9]{1,4})?"


def symbol(written: str, *, share_class_by_dot: bool) -> str:
    """As Yahoo writes it.

    Parameters
    ----------
    share_class_by_dot
        Whether a single letter after a dot is a share class, as in the US, and no exchange.

    >>> symbol(" brk.b ", share_class_by_dot=True), symbol("GSPC", share_class_by_dot=True)
    ('BRK-B', '^GSPC')
    """
    name = written.strip().upper()
    if share_class_by_dot:
        name = re.sub(r"[./ ]([A-Z])$", r"-\1", name)
    return f"^{name}" if name in INDICES else name


def from_file(file: Path) -> str:
    """The one ticker in a file's name, as written there.

    The whole name, or the one part in capitals between spaces and underscores, or the one known
    index among the parts.

    >>> from_file(Path("prices/AAPL_daily.csv")), from_file(Path("vix_1990.csv"))
    ('AAPL', 'VIX')

    Raises
    ------
    InvalidData
        There is none, or there are several.
    """
    stem = re.sub(r"\.(csv|txt|parquet|pq|gz)", "", file.name, flags=re.IGNORECASE)
    if re.fullmatch(_TICKER, stem.upper()):
        return stem
    parts = [part for part in re.split(r"[_\s()]+", stem) if part]
    tickers = [part for part in parts if re.fullmatch(_TICKER, part)]
    known = [part.upper() for part in parts if part.upper().lstrip("^") in INDICES]
    found = tickers or known
    if len(found) == 1:
        return found[0]
    shown = f"may be {' or '.join(found)}" if found else "holds no symbol"
    raise InvalidData(
        "ingest",
        f"{file.name}: the file has no column of symbols, and its name {shown}",
        "a column symbol, or a file named by its symbol, as AAPL.csv",
    )
