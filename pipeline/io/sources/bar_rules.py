"""Rules that a bar keeps whatever its source: its prices are positive and lie in its range."""

from __future__ import annotations

import re
from collections.abc import Iterable

import numpy as np
import pandas as pd

from pipeline.errors import Fault, InvalidData

PRICES = ("open", "high", "low", "close")

ROUNDING = 1e-6
"""Relative; prices stored as four-byte floats, or adjusted with seven digits, differ by so much."""


SYMBOL = re.compile(r"(?![-=+@])(?!.*\.\.)[^\x00-\x1f\x7f*?\"'`;|<>\\{}%!,]{1,40}")
"""Letters of any script, digits, and marks that tickers have: ``^VIX``, ``BRK-B``, ``EURUSD=X``.

None that begins a formula of a spreadsheet, names a path, or stands for other names.
"""


def require_symbols(names: Iterable[str]) -> None:
    """Refuse names that could be taken for formulas, paths or patterns where they are written.

    Raises
    ------
    InvalidData
        Each of them is a fault of it.
    """
    wrong = [n for n in names if not is_symbol(n)]
    if wrong:
        more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
        raise InvalidData(
            "ingest",
            f"no symbols: {', '.join(map(repr, wrong[:5]))}{more}",
            "up to 40 letters, digits and marks as in BRK-B, ^VIX, 7203.T, EURUSD=X",
            faults=[Fault(name, "is no symbol") for name in wrong],
        )


def is_symbol(name: str) -> bool:
    """Whether a name is one that a symbol can have.

    >>> [is_symbol(n) for n in ("BRK-B", "^VIX", "M&M.NS", "EURUSD=X", "BTC/USDT", ".DJI")]
    [True, True, True, True, True, True]
    >>> [is_symbol(n) for n in ("=1+1", "@a", "../x", "/etc/x", "A*", "A\\nB", "", " A", "x" * 41)]
    [False, False, False, False, False, False, False, False, False]
    """
    is_plain = name.isprintable() and name == name.strip() and not name.startswith("/")
    return is_plain and SYMBOL.fullmatch(name) is not None


def broken(bars: pd.DataFrame, rounding: float = ROUNDING) -> dict[str, np.ndarray]:
    """By rule, whether each bar breaks it; in the order in which they are to be named.

    Parameters
    ----------
    bars
        Columns open, high, low and close; one row a bar.
    rounding
        Relative difference up to which a high is not too low.
    """
    prices = bars[list(PRICES)].to_numpy(dtype="float64")
    high, low = bars["high"].to_numpy(), bars["low"].to_numpy()
    with np.errstate(invalid="ignore"):
        return {
            "price missing": np.isnan(prices).any(axis=1),
            "price not positive": (prices <= 0).any(axis=1),
            "high below another price": high < prices.max(axis=1) * (1 - rounding),
            "low above another price": low > prices.min(axis=1) * (1 + rounding),
        }


def first_broken(rules: dict[str, np.ndarray], size: int) -> np.ndarray:
    """The first rule each bar breaks, "" where it breaks none."""
    codes = np.zeros(size, np.int16)
    for code, mask in enumerate(reversed(rules.values()), start=1):
        codes[mask] = code
    return np.array(["", *reversed(rules)], dtype=object)[codes]
