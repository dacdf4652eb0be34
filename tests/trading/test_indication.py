"""Orders on indicated opens: sized on them, limited where the edge ends, within the reserve."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.trading.backtest import backtest
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.indication import WORSE_BPS, Indication, hurdle_limit
from pipeline.trading.strategy import orders
from tests.trading.markets import Case, indicated, one_session, random_case, replaced

BARS = ("open", "high", "low", "close", "volume")


def falling(case: Case, price: list[float], fall: float) -> Case:
    """The case on these indications; a forecast falls by so much for each basis point."""
    frame = case.market.previous_close
    told = pd.DataFrame([price], frame.index, frame.columns)
    sign = np.sign(case.predictions)
    worse = {bps: case.predictions - sign * fall * bps for bps in WORSE_BPS}
    return Case(case.predictions, replaced(case.market, indication=Indication(told, worse)))


@pytest.mark.parametrize(
    ("edges", "hurdle", "reach"),
    [
        ([30.0, 20.0, 10.0], 15.0, 7.5),  # half-way from 5 to 10 bp
        ([30.0, 30.0, 10.0], 30.0, 5.0),  # flat, then down at once
        ([30.0, 25.0, 20.0], 10.0, 10.0),  # met even at the last
    ],
)
def test_the_limit_is_where_a_straight_line_meets_the_hurdle(edges, hurdle, reach):
    told = dict(zip([0.0, 5.0, 10.0], [np.array([edge]) for edge in edges], strict=True))
    bought = hurdle_limit(np.array([1.0]), np.array([200.0]), told, hurdle)
    assert bought.item() == pytest.approx(200.0 * (1.0 + reach * 1e-4))


def test_an_order_is_sized_on_the_indication_and_limited_at_the_cost(rules):
    case = one_session(
        predictions=[0.004, 0.003], previous_close=[100.0, 50.0], open=[99.0, 49.0],
        close=[100.0, 50.0],
    )  # fmt: skip
    case = falling(case, [98.0, 49.5], fall=1e-4)
    chosen = rules(max_positions=2, min_edge_bps=None, open_bps=7.0, close_bps=3.0)
    listed = orders(Forecasts(*case.both), chosen, 10_000.0)
    assert listed["reference_price"].tolist() == [98.0, 49.5]
    assert listed["shares"].tolist() == pytest.approx([5_000 / 98.0, 5_000 / 49.5])
    # 40 bp of edge less 1 for each bp: the cost of 10 is met 30 bp up; 30 bp of edge 20 bp up.
    assert listed["limit"].tolist() == pytest.approx([98.0 * 1.003, 49.5 * 1.002])
    ledger = backtest(*case.both, chosen, 10_000.0).ledger
    assert ledger["reason"].tolist() == ["open beyond the limit", ""]


def test_the_reserve_counts_every_order_at_its_limit(rules):
    case = one_session(
        predictions=[0.004, 0.003], previous_close=[100.0, 50.0], open=[98.0, 49.0],
        close=[100.0, 50.0],
    )  # fmt: skip
    case = falling(case, [98.0, 49.5], fall=1e-4)
    chosen = rules(max_positions=2, min_edge_bps=10.0, max_gross=0.8, whole_shares=True)
    listed = orders(Forecasts(*case.both), chosen, 10_000.0)
    first = 51 * 98.0 * 1.003  # 5,000 buy 51 whole shares
    assert listed["shares"].tolist() == [51.0, np.floor((8_000.0 - first) / (49.5 * 1.002))]
    assert (listed["shares"] * listed["limit"]).sum() <= 8_000.0


@pytest.mark.parametrize("seed", range(4))
def test_no_order_and_no_limit_depends_on_the_session_s_own_bars(rules, seed):
    case = indicated(random_case(seed, symbols=9), seed)
    chosen = rules(sides="long_short", max_positions=6, min_edge_bps=None, open_bps=7.0)
    other = random_case(seed + 100, symbols=9).market
    changed = replaced(case.market, **{name: getattr(other, name) for name in BARS})
    for session in case.predictions.index:
        day = pd.DatetimeIndex([session])
        one, two = case.at(day), Case(case.predictions, changed).at(day)
        told = [orders(Forecasts(*each.both), chosen, 50_000.0) for each in (one, two)]
        pd.testing.assert_frame_equal(*told, check_exact=True)
        assert told[0]["limit"].notna().all()


@pytest.mark.parametrize("missing", ["price", "followed"])
def test_without_an_indication_or_a_followed_forecast_there_is_no_order(rules, missing):
    case = one_session(
        predictions=[0.004, 0.003], previous_close=[100.0, 50.0], open=[98.0, 49.0],
        close=[100.0, 50.0],
    )  # fmt: skip
    case = falling(case, [np.nan if missing == "price" else 98.0, 49.5], fall=1e-5)
    told = case.market.indication
    if missing == "followed":
        worse = {bps: frame.copy() for bps, frame in told.worse.items()}
        worse[320.0].iloc[0, 0] = np.nan
        case = Case(
            case.predictions, replaced(case.market, indication=Indication(told.price, worse))
        )
    listed = orders(Forecasts(*case.both), rules(max_positions=2), 10_000.0)
    assert listed["symbol"].tolist() == ["B"]
