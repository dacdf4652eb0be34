"""Dates in the forms of other places, brought into those that `date_forms` knows."""

from __future__ import annotations

import re
from calendar import month_abbr, month_name
from collections.abc import Mapping

import pandas as pd

from pipeline.io.sources.files.header_words import folded

_NAMES = """
jan janv janvier januar januari ene enero gen gennaio janeiro янв января sty stycznia oca ocak
feb fev fevr fevrier februar februari febrero febbraio fevereiro фев февраля lut lutego sub subat
mar marz mars marzo marco maart mrt мар марта marca mart mrz
apr avr avril april abr abril aprile апр апреля kwi kwietnia nis nisan
may mai mayo mag maggio maio mei мая май maj maja mayis
jun juin juni junio giu giugno junho июн июня cze czerwca haz haziran
jul juil juillet juli julio lug luglio julho июл июля lip lipca tem temmuz
aug aout ago agosto augustus augusti авг августа sie sierpnia agu agustos
sept septembre septiembre set sett settembre setembro сен сентября wrz wrzesnia eyl eylul
oct octobre oktober okt octubre ott ottobre out outubro окт октября paz pazdziernika eki ekim
nov novembre noviembre novembro ноя ноября lis listopada kas kasim
dec decembre dezember dez desember dic diciembre dicembre dezembro дек декабря gru grudnia aralik
"""
_ENGLISH = tuple(month_abbr)[1:]
MONTHS: Mapping[str, str] = {
    folded(name): month
    for number, (month, line) in enumerate(
        zip(_ENGLISH, _NAMES.strip().splitlines(), strict=True), start=1
    )
    for name in (*line.split(), month, month_name[number])
}
"""English months by their names, shortened or not, as `folded` writes them."""

_LETTERS = r"[^\W\d_]+"
_COMPACT = (
    r"((?:19|20)\d\d)(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])T?([01]\d|2[0-3])([0-5]\d)([0-5]\d)?"
)
_CTIME = r"^([A-Za-z]{3} [A-Z][a-z]{2}) *(\d{1,2}) (\d\d:\d\d:\d\d)(?: [A-Z]{3,4})? (\d{4})$"
_EXACT = r"(\d)\.(\d+)[eE]\+?(\d+)"


def usual(texts: pd.Series, timezone: str) -> pd.Series:
    """Texts of dates in usual forms; what is none stays as it is.

    Parameters
    ----------
    texts
        Unique ones, without spaces around them.
    timezone
        Of the exchange: years of Taiwan count from 1911, those of Thailand 543 more.

    Examples
    --------
    >>> usual(pd.Series(["6. März 2023", "'2023-03-06"]), "Europe/Berlin").tolist()
    ['6 Mar 2023', '2023-03-06']
    >>> usual(pd.Series(["202303061600"]), "Europe/Berlin").tolist()
    ['2023-03-06 16:00']
    """
    if not texts.str.isascii().fillna(True).all():
        texts = texts.str.normalize("NFKC").str.replace(r"[\u2010-\u2015\u2212]", "-", regex=True)
    texts = texts.str.replace(r"^(?:'|=\")|[\"']$", "", regex=True).str.strip()
    texts = texts.str.replace(r"\s*\([^()]{1,9}\)$", "", regex=True)  # a day of the week
    is_compact = texts.str.fullmatch(_COMPACT).fillna(False)
    if bool(is_compact[texts.notna()].all()):
        return texts.str.replace(_COMPACT, _with_time, regex=True)
    texts = texts.str.replace(_EXACT, _whole, regex=True)
    texts = texts.str.replace(r"^(\d{1,4}) (\d{1,2}) (\d{1,4})$", r"\1-\2-\3", regex=True)
    if timezone == "Asia/Taipei":
        texts = texts.str.replace(r"^(1\d\d)(?=[/.-]\d)", _since_1911, regex=True)
        texts = texts.str.replace(r"^(1\d\d)([01]\d)([0-3]\d)$", _since_1911, regex=True)
    if timezone == "Asia/Bangkok":
        texts = texts.str.replace(r"(?<!\d)2[45]\d\d(?!\d)", _of_buddha, regex=True)
    texts = texts.str.replace(_CTIME, r"\1 \2 \4 \3", regex=True)
    words = set(folded(" ".join(texts.dropna().str.findall(_LETTERS).explode().dropna())).split())
    if words & MONTHS.keys():
        texts = texts.str.replace(_LETTERS, lambda m: MONTHS.get(folded(m[0]), m[0]), regex=True)
        texts = texts.str.replace(r"(?<=\w) (?:de|del) (?=\w)", " ", regex=True)
        texts = texts.str.replace(r"(?<=\d)\. ?(?=[^\W\d])", " ", regex=True)
        texts = texts.str.replace(r"(?<=[^\W\d])\.(?=[- ]?\d)", "", regex=True)
    return texts


def _with_time(match: re.Match[str]) -> str:
    year, month, day, hour, minute, second = match.groups()
    return f"{year}-{month}-{day} {hour}:{minute}" + (f":{second}" if second else "")


def _whole(match: re.Match[str]) -> str:
    """A whole number that was written as 2.0230306e+07, where no digit was lost."""
    digits, places = match[2], int(match[3])
    if not 4 <= places <= len(digits) or digits[places:].strip("0"):
        return match[0]
    return match[1] + digits[:places]


def _since_1911(match: re.Match[str]) -> str:
    year, *rest = match.groups()
    return "".join([str(int(year) + 1911), *rest])


def _of_buddha(match: re.Match[str]) -> str:
    return str(int(match[0]) - 543)
