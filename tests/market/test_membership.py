"""Snapshots of a universe whose members change: S00 leaves, S05 joins."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.market.features import FEATURE_SETS, FeatureInputs, Snapshots
from pipeline.market.features import snapshots as market_snapshots
from pipeline.market.membership import among, of_members

FEATURES = FEATURE_SETS["ranked"]
ROWS = {"min_history": 40, "min_price": 0.0, "min_dollar_volume": 0.0}


@pytest.fixture(scope="module")
def inputs(make_bars, make_inputs) -> FeatureInputs:
    return make_inputs(make_bars(5, sessions=330, symbols=6, missing=0.0))


def make(inputs: FeatureInputs, sessions: pd.DatetimeIndex) -> Snapshots:
    return market_snapshots(FEATURES, inputs, sessions, **ROWS)


@pytest.fixture(scope="module")
def members(inputs) -> pd.DataFrame:
    """On the last six sessions: S00 until the third of them, S05 from the fifth on."""
    sessions = inputs.bars.sessions[-6:]
    table = pd.DataFrame(True, sessions, inputs.bars.symbols)
    table.loc[sessions[3:], "S00"] = False
    table.loc[sessions[:4], "S05"] = False
    return table


def test_a_symbol_has_rows_and_counts_in_ranks_only_while_a_member(inputs, members):
    rows = of_members(make, inputs, members).rows
    has = rows.assign(one=1)["one"].unstack().reindex(columns=members.columns).notna()
    np.testing.assert_array_equal(has.to_numpy(), members.to_numpy())
    for session in members.index:
        names = members.columns[members.loc[session]]
        alone = make(among(inputs, names), pd.DatetimeIndex([session])).rows
        pd.testing.assert_frame_equal(rows.loc[[session]], alone)
    ranks = rows["rank_momentum_21" if "rank_momentum_21" in rows else rows.columns[0]]
    everybody = make(inputs, members.index).rows[ranks.name].reindex(ranks.index)
    assert (ranks != everybody).any(), "ranks among all symbols are others"


def test_what_happens_to_the_members_later_changes_no_row(inputs, members):
    later = members.copy()
    later.iloc[4:] = ~later.iloc[4:]
    until = members.index[3]
    pd.testing.assert_frame_equal(
        of_members(make, inputs, later).rows.loc[:until],
        of_members(make, inputs, members).rows.loc[:until],
    )


def test_members_throughout_change_nothing(inputs, members):
    always = pd.DataFrame(True, members.index, members.columns)
    once, plain = of_members(make, inputs, always), make(inputs, members.index)
    pd.testing.assert_frame_equal(once.rows, plain.rows)
    assert once.left_out == plain.left_out
