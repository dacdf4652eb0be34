"""Numbers as people read them: a real minus, thin spaces before units, an en dash for NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

MINUS, THIN, NONE = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}", "\N{EN DASH}"


def shown(value: float, form: str, why: str) -> str:
    """A number in a format of ``str.format``, or a dash and the reason why there is none.

    >>> shown(0.1234, "{:.1%}", "no trades"), shown(math.nan, "{:.1%}", "no trades")
    ('12.3%', '\N{EN DASH} (no trades)')
    """
    return form.format(value) if math.isfinite(value) else f"{NONE} ({why})"


def number(value: float, digits: int = 2, *, sign: bool = False, unit: str = "") -> str:
    """A number with so many digits; no minus before a zero.

    >>> number(12345.6, 0), number(1.236, 2, sign=True), number(-0.004, 2)
    ('12,346', '+1.24', '0.00')
    """
    if not math.isfinite(value):
        return NONE
    rounded = round(value, digits) or 0.0
    shown = f"{abs(rounded):,.{digits}f}"
    before = MINUS if rounded < 0 else "+" if sign and rounded > 0 else ""
    return f"{before}{shown}{THIN + unit if unit else ''}"


def counts_in_words(counts: Mapping[Any, int]) -> str:
    """How many of what, largest first; none where every count is 0.

    >>> counts_in_words({"no_bar": 12, "low_price": 0, "short_history": 20314})
    '20,314 short history, 12 no bar'
    """
    largest_first = sorted(counts.items(), key=lambda item: -item[1])
    counted = [f"{n:,} {str(name).replace('_', ' ')}" for name, n in largest_first if n]
    return ", ".join(counted) or "none"


def percent(fraction: float, digits: int = 1, *, sign: bool = False) -> str:
    """A fraction in per cent."""
    return number(100.0 * fraction, digits, sign=sign, unit="%")


def change(fraction: float) -> str:
    """A signed fraction in per cent, with a digit more where one would hide it.

    >>> change(0.0012)
    '+0.12\\u202f%'
    """
    return percent(fraction, 1 if abs(fraction) >= 0.01 else 2, sign=True)


def probability(value: float) -> str:
    """A probability in per cent; never certain.

    >>> probability(0.9996)
    '> 99\\u202f%'
    """
    if value > 0.99:
        return f"> 99{THIN}%"
    return f"< 1{THIN}%" if value < 0.01 else percent(value, 0)


def basis_points(fraction: float, digits: int = 1, *, sign: bool = False) -> str:
    """A fraction in basis points."""
    return number(1e4 * fraction, digits, sign=sign, unit="bp")


def interval(low: float, high: float, digits: int = 1) -> str:
    """Two ends of an interval, or one dash where it is undefined.

    >>> interval(-0.52, 1.3), interval(math.nan, math.nan)
    ('\N{MINUS SIGN}0.5 to 1.3', '\N{EN DASH}')
    """
    if not (math.isfinite(low) and math.isfinite(high)):
        return NONE
    return f"{number(low, digits)} to {number(high, digits)}"


def count(value: float, what: str) -> str:
    """A number of things.

    >>> count(1.02, "look"), count(2, "trade"), count(0, "session")
    ('1 look', '2 trades', '0 sessions')
    """
    shown_number = number(value, 0)
    return f"{shown_number} {what}{'' if shown_number == '1' else 's'}"


def day(session: object) -> str:
    """A session as an ISO date."""
    return f"{pd.Timestamp(str(session)):%Y-%m-%d}"
