from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.trading.backtest import backtest
from pipeline.trading.capacity import capacity, capacity_curve, size_aware
from tests.trading.markets import one_session, random_case


def curve(*returns: float, trades: int = 5) -> pd.DataFrame:
    """Bankrolls of 1, 10, 100, ..."""
    bankrolls = [10.0**power for power in range(len(returns))]
    return pd.DataFrame({"bankroll": bankrolls, "total_return": returns, "trades": trades})


@pytest.mark.parametrize(
    ("returns", "expected"),
    [
        ((0.10, 0.08, 0.05, 0.049), 100.0),  # exactly half still counts
        ((0.10, 0.12, 0.11), 100.0),  # the largest of the list, no more
        ((0.10, 0.01, 0.09), 1.0),  # what comes back later is chance
        ((0.10, -0.01), 1.0),
        ((0.0, 0.1), 0.0),
        ((-0.10, 0.1), 0.0),
    ],
)
def test_capacity_is_the_last_bankroll_that_keeps_half_of_the_return(returns, expected):
    assert capacity(curve(*returns)) == expected


def test_without_trades_capacity_is_unknown():
    assert math.isnan(capacity(curve(0.0, 0.0, trades=0)))


def test_rules_keep_the_impact_and_the_cap_of_their_own(rules):
    both = size_aware(rules(), 1.0, 0.05)
    assert (both.impact, both.max_participation) == (1.0, 0.05)
    own = size_aware(rules(impact=0.5, max_participation=0.01), 1.0, 0.05)
    assert (own.impact, own.max_participation) == (0.5, 0.01)


def test_the_auction_has_a_part_of_the_days_volume(rules):
    # A hundredth of the volume: the same order is a hundred times the part, and moves ten times.
    auction = size_aware(rules(max_positions=1), 1.0, 0.05, 0.01)
    assert (auction.impact, auction.max_participation) == (10.0, pytest.approx(0.0005))
    case = one_session(
        previous_close=[100.0], open=[100.0], close=[101.0],
        mean_dollar_volume=[1e6], volatility=[0.02],
    )  # fmt: skip
    found = capacity_curve(*case.both, auction, [1e6])
    assert found["exposure"].tolist() == pytest.approx([0.0005], rel=0.01)
    assert found["charged_bps"].tolist() == pytest.approx([2e4 * 0.02 * math.sqrt(0.05)], rel=0.01)


def test_one_trade_by_hand_at_two_bankrolls(rules):
    # A day's dollar volume of 1e6 and a volatility of 2 %: an order of 1e4 (1 % of the volume)
    # moves the price by 0.02 x 0.1 on either side, one of 5e4 (the cap) by 0.02 x sqrt(0.05).
    case = one_session(
        previous_close=[100.0], open=[100.0], close=[101.0],
        mean_dollar_volume=[1e6], volatility=[0.02],
    )  # fmt: skip
    chosen = size_aware(rules(max_positions=1), 1.0, 0.05)
    found = capacity_curve(*case.both, chosen, [1e6, 1e4])

    assert found["bankroll"].tolist() == [1e4, 1e6]
    assert found["exposure"].tolist() == pytest.approx([1.0, 0.05], rel=0.01)
    small, large = found["net_pnl"]
    # What the impact costs comes out of the same cash, so the small order is a little smaller.
    shares = math.floor(1e4 / (100.0 * 1.002) * 1e6) / 1e6
    assert small == pytest.approx(shares * (1.0 - 0.002 * 201.0), abs=0.02)
    assert large == pytest.approx(500.0 * (1.0 - 0.02 * math.sqrt(0.05) * 201.0), abs=0.02)
    assert found["charged_bps"].iloc[1] == pytest.approx(2e4 * 0.02 * math.sqrt(0.05), rel=1e-4)
    assert found["break_even_bps"].tolist() == pytest.approx([1e4 / 100.5] * 2, rel=1e-4)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_each_point_is_the_backtest_of_that_bankroll(rules, seed):
    case = random_case(seed)
    chosen = size_aware(rules(max_positions=3, commission_bps=1.0), 1.0, 0.05)
    found = capacity_curve(*case.both, chosen, [1e7, 1e5])
    for bankroll, row in found.set_index("bankroll").iterrows():
        alone = backtest(*case.both, chosen, float(str(bankroll)))
        assert row["net_pnl"] == alone.equity.iloc[-1] - alone.equity.iloc[0]
        assert row["exposure"] == alone.exposure.mean()


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_larger_the_bankroll_the_more_a_round_trip_costs(rules, seed):
    case = random_case(seed, sessions=1)
    # One position, and none is refused for its cost: the same one at every size.
    chosen = size_aware(rules(max_positions=1, min_edge_bps=0.0), 1.0, 0.05)
    charged = capacity_curve(*case.both, chosen, [1e4, 1e5, 1e6, 1e7])["charged_bps"].dropna()
    assert (charged.diff().dropna() >= -0.1).all()  # of small orders a cent counts
