"""What a single session and what never changes can give away."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.audit.single import Bounds, attributes, single_features
from pipeline.learning.dataset import Dataset, join
from pipeline.schemas import SESSION, SYMBOL
from tests.learning.conftest import rows_of

BOUNDS = Bounds(ic=0.1, t=8.0)


def world(symbols: int, groups: str = "drawn", drift: float = 0.0) -> Dataset:
    random, index = np.random.default_rng(2), rows_of(180, symbols)
    returns = pd.Series(random.normal(0.0, 0.02, len(index)), index)
    totals = returns.groupby(level=SYMBOL).sum()
    if groups == "hindsight":
        of_symbol = (totals.rank() * 3 // (symbols + 1)).astype(int)
    else:
        of_symbol = pd.Series(np.arange(symbols) % 3, totals.index)
    codes = of_symbol.reindex(index.get_level_values(SYMBOL)).to_numpy()
    rows = pd.DataFrame({"a": random.normal(size=len(index))}, index)
    rows["sector"] = [f"sector {code}" for code in codes]
    return join(rows, pd.DataFrame({"intraday_return": returns + drift * (codes == 1)}))


def test_a_label_in_an_honest_feature_on_one_session_is_named_with_it() -> None:
    data = world(40)
    leaking = data.row_sessions == data.sessions[77]
    features = data.features.assign(a=data.features["a"].mask(leaking, -data.returns))

    result = single_features(Dataset(features, data.returns), BOUNDS)

    assert result.leaks == 1
    assert result.listed.iloc[0].tolist() == [
        "a", "", f"{data.sessions[77]:%Y-%m-%d}", "IC -1.000", "at most 0.9 either way in a session"
    ]  # fmt: skip


def test_of_few_symbols_a_session_in_order_is_chance() -> None:
    data = world(12)
    leaking = data.row_sessions == data.sessions[77]
    features = data.features.assign(a=data.features["a"].mask(leaking, data.returns))

    assert single_features(Dataset(features, data.returns), BOUNDS).leaks == 0


def test_a_column_too_good_on_all_sessions_is_named_with_its_clearest() -> None:
    data = world(40)
    features = data.features.assign(a=data.returns + 0.03 * data.features["a"])

    result = single_features(Dataset(features, data.returns), BOUNDS)

    assert result.leaks == 1
    assert pd.Timestamp(result.listed[SESSION].iloc[0]) in data.sessions


@pytest.mark.parametrize(("groups", "found"), [("drawn", False), ("hindsight", True)])
def test_a_sector_table_made_with_hindsight_is_named(groups: str, found: bool) -> None:
    result = attributes(world(80, groups))

    assert (result.leaks > 0) == found
    assert set(result.listed["column"]) == ({"sector"} if found else set())
    assert "the clearest sector" in result.summary


def test_a_sector_may_do_better_than_others_by_as_much_as_real_ones_do() -> None:
    """A t of 2.6 in half a year is the most of eleven real sectors in thirteen years."""
    assert attributes(world(80, drift=0.0006)).leaks == 0
