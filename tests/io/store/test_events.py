"""Splits and earnings dates as tables of the store, in each database."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from pipeline.io.sources.protocol import Earnings
from tests.io.store.made_bars import delivered


def actions(**ratios: float) -> pd.DataFrame:
    """Splits by symbol, all of the first session, beside a dividend of A's."""
    rows = [(pd.Timestamp("2010-01-04"), name, ratio, None) for name, ratio in ratios.items()]
    rows.append((pd.Timestamp("2010-01-05"), "A", None, 0.25))
    table = pd.DataFrame(rows, columns=["session", "symbol", "split", "dividend"])
    return table.astype({"split": "float64", "dividend": "float64", "session": "datetime64[us]"})


def listed(store) -> list[tuple[str, str, float]]:
    rows = store.splits()
    return [(str(r.session.date()), r.symbol, r.ratio) for r in rows.itertuples()]


def test_splits_are_kept_by_session_and_symbol_and_a_dividend_is_none(store):
    bars = delivered([[1, 1, 1]], symbols="ABC")
    store.write_bars(replace(bars, actions=actions(A=2.0, B=0.1)))
    store.write_bars(replace(bars, actions=actions(B=0.1, C=1.05)))
    assert listed(store) == [
        ("2010-01-04", "A", 2.0), ("2010-01-04", "B", 0.1), ("2010-01-04", "C", 1.05),
    ]  # fmt: skip
    assert list(store.splits(symbols=["C"])["ratio"]) == [1.05]
    assert store.splits(start="2010-01-05").empty


def test_a_history_that_is_read_again_as_a_whole_replaces_its_splits(store):
    bars = delivered([[1, 1, 1]], symbols="ABC")
    store.write_bars(replace(bars, actions=actions(A=2.0, B=3.0)))
    store.write_bars(replace(bars, actions=actions(A=4.0)), replaced=["A", "B"])
    assert listed(store) == [("2010-01-04", "A", 4.0)]


def test_earnings_dates_without_numbers_are_kept_and_change_no_revision(store):
    before = store.revision()
    rows = pd.DataFrame(
        {
            "session": pd.to_datetime(["2024-08-01"]).as_unit("us"), "symbol": ["A"],
            "announced_at": ["2024-08-01T20:00:00+00:00"], "eps_estimate": [1.35],
            "eps_reported": [float("nan")], "surprise_percent": [float("nan")],
        }
    )  # fmt: skip
    store.write_earnings(Earnings(rows, {}, pd.Timestamp("2024-06-05 22:00", tz="UTC")))
    kept = store.earnings().iloc[0]
    assert (kept["symbol"], kept["eps_estimate"], kept["eps_reported"] > 0) == ("A", 1.35, False)
    assert kept["first_known"] == kept["last_known"] == "2024-06-05T22:00:00+00:00"
    assert store.revision() == before
    assert store.write_earnings(Earnings(rows[:0], {}, pd.Timestamp.now("UTC"))).rows == 0


def test_what_goes_ex_is_found_and_what_a_whole_source_no_longer_reports_is_not(store):
    bars = delivered([[1, 1, 1], [1, 1, 1]], symbols="ABC")
    given = replace(bars, actions=actions(B=2.0))
    store.write_bars(given)
    ex = store.goes_ex(symbols=["B", "A"])
    assert ex.columns.to_list() == ["A", "B"]
    assert ex.to_numpy().tolist() == [[False, True], [True, False]]
    before = store.revision()
    store.write_bars(given)
    store.withdraw_actions(given)
    assert store.revision() == before
    store.withdraw_actions(replace(bars, actions=actions()))
    assert store.goes_ex().to_dict("list") == {"A": [False, True]}
    assert store.revision() != before
    assert store.faults(deep=True) == []
