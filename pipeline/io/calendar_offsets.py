"""Repairs `exchange_calendars` 4.13 under pandas 3.1, which renamed what its offsets override.

Before 3.1 an offset was added by its ``_apply``; since then by ``_add_datetime``, with a vectorised
path beside it that knows nothing of a subclass. So the holidays of Orthodox Easter (ASEX, XBEL,
XBSE, XCYS) end in an error, those of the Jewish calendar (XTAE) fall on Easter, and special working
Saturdays (XBOM, XMOS) are lost. Under an older pandas nothing is changed.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pandas as pd
from pandas.tseries.offsets import BaseOffset, CustomBusinessDay


@cache
def repair() -> None:
    """Have every offset of `exchange_calendars` added the way this pandas adds one."""
    if hasattr(CustomBusinessDay, "_apply"):
        return
    from exchange_calendars import tase_holidays
    from exchange_calendars.pandas_extensions import offsets

    for module in (offsets, tase_holidays):
        for value in vars(module).values():
            if (
                isinstance(value, type)
                and issubclass(value, BaseOffset)
                and "_apply" in vars(value)
            ):
                value._add_datetime = value._apply  # type: ignore[attr-defined]
                value._add_datetime_ndarray = _one_by_one  # type: ignore[attr-defined]
    # It walks from one week mask to another by methods that are gone.
    offsets.CompositeCustomBusinessDay._add_datetime = _walked
    offsets.CompositeCustomBusinessDay._supports_daily_offset_mask = False


def _one_by_one(offset: Any, moments: Any) -> Any:
    raise NotImplementedError  # pandas then adds it to each moment alone


def _walked(offset: Any, moment: pd.Timestamp) -> pd.Timestamp:
    """Day by day to the n-th one that is on the offset."""
    day = pd.Timedelta(days=1 if offset.n > 0 else -1)
    left = abs(offset.n)
    while left:
        moment += day
        left -= bool(offset.is_on_offset(moment))
    return moment
