"""How people write dates: the forms that `dates` knows, as patterns."""

from __future__ import annotations

from collections.abc import Mapping

ZONE = r"Z|UTC|GMT|[A-Z]{3,4}|[A-Z][A-Za-z]+/[A-Za-z_]+|(?:UTC|GMT)?[+-]\d{1,2}(?::?\d{2})?"
TIME = (
    r"^(?P<day>[^:]*?\d{4}|\d{4}[^:]*?|\d{1,2}[-/.]\d{1,2}[-/.]\d{2})"
    r"(?:,?[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?: ?[AaPp][Mm])?)"
    rf" ?(?P<zone>{ZONE})?)?$"
)
MIDNIGHT = r"[T ]0?0:00(?::00(?:\.0+)?)?$"
NUMERIC = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
SHORT = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}"
FORMS: Mapping[str, str] = {
    r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}": "%Y-%m-%d",
    r"(?:19|20)\d{6}": "%Y%m%d",
    NUMERIC: "",
    SHORT: "",
    r"[A-Za-z]{3}\.? \d{1,2},? \d{4}": "%b %d %Y",
    r"[A-Za-z]{4,} \d{1,2},? \d{4}": "%B %d %Y",
    r"\d{1,2}[- ]?[A-Za-z]{3}[- ,]*\d{4}": "%d %b %Y",
    r"\d{1,2}[- ][A-Za-z]{3}[- ]\d{2}": "%d %b %y",
    r"[A-Za-z]{3}-\d{1,2}-\d{4}": "%b %d %Y",
    r"\d{1,2}[- ][A-Za-z]{4,}[- ,]+\d{4}": "%d %B %Y",
    r"\d{4}[- ][A-Za-z]{3}[- ]\d{1,2}": "%Y %b %d",
    r"\d{4}年\d{1,2}月\d{1,2}日": "%Y年%m月%d日",
    r"\d{4}년 ?\d{1,2}월 ?\d{1,2}일": "%Y년%m월%d일",
}
UNITS: Mapping[str, str] = {
    r"-?\d{9,10}(?:\.\d{1,9})?": "s",
    r"-?\d{12,13}": "ms",
    r"-?\d{15,16}": "us",
    r"-?\d{18,19}": "ns",
}
DECORATION = r"(?:(?<=\d)[.Z]| (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*)$"
SPACED = r"(?<=\d)(?:[./-] +|_)(?=\d)|(?<=\d)/(?=[A-Za-z])|(?<=[A-Za-z])/(?=\d)"
BETWEEN = r"[-,.\s]+|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)"
SERIAL = r"[1-6]\d{4}(?:\.\d+)?"
FIRST_DAYS: Mapping[str, str] = {
    "Excel's serial numbers": "1899-12-30", "days since 1970": "1970-01-01",
}  # fmt: skip
"""Day 0 of those who count days."""
