"""Opens that are no prices: found, never traded and counted, on a made-up panel of 120 sessions.

Every symbol's forecast would have it bought at any price, so what is not bought was kept out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.sources.protocol import Delivery, no_actions
from pipeline.io.store.bulk import stacked
from pipeline.io.store.store import Store
from pipeline.market.features import FeatureInputs, known_before
from pipeline.market.indication import evening
from pipeline.opens import printed_opens
from pipeline.recipe.books import books
from pipeline.recipe.decision import Indicated, IndicatedOpen, with_indication
from pipeline.recipe.doubts import bad_open_counts
from pipeline.schemas import SESSION, SYMBOL, BarPanel
from pipeline.trading.indication import WORSE_BPS
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules

DECISION = IndicatedOpen(name="indicated_open", error_bps=25.0, common_share=0.2)
TRADED = 40
"""Sessions at the end that are traded."""

FAULTY = {  # by symbol: the fault, and on which of the traded sessions
    "S1": ("copy of a close", slice(None)),
    "S2": ("outside of the range", [5]),
    "S3": ("without volume", [6, 7]),
    "S4": ("jump", [8]),
    "S5": ("like a split", [9]),
    "S6": ("like a split", [10]),
    "S7": ("goes ex", [11, 12]),
}


def panel() -> BarPanel:
    """Nine random walks; seven of them with a fault."""
    rng = np.random.default_rng(2)
    days = pd.bdate_range("2022-01-03", periods=120, name=SESSION).as_unit("us")
    names = pd.Index([f"S{n}" for n in range(9)], name=SYMBOL, dtype="str")
    shape = (len(days), len(names))
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=0))
    opened = np.vstack([np.full(len(names), 50.0), close[:-1]])
    opened *= np.exp(rng.normal(0.0, 0.005, shape))
    opened[1:, 1] = close[:-1, 1]
    first = len(days) - TRADED
    for column, session, split in ((4, 8, 0.5), (5, 9, 2 / 3), (6, 10, 5 / 4)):
        for prices in (opened, close):
            prices[first + session :, column] *= split
        opened[first + session, column] = close[first + session - 1, column] * split
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    high[first + 5, 2] = low[first + 5, 2] = opened[first + 5, 2] * 0.98
    close[first + 5, 2] = low[first + 5, 2]
    volume = np.full(shape, 1e6)
    volume[first + 6 : first + 8, 3] = 0.0
    return BarPanel(
        *(pd.DataFrame(values, days, names) for values in (opened, high, low, close, volume))
    )


def filled(folder: Path, bars: BarPanel, symbols: pd.DataFrame) -> Store:
    """A store of these bars; the last symbol but one goes ex a dividend and a split."""
    days = bars.sessions[-TRADED:][FAULTY["S7"][1]]
    acts = {SESSION: days, SYMBOL: "S7", "split": [np.nan, 2.0], "dividend": [0.4, np.nan]}
    empty = no_actions().assign(reason="")
    store = Store.open(folder / "store.db")
    store.write_symbols(symbols.assign(name="", kind="stock"))
    long = stacked(vars(bars)).assign(final=True)
    delivery = Delivery(long, empty, empty, actions=pd.DataFrame(acts))
    store.write_bars(delivery)
    return store


@pytest.fixture
def traded(tmp_path: Path) -> tuple[pd.DataFrame, Market]:
    """The ledger of buying everything that has an indication, and its market."""
    bars = panel()
    sessions = bars.sessions[-TRADED:]
    symbols = pd.DataFrame({"exchange": "X", "sector": "A"}, index=bars.symbols)
    store = filled(tmp_path, bars, symbols)
    none = pd.DataFrame(index=bars.sessions)
    known = evening(known_before(FeatureInputs(bars, {}, None, none, symbols), bars.sessions))
    printed = printed_opens(store, None, sessions)
    seen = Indicated.of_prints(known.at(sessions), printed, DECISION, seed=7)
    rows = pd.MultiIndex.from_product([sessions, bars.symbols])
    told = seen.prices(rows).to_frame().assign(prediction=0.05)
    told = told.assign(**{f"worse_{bps:g}": 0.05 for bps in WORSE_BPS})
    regimes = pd.Series("RANGING", sessions)
    sectors = pd.Series("A", bars.symbols)
    plain = Market.of_bars(
        bars, sessions, regimes, sectors, bars.sessions[-TRADED - 1],
        goes_ex=store.goes_ex(sessions[0], sessions[-1]),
    )  # fmt: skip
    market = with_indication(plain, told)
    chosen = {
        "max_positions": 9, "sides": "long", "min_edge_bps": 0.0, "max_position_fraction": 0.1,
    }  # fmt: skip
    ledger = books(rules(**chosen), 1e6, told["prediction"], market).ledger
    return ledger[ledger["shares_filled"] > 0.0], market


def rules(**changes: object) -> Rules:
    from tests.recipe import made

    return made.rules(**changes)


def test_a_bad_open_is_never_traded_and_every_other_one_is(
    traded: tuple[pd.DataFrame, Market],
) -> None:
    ledger, market = traded
    expected = pd.DataFrame(True, market.open.index, market.open.columns)
    for name, (_, where) in FAULTY.items():
        expected.iloc[where, expected.columns.get_loc(name)] = False
    filled = pd.crosstab(ledger[SESSION], ledger[SYMBOL]).reindex_like(expected).fillna(0) > 0
    pd.testing.assert_frame_equal(filled, expected, check_names=False, check_freq=False)


def test_they_are_counted_by_reason(traded: tuple[pd.DataFrame, Market]) -> None:
    market = traded[1]
    rows = pd.MultiIndex.from_product([market.open.index, market.open.columns])
    counts = bad_open_counts(rows, market)
    assert counts.pop("doubt/bad_opens_copy_of_a_close") >= TRADED - 21  # needs 20 sessions
    assert counts == {
        "doubt/bad_opens_outside_of_the_range": 1.0,
        "doubt/bad_opens_without_volume": 2.0,
        "doubt/bad_opens_jump": 1.0,
        "doubt/bad_opens_like_a_split": 2.0,
        "doubt/bad_opens_goes_ex": 2.0,
    }
