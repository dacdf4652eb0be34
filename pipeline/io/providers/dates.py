"""Dates that people write, read only where they can mean one day.

``03/02/2021`` is the third of February or the second of March: the column proves it where a number
above 12 stands in one of the two places, otherwise ``data.day_first`` has to say it. The day is the
one written; a time of day is dropped where each day has one row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData

EARLIEST = pd.Timestamp("1900-01-01")

_TIME = (
    r"^(?P<day>[^:]*?\d{4}|\d{4}[^:]*?)"
    r"(?:,?[T ]+(?P<time>\d{1,2}:\d{2}(?::\d{2}(?:[.]\d+)?)?(?: ?[AaPp][Mm])?)"
    r" ?(?P<zone>Z|UTC|GMT|[A-Z]{3,4}|[+-]\d{2}:?\d{2})?)?$"
)
_MIDNIGHT = r"[T ]00:00(?::00(?:\.0+)?)?$"
_ISO = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}"
_COMPACT = r"(?:19|20)\d{6}"
_NUMERIC = r"\d{1,2}[-/.]\d{1,2}[-/.]\d{4}"
_NAMED = {
    r"[A-Za-z]{3} \d{1,2}, \d{4}": "%b %d, %Y",
    r"[A-Za-z]{4,} \d{1,2}, \d{4}": "%B %d, %Y",
    r"\d{1,2}[- ][A-Za-z]{3}[- ]\d{4}": "%d %b %Y",
}


@dataclass(frozen=True)
class Dates:
    """A column of dates as read.

    Attributes
    ----------
    days
        datetime64[us], midnight, one per row.
    has_times
        Whether a time of day other than midnight was dropped.
    reading
        How the dates were read, in words.
    """

    days: np.ndarray
    has_times: bool
    reading: str


def dates(column: pd.Series, day_first: bool | None, timezone: str, who: str) -> Dates:
    """The day of each row.

    Parameters
    ----------
    column
        Text, whole numbers as 20150102, dates, or times with or without a zone.
    day_first
        Whether ``03/02`` is the third of February; None: only where the column proves it.
    timezone
        Of the exchange; where a time's own day differs from the exchange's, it is refused.

    Raises
    ------
    InvalidData
        Dates are missing, of several forms, no dates, or may be two; both readings are shown.
    """
    codes, unique = pd.factorize(column)
    values = pd.Series(np.asarray(unique) if isinstance(unique, pd.CategoricalIndex) else unique)
    empty = codes == -1
    if pd.api.types.is_string_dtype(values.dtype):
        empty |= (values.str.strip() == "").to_numpy()[codes]
    if empty.any():
        found = f"{who}: {int(empty.sum())} of {len(column)} rows have no date"
        raise InvalidData("ingest", found, "a date in each row")
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        read = _zoned(values, timezone, who)
    elif pd.api.types.is_datetime64_dtype(values.dtype):
        read = _timed(values, "as times")
    else:
        read = _written(_texts(values), day_first, timezone, who)
    days = read.days.astype("datetime64[us]")
    if len(days) and days.min() < np.datetime64(EARLIEST):
        early = np.datetime_as_string(days.min(), unit="D")
        raise InvalidData("ingest", f"{who}: dates from {early}", f"dates after {EARLIEST.year}")
    return Dates(days[codes], read.has_times, read.reading)


def _texts(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values.dtype) and bool((values % 1 == 0).all()):
        values = values.astype("int64")
    return values.astype("str").str.strip().astype("str")


def _timed(moments: pd.Series, reading: str) -> Dates:
    days = moments.dt.normalize()
    return Dates(days.to_numpy(), bool((moments != days).any()), reading)


def _zoned(moments: pd.Series, timezone: str, who: str) -> Dates:
    written = moments.dt.tz_localize(None)
    return _in_zone(written, moments.dt.tz_convert("UTC"), timezone, who)


def _in_zone(written: pd.Series, moments: pd.Series, timezone: str, who: str) -> Dates:
    """The day as written, unless the exchange's own clock disagrees on other than midnights."""
    days = written.dt.normalize()
    local = moments.dt.tz_convert(timezone).dt.tz_localize(None)
    midnight = (written == days) | (local == local.dt.normalize())
    theirs = days.where(written == days, local.dt.normalize())
    unclear = ~midnight & (days != theirs)
    if unclear.any():
        at = unclear.idxmax()
        found = f"{who}: {moments[at]} is {days[at]:%Y-%m-%d} as written, {theirs[at]:%Y-%m-%d} in"
        raise InvalidData("ingest", f"{found} {timezone}", "dates without times")
    return Dates(theirs.to_numpy(), bool((~midnight).any()), "dates with a time zone")


def _written(texts: pd.Series, day_first: bool | None, timezone: str, who: str) -> Dates:
    if texts.str.contains(_MIDNIGHT).all():
        texts = texts.str.replace(_MIDNIGHT, "", regex=True)
    if not texts.str.contains(":", regex=False).any():
        day, reading = _days(texts, day_first, who)
        return Dates(day.to_numpy(), False, reading)
    parts = texts.str.extract(_TIME)
    if parts["day"].isna().any():
        raise _no_date(texts[parts["day"].isna()].iloc[0], who)
    day, reading = _days(parts["day"].str.strip(), day_first, who)
    clock = pd.to_datetime("2000-01-01 " + parts["time"].fillna("00:00"), format="mixed")
    moments = day + (clock - pd.Timestamp("2000-01-01"))
    zones = parts["zone"].fillna("")
    if not zones.str.fullmatch(r"[+-]\d{2}:?\d{2}|Z|UTC|GMT").all():
        return _timed(moments, reading)  # a named zone or none: the exchange's own clock
    offsets = zones.where(zones.str.match("[+-]"), "+00:00")
    hours = offsets.str[:3].astype("int64")
    minutes = offsets.str[-2:].astype("int64").where(hours >= 0, -offsets.str[-2:].astype("int64"))
    shift = pd.to_timedelta(hours * 60 + minutes, unit="min")
    read = _in_zone(moments, (moments - shift).dt.tz_localize("UTC"), timezone, who)
    return Dates(read.days, read.has_times, f"{reading}, with a time zone")


def _days(texts: pd.Series, day_first: bool | None, who: str) -> tuple[pd.Series, str]:
    forms = {_ISO: "%Y-%m-%d", _COMPACT: "%Y%m%d", _NUMERIC: "", **_NAMED}
    for pattern, form in forms.items():
        if not texts.str.fullmatch(pattern).all():
            continue
        plain = texts.str.replace(r"[/.]", "-", regex=True)
        if pattern == _NUMERIC:
            form, reading = _order(plain, day_first, who)
            return _parsed(plain, form, who), reading
        plain = plain.str.replace("-", " ") if form == "%d %b %Y" else plain
        return _parsed(plain, form, who), "year first" if form.startswith("%Y") else "month by name"
    odd = [text for text in texts if not any(_full(p, text) for p in forms)]
    if odd:
        raise _no_date(odd[0], who)
    first = next(p for p in forms if _full(p, texts.iloc[0]))
    other = texts[~texts.str.fullmatch(first)].iloc[0]
    found = f"{who}: dates of several forms, {texts.iloc[0]!r} and {other!r}"
    raise InvalidData("ingest", found, "one form of date in a file")


def _full(pattern: str, text: str) -> bool:
    return bool(pd.Series([text]).str.fullmatch(pattern).iloc[0])


def _order(texts: pd.Series, day_first: bool | None, who: str) -> tuple[str, str]:
    """Which of the two numbers before the year is the day."""
    numbers = texts.str.extract(r"(\d+)-(\d+)-").astype("int64")
    proofs = {True: texts[numbers[0] > 12], False: texts[numbers[1] > 12]}
    proven = [first for first, proof in proofs.items() if len(proof)]
    if len(proven) == 2 or (proven and day_first not in (None, proven[0])):
        shown = " and ".join(repr(proofs[first].iloc[0]) for first in proven)
        said = "" if day_first is None else f" although data.day_first={str(day_first).lower()}"
        found = f"{who}: dates with the {'day' if proven[0] else 'month'} first, {shown}{said}"
        needed = "one order of day and month in all of the file"
        raise InvalidData("ingest", found, needed)
    if not proven and day_first is None:
        text = texts.iloc[0]
        readings = (pd.to_datetime(text, format=f) for f in ("%d-%m-%Y", "%m-%d-%Y"))
        shown = " or ".join(f"{day:%Y-%m-%d}" for day in readings)
        raise InvalidData(
            "ingest", f"{who}: {text!r} is {shown}; no date in the file proves which",
            "which of the two numbers is the day",
            "python -m pipeline.stages.ingest data=files data.path=... data.day_first=true",
        )  # fmt: skip
    first = proven[0] if proven else bool(day_first)
    how = f"proven by {proofs[first].iloc[0]}" if proven else "as data.day_first says"
    return ("%d-%m-%Y", f"day first, {how}") if first else ("%m-%d-%Y", f"month first, {how}")


def _parsed(texts: pd.Series, form: str, who: str) -> pd.Series:
    read = pd.to_datetime(texts, format=form, errors="coerce").dt.as_unit("us")
    if read.isna().any():
        raise _no_date(texts[read.isna()].iloc[0], who)
    return read


def _no_date(text: str, who: str) -> InvalidData:
    needed = "dates with a year of four digits, as 2015-01-02"
    return InvalidData("ingest", f"{who}: {text!r} is no date that can be read", needed)
