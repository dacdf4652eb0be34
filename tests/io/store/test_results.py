from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.io.store.store import Store
from pipeline.monitor.scores import skill
from pipeline.schemas import INDICATORS, LABELS, Regime
from tests.io.store.made_bars import NAN, delivered, wide


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    arrays(
        float,
        st.tuples(st.integers(1, 6), st.integers(1, 4)),
        elements=st.floats(allow_nan=True, allow_infinity=False),
    )
)
def test_any_panel_survives_the_store_bit_for_bit(tmp_path_factory, values):
    values = values + 0.0  # SQLite keeps no sign of zero
    panel = dict.fromkeys(LABELS, wide(values, "ABCD"[: values.shape[1]]))
    store = Store.open(tmp_path_factory.mktemp("store") / "any.db")

    store.write_labels(panel)
    found = store.labels()[LABELS[0]]
    store.close()

    expected = panel[LABELS[0]].stack().dropna()
    assert found.index.to_list() == expected.index.to_list()
    assert found.to_numpy().tobytes() == expected.to_numpy().tobytes()


def test_a_mask_limits_which_indicators_are_written(store):
    store.write_bars(delivered([[1, 1], [2, 2]]))
    panel = dict.fromkeys(INDICATORS, wide([[1, 2], [3, 4]]))

    written = store.write_indicators(panel, only=wide([[0, 0], [1, 0]]).astype(bool))

    assert written.new == 1
    np.testing.assert_array_equal(store.indicator_panel()["obv"], [[NAN], [3]])


def test_regimes_come_back_by_index_symbol(store):
    states = pd.DataFrame(
        {
            "trend_strength": [NAN, 20.0],
            "volatility_percentile": 50.0,
            "slope_20": 0.1,
            "vix_level": NAN,
            "regime": [Regime.UNKNOWN, Regime.RANGING],
        },
        index=pd.DatetimeIndex(["2010-01-04", "2010-01-05"], name="session").as_unit("us"),
    )
    store.write_regimes(states, "^IXIC")
    store.write_regimes(states.assign(regime="HIGH_VOL"), "UNIVERSE")

    found = store.regimes("^IXIC")

    pd.testing.assert_frame_equal(found, states.astype({"regime": "str"}), check_freq=False)
    assert store.write_regimes(states, "^IXIC").rows == 0


def test_signals_of_a_session_and_version_are_replaced_as_a_whole(store):
    orders = pd.DataFrame(
        {
            "symbol": ["A", "B"], "rank": [1, 2], "side": "buy", "prediction": 0.01,
            "weight": 0.5, "shares": 10.0, "reference_price": 5.0, "notional": 50.0,
            "limit": [5.05, NAN], "stop": [4.9, NAN], "target": [5.2, NAN], "edge_bps": 100.0,
            "cost_bps": [9.5, 10.0],
        }
    )  # fmt: skip
    store.write_signals(orders, "2010-01-04", 1)
    store.write_signals(orders, "2010-01-04", 2)

    store.write_signals(orders.iloc[:1], "2010-01-04", 2)

    assert store.signals(model_version=1)["symbol"].to_list() == ["A", "B"]
    assert store.signals("2010-01-04", 2)["symbol"].to_list() == ["A"]
    assert store.signals("2010-01-05").empty
    kept = store.signals(model_version=1)[orders.columns]
    pd.testing.assert_frame_equal(kept.astype(orders.dtypes), orders, check_exact=True)


def test_outcomes_of_three_symbols_have_no_deciles_and_are_numbers_all_the_same(store):
    forecasts = pd.Series([0.01, 0.0, -0.01], ["A", "B", "C"])
    evening = {"session": "2010-01-05", "model": "1", "kind": "live", "number": 1,
               "role": "champion", "state": "traded", "trades": 0, "net_return": NAN,
               "gross_return": NAN, "net_pnl": NAN, "benchmark_return": NAN}  # fmt: skip
    store.write_outcomes(pd.DataFrame([evening | skill(forecasts, -forecasts)]))

    found = store.outcomes()

    kinds = found.drop(columns=["session", "model", "kind", "role", "state"]).dtypes
    assert set(kinds.astype("str")) == {"int64", "float64"}
    assert np.isnan(found["decile_spread"].iloc[0])
