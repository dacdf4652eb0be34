"""Dates that people write, read only where they can mean one day.

``03/02/2021`` is the third of February or the second of March: the column proves it where a number
above 12 stands in one of the two places, else the other files of the folder do, else
``data.day_first`` has to say it. The day is the one written; a time of day is dropped where each
day has one row. Whole numbers of 9 digits and more are moments since 1970, on the exchange's clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.errors import InvalidData
from pipeline.io.sources.files import date_forms as forms
from pipeline.io.sources.files.date_orders import MAX_UNREADABLE, of_long, of_short
from pipeline.io.sources.files.date_texts import usual
from pipeline.io.sources.files.numbers import Undecided

EARLIEST = pd.Timestamp("1900-01-01")
ORDERS = {forms.NUMERIC: of_long, forms.SHORT: of_short}


@dataclass(frozen=True)
class Dates:
    """A column of dates as read.

    Attributes
    ----------
    days
        datetime64[us], midnight, one per row; NaT where a row has none that can be read.
    clock
        Time of the day that was dropped, timedelta64[us], by row.
    reading
        How the dates were read, in words.
    unreadable
        A text that is no date; empty where every row has one or none at all.
    day_first
        Whether the column proves that the day stands before the month; None: it proves nothing.
    """

    days: np.ndarray
    clock: np.ndarray
    reading: str
    unreadable: str = ""
    day_first: bool | None = None

    @property
    def has_times(self) -> bool:
        """Whether a time of day other than midnight was dropped."""
        return bool((self.clock != np.timedelta64(0, "us")).any())


@dataclass(frozen=True)
class _Column:
    """Unique texts or moments, how many rows have each, and what is known of their reading."""

    texts: pd.Series
    counts: np.ndarray
    day_first: bool | None
    timezone: str
    who: str


def dates(column: pd.Series, day_first: bool | None, timezone: str, who: str) -> Dates:
    """The day of each row.

    Parameters
    ----------
    column
        Text, whole numbers as 20150102 or as seconds since 1970, dates, or times with or without a
        zone.
    day_first
        Whether ``03/02`` is the third of February; None: only where the column proves it.
    timezone
        Of the exchange; where a time's own day differs from the exchange's, it is refused.

    Raises
    ------
    Undecided
        Dates may be two days, and nothing proves which; both readings are shown.
    InvalidData
        Dates are missing, of several forms, or no dates.
    """
    codes, unique = pd.factorize(column)
    values = pd.Series(np.asarray(unique) if isinstance(unique, pd.CategoricalIndex) else unique)
    if not pd.api.types.is_datetime64_any_dtype(values.dtype):
        values = _texts(values)
        values = values.mask(values.str.lower().isin(["", "nan", "nat", "none", "null"]))
    counts = np.bincount(codes[codes >= 0], minlength=len(values))
    some = _Column(values, counts, day_first, timezone, who)
    if not len(values) or values.isna().all():
        raise InvalidData("ingest", f"{who}: no row has a date", "a date in each row")
    read = _read(some)
    is_early = read.days < np.datetime64(EARLIEST)
    if 0 < (counts * is_early).sum() <= MAX_UNREADABLE * counts.sum():
        odd = read.unreadable or str(values[is_early].iloc[0])
        read = replace(
            read, days=np.where(is_early, np.datetime64("NaT"), read.days), unreadable=odd
        )
    elif is_early.any():
        first = np.datetime_as_string(read.days[is_early].min(), unit="D")
        raise InvalidData("ingest", f"{who}: dates from {first}", f"dates after {EARLIEST.year}")
    nothing = np.append(read.days, np.datetime64("NaT")).astype("datetime64[us]")
    clock = np.append(read.clock, np.timedelta64(0)).astype("timedelta64[us]")
    return Dates(nothing[codes], clock[codes], read.reading, read.unreadable, read.day_first)


def _read(some: _Column) -> Dates:
    values = some.texts
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return _zoned(values.dt.tz_localize(None), values.dt.tz_convert("UTC"), some)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return _timed(values, "as times")
    return _written(some)


def _texts(values: pd.Series) -> pd.Series:
    if pd.api.types.is_float_dtype(values.dtype) and bool((values % 1 == 0).all()):
        values = values.astype("Int64")
    return values.astype("str").str.strip().str.replace(r"^(\d{5,})\.0+$", r"\1", regex=True)


def _timed(
    moments: pd.Series, reading: str, unreadable: str = "", first: bool | None = None
) -> Dates:
    days = moments.dt.normalize()
    clock = (moments - days).fillna(pd.Timedelta(0))
    return Dates(days.to_numpy(), clock.to_numpy(), reading, unreadable, first)


def _zoned(written: pd.Series, moments: pd.Series, some: _Column) -> Dates:
    """The day as written, unless the exchange's own clock disagrees on other than midnights."""
    days = written.dt.normalize()
    local = moments.dt.tz_convert(some.timezone).dt.tz_localize(None)
    midnight = (written == days) | (local == local.dt.normalize())
    theirs = days.where(written == days, local.dt.normalize())
    unclear = ~midnight & (days != theirs) & written.notna()
    if unclear.any():
        at = unclear.idxmax()
        given = f"{some.who}: {moments[at]} is {days[at]:%Y-%m-%d} as written, "
        given += f"{theirs[at]:%Y-%m-%d} in {some.timezone}"
        raise InvalidData("ingest", given, "dates without times")
    clock = (local - local.dt.normalize()).where(~midnight, pd.Timedelta(0))
    clock = clock.fillna(pd.Timedelta(0))
    return Dates(theirs.to_numpy(), clock.to_numpy(), "dates with a time zone")


def _since_1970(texts: pd.Series, unit: str, some: _Column) -> Dates:
    """Midnights of UTC are days; other moments are days of the exchange."""
    whole = texts.str.replace(r"\.\d+$", "", regex=True)
    numbers = pd.to_numeric(whole, errors="coerce").astype("Int64")
    utc = pd.Timestamp(0) + pd.to_timedelta(numbers, unit=unit)  # type: ignore[call-overload]
    utc = utc.dt.as_unit("us")
    moments = utc.dt.tz_localize("UTC")
    unreadable = _example(texts, numbers.isna())
    reading = f"{unit} since 1970"
    if bool((utc.dropna() == utc.dropna().dt.normalize()).all()):
        return _timed(utc, f"{reading}, midnights of UTC", unreadable)
    local = moments.dt.tz_convert(some.timezone).dt.tz_localize(None)
    return _timed(local, f"{reading}, in {some.timezone}", unreadable)


def _counted(counts: pd.Series, unreadable: str, some: _Column) -> Dates:
    """Days counted by Excel from 1900 or by R from 1970: as no week has bars on its last days."""
    days = pd.to_timedelta(pd.to_numeric(counts) // 1, unit="D")
    read = {reading: pd.Timestamp(first) + days for reading, first in forms.FIRST_DAYS.items()}
    now = pd.Timestamp.now()
    past = {reading: at for reading, at in read.items() if at.max() < now}
    fits = {reading: at for reading, at in past.items() if (at.dt.day_of_week > 4).mean() < 0.1}
    fits = fits or past or read
    if len(fits) > 1:
        number = counts.dropna().iloc[0]
        shown = " or ".join(f"{at.dropna().iloc[0]:%Y-%m-%d}" for at in fits.values())
        given = f"{some.who}: {number!r} is {shown} ({' or '.join(fits)})"
        raise Undecided("ingest", given, "dates as 2015-01-02")
    reading, at = next(iter(fits.items()))
    return _timed(at.dt.as_unit("us"), reading, unreadable)


def _written(some: _Column) -> Dates:
    some = replace(some, texts=usual(some.texts, some.timezone))
    texts = some.texts
    for pattern, unit in forms.UNITS.items():
        is_moment = texts.str.fullmatch(pattern).fillna(False)
        if _weight(is_moment, some) > 1 - MAX_UNREADABLE:
            return _since_1970(texts.where(is_moment), unit, some)
    serial = texts.str.fullmatch(forms.SERIAL).fillna(False)
    if _weight(serial, some) > 1 - MAX_UNREADABLE:
        return _counted(texts.where(serial), _example(texts, ~serial), some)
    texts = texts.str.replace(forms.MIDNIGHT, "", regex=True)
    texts = texts.str.replace(r"^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? ", "", regex=True)
    if not texts.str.contains(":", regex=False).fillna(False).any():
        texts = texts.str.replace(forms.DECORATION, "", regex=True)
        texts = texts.str.replace(forms.SPACED, "-", regex=True)
        return _timed(*_days(texts, some))
    parts = texts.str.extract(forms.TIME)
    bare = parts["day"].str.strip()
    day, reading, unreadable, first = _days(bare.where(bare.notna(), texts), some)
    times = parts["time"].fillna("00:00").str.replace(",", ".", regex=False)
    clock = pd.to_datetime("2000-01-01 " + times, format="mixed", errors="coerce")
    moments = day + (clock - pd.Timestamp("2000-01-01"))
    zones = parts["zone"].fillna("").str.replace(r"^(?:UTC|GMT)(?=[+-])", "", regex=True)
    if not zones.str.fullmatch(r"[+-]\d{1,2}(?::?\d{2})?|Z|UTC|GMT")[day.notna()].all():
        return _timed(moments, reading, unreadable, first)  # a named zone or none: the exchange's
    shift = _offset(zones)
    read = _zoned(moments, (moments - shift).dt.tz_localize("UTC"), some)
    return Dates(read.days, read.clock, f"{reading}, with a time zone", unreadable, first)


def _offset(zones: pd.Series) -> pd.Series:
    parts = zones.str.extract(r"^(?P<sign>[+-])(?P<hours>\d{1,2}):?(?P<minutes>\d{2})?$")
    minutes = parts["hours"].fillna("0").astype("int64") * 60
    minutes += parts["minutes"].fillna("0").astype("int64")
    return pd.to_timedelta(minutes.where(parts["sign"] != "-", -minutes), unit="min")


def _weight(mask: pd.Series, some: _Column) -> float:
    """Share of the rows with a date of which this holds."""
    dated = some.counts * some.texts.notna().to_numpy()
    return float((dated * mask.to_numpy(dtype=bool)).sum() / max(dated.sum(), 1))


def _days(texts: pd.Series, some: _Column) -> tuple[pd.Series, str, str, bool | None]:
    """Days, how they were read, a text that is none, and whether the day is proven to be first."""
    fits = {pattern: texts.str.fullmatch(pattern).fillna(False) for pattern in forms.FORMS}
    weights = {pattern: _weight(mask, some) for pattern, mask in fits.items()}
    pattern = max(weights, key=lambda p: weights[p])
    if weights[pattern] < 1 - MAX_UNREADABLE:
        raise _refusal(texts, fits, some.who)
    texts = texts.where(fits[pattern])
    plain = texts.str.replace(r"[/.]", "-", regex=True)
    form, proven, reading = forms.FORMS[pattern], None, "month by name"
    if pattern in ORDERS:
        form, reading, proven = ORDERS[pattern](plain.dropna(), some.day_first, some.who)
    elif form.startswith("%Y"):
        reading = "year first"
    if "%b" in form or "%B" in form:
        plain = texts.str.replace(
            r"[-,.\s]+|(?<=\d)(?=[A-Za-z])|(?<=[A-Za-z])(?=\d)", " ", regex=True
        )
    elif "년" in form:
        plain = texts.str.replace(" ", "", regex=False)
    read = pd.to_datetime(plain, format=form, errors="coerce").dt.as_unit("us")
    unreadable = _example(some.texts, read.isna())
    if _weight(wrong := read.isna() & texts.notna(), some) > MAX_UNREADABLE:
        raise _no_date(texts[wrong].iloc[0], some.who)
    return read, reading, unreadable, proven


def _example(texts: pd.Series, wrong: pd.Series) -> str:
    return next(map(str, texts[wrong.to_numpy(dtype=bool) & texts.notna().to_numpy()]), "")


def _refusal(texts: pd.Series, fits: Mapping[str, pd.Series], who: str) -> InvalidData:
    dated = texts.dropna()
    known = pd.concat([mask[dated.index] for mask in fits.values()], axis=1)
    odd = dated[~known.any(axis=1)]
    if len(odd):
        return _no_date(str(odd.iloc[0]), who)
    first = next(mask for mask in fits.values() if mask[dated.index].iloc[0])
    other = dated[~first[dated.index]].iloc[0]
    given = f"{who}: dates of several forms, {dated.iloc[0]!r} and {other!r}"
    return InvalidData("ingest", given, "one form of date in a file")


def _no_date(text: str, who: str) -> InvalidData:
    given = f"{who}: {text!r} is no date that can be read"
    return InvalidData("ingest", given, "dates as 2015-01-02")
