from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.io.store.month_digests import month_digests
from tests.io.store.made_months import closes, delivery


def another_value(close: pd.DataFrame) -> None:
    close.loc["2021-02-03", "B"] += 1e-12


def one_bar_less(close: pd.DataFrame) -> None:
    close.loc["2021-02-03", "B"] = np.nan


def another_symbol(close: pd.DataFrame) -> None:
    close["F"] = close["E"].where(close.index.month == 2)
    close.loc[close.index.month == 2, "E"] = np.nan


@pytest.mark.parametrize("edit", [another_value, one_bar_less, another_symbol])
def test_the_digest_of_a_month_tells_any_change_of_it_and_of_no_other(edit):
    base = month_digests(delivery(closes()).bars)
    assert month_digests(delivery(closes()).bars) == base
    edited = closes()
    edit(edited)

    changed = month_digests(delivery(edited).bars)

    assert list(changed) == ["2021-01", "2021-02", "2021-03"]
    assert [month for month in base if changed[month] != base[month]] == ["2021-02"]
