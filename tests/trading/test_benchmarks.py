from __future__ import annotations

import math

import pandas as pd
import pytest

from pipeline.trading.benchmarks import open_is_real, stale_open_share


def test_an_open_within_a_basis_point_of_the_previous_close_is_stale():
    previous_close = pd.Series([100.0, 100.0, 100.0, 100.0])
    opened = pd.Series([100.0, 100.009, 100.011, 99.0])  # 0, 0.9, 1.1 and 100 bp away
    assert stale_open_share(opened, previous_close) == 0.5


def test_sessions_without_both_prices_do_not_count():
    share = stale_open_share(pd.Series([math.nan, 5.0, 5.0]), pd.Series([5.0, math.nan, 5.0]))
    assert share == 1.0


@pytest.mark.parametrize(("share", "real"), [(0.03, True), (0.06, False), (math.nan, False)])
def test_an_index_without_an_open_of_its_own_is_no_benchmark(share, real):
    assert open_is_real(share) is real
