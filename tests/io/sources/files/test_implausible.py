"""What keeps every rule of a bar and still is no price of its symbol: splits, prints, money."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.calendar import sessions
from tests.io.sources.files.hand_made import files

SESSIONS = sessions("XNYS", pd.Timestamp("2024-01-02"), pd.Timestamp("2024-12-31"))[:100]
AT = 60
DAY = f"{SESSIONS[AT]:%Y-%m-%d}"


def walk(level: float = 50.0, size: int = 100, volume: float = 1e6) -> pd.DataFrame:
    """A made-up symbol: closes by a random walk of 1 % a day, the range around them, cents."""
    random = np.random.default_rng(3)
    close = level * np.exp(np.cumsum(random.normal(0, 0.01, size)))
    open_ = close * np.exp(random.normal(0, 0.004, size))
    high = np.maximum(open_, close) * (1 + random.uniform(0, 0.006, size))
    low = np.minimum(open_, close) * (1 - random.uniform(0, 0.006, size))
    prices = {"open": open_, "high": high, "low": low, "close": close}
    table = pd.DataFrame(prices).assign(volume=volume * random.uniform(0.7, 1.4, size))
    table.insert(0, "date", SESSIONS[:size].strftime("%Y-%m-%d"))
    return table


PRICES = ["open", "high", "low", "close"]


def delivery(folder: Path, table: pd.DataFrame, **how):
    table.round(6).to_csv(folder / "ABC.csv", index=False)
    return files(folder / "ABC.csv" if how.pop("alone", False) else folder, **how).bars()


def refusal(folder: Path, table: pd.DataFrame, **how) -> str:
    """Why ABC is refused whole while another symbol loads; empty where it loads."""
    walk().to_csv(folder / "XYZ.csv", index=False)
    return delivery(folder, table, **how).refused.get("ABC", "")


def left_out(folder: Path, table: pd.DataFrame, **how) -> dict[str, str]:
    walk().to_csv(folder / "XYZ.csv", index=False)
    quarantine = delivery(folder, table, **how).quarantine
    return dict(
        zip(quarantine["session"].dt.strftime("%Y-%m-%d"), quarantine["reason"], strict=True)
    )


# ---- splits ----


@pytest.mark.parametrize("ratio", [1.2, 5 / 4, 4 / 3, 1.5, 1.75, 2, 3, 10, 18, 35, 190, 1000])
@pytest.mark.parametrize("reverse", [False, True])
def test_a_step_by_a_round_ratio_of_any_size_is_refused_with_both_readings(
    tmp_path, ratio, reverse
):
    table, factor = walk(), 1 / ratio if reverse else ratio
    table.loc[AT:, PRICES] *= table.loc[AT - 1, "close"] / table.loc[AT, "open"] / factor
    table.loc[AT:, "volume"] *= factor
    why = refusal(tmp_path, table)
    assert "not applied before it, or a move" in why
    assert f"a line ABC,{DAY}," in why
    assert refusal(tmp_path, table, accept=("ABC",)) == ""
    assert refusal(tmp_path, table, accept=(f"ABC:{DAY}",)) == ""


@pytest.mark.parametrize(
    "column",
    [
        "Split Ratio",
        "split",
        "Stock Splits",
        "splitFactor",
        "split_coefficient",
        "8. split coefficient",
    ],
)
@pytest.mark.parametrize("written", ["1.25", "5:4", "5/4"])
def test_split_columns_by_all_their_names_and_forms_are_applied(tmp_path, column, written):
    table = walk()
    first = table.loc[0, "close"]
    table.loc[AT:, PRICES] /= 1.25
    table[column] = "0"
    table.loc[AT, column] = written
    bars = delivery(tmp_path, table, alone=True).bars
    assert bars["close"].iloc[0] == pytest.approx(first / 1.25, rel=1e-5)
    assert bars["close"].pct_change().abs().max() < 0.08


@pytest.mark.parametrize(("is_raw", "ratio"), [(True, 1.05), (False, 1.05), (True, 1.1)])
def test_a_stock_dividend_too_small_to_be_seen_is_decided_by_the_adjusted_close(
    tmp_path, is_raw, ratio
):
    table = walk()
    adjusted = table["close"].copy()
    if is_raw:
        table.loc[: AT - 1, PRICES] *= ratio
    first = table.loc[0, "close"]
    table = table.assign(adj_close=adjusted, split_ratio=1.0)
    table.loc[AT, "split_ratio"] = ratio
    bars = delivery(tmp_path, table, alone=True).bars
    assert bars["close"].iloc[0] == pytest.approx(first / ratio if is_raw else first, rel=1e-5)


def test_special_dividends_and_spin_offs_are_named(tmp_path):
    table = walk().assign(dividends=0.0)
    table.loc[AT, "dividends"] = 0.3 * table.loc[AT - 1, "close"]
    notes = delivery(tmp_path, table).notes
    assert any("special dividends or spin-offs" in n and f"ABC {DAY} 30 %" in n for n in notes)


# ---- prints ----


@pytest.mark.parametrize(("name", "factor"), [("high", 100), ("high", 6), ("low", 0.01)])
def test_a_high_or_low_that_nothing_comes_near_to_is_quarantined_alone(tmp_path, name, factor):
    table = walk()
    table.loc[AT, name] *= factor
    assert "more than 2.5 times" in left_out(tmp_path, table)[DAY]
    assert left_out(tmp_path, table, accept=(f"ABC:{DAY}",)) == {}
    assert left_out(tmp_path, table, accept=("ABC",)) == {}


@pytest.mark.parametrize(("length", "factor"), [(1, 2), (1, 0.07), (1, 14), (2, 130), (2, 1 / 100)])
def test_bars_of_something_else_are_quarantined_and_the_symbol_stays(tmp_path, length, factor):
    table = walk(181.0)
    days = slice(AT, AT + length - 1)
    table.loc[days, PRICES] *= factor
    table.loc[days, "volume"] *= 100
    found = left_out(tmp_path, table)
    assert sorted(found) == [f"{day:%Y-%m-%d}" for day in SESSIONS[AT : AT + length]]
    assert all(" times " in why for why in found.values())


@pytest.mark.parametrize("factor", [1.6, 3.0, 0.4])
def test_a_move_that_stays_is_no_spike(tmp_path, factor):
    table = walk()
    table.loc[AT:, PRICES] *= factor
    table.loc[AT, "volume"] *= 50
    assert left_out(tmp_path, table) == {}
    assert refusal(tmp_path, table) == ""


def test_a_move_that_is_taken_back_in_part_alone_is_no_spike(tmp_path):
    table = walk()
    table.loc[AT, [*PRICES, "volume"]] *= 3
    table.loc[AT + 1 :, PRICES] *= 1.4
    assert left_out(tmp_path, table) == {}


def test_a_wild_move_of_the_newest_session_waits_for_the_next_and_is_named(tmp_path):
    table = walk()
    table.loc[99, PRICES] *= 13
    table.loc[99, "volume"] *= 100
    walk().to_csv(tmp_path / "XYZ.csv", index=False)
    notes = delivery(tmp_path, table).notes
    newest = f"{SESSIONS[99]:%Y-%m-%d}"
    assert "no later session confirms" in left_out(tmp_path, table)[newest]
    assert any(f"newest session quarantined: ABC {newest}" in note for note in notes)


@pytest.mark.parametrize("off", [13, 1 / 15, 181])
def test_a_first_bar_of_another_company_is_quarantined_and_the_rest_is_kept(tmp_path, off):
    table = walk()
    table.loc[0, PRICES] *= off
    first = f"{SESSIONS[0]:%Y-%m-%d}"
    reason = "a first bar more than 5 times off the two after it"
    assert left_out(tmp_path, table) == {first: reason}
    assert left_out(tmp_path, table, accept=[f"ABC:{first}"]) == {}
    table.loc[1, PRICES] *= off
    assert first not in left_out(tmp_path, table), "a level of two bars is no single bar"


# ---- money ----


@pytest.mark.parametrize(
    ("level", "volume", "step", "factor"),
    [
        (73_000, 30_000, 500, 1.0),  # won
        (73_000, 900, 500, 0.93),  # hardly traded, adjusted to dividends
        (52_000, 3e6, 100, 0.87),
        (2_500, 3e6, 1, 0.91),  # yen
        (8_000, 4e5, 5, 0.97),
    ],
)
def test_prices_of_another_currency_are_found_also_where_adjustment_gave_them_cents(
    tmp_path, level, volume, step, factor
):
    table = walk(level, volume=volume)
    table[PRICES] = (table[PRICES] / step).round() * step * factor
    assert "another currency" in refusal(tmp_path, table)


@pytest.mark.parametrize(
    ("level", "volume", "step"),
    [
        (250_000, 900, 10),
        (250_000, 900, 0.01),
        (3_400, 4e6, 0.01),
        (1_200, 5e7, 0.01),
        (6_000, 3e4, 0.01),
    ],
)
def test_a_real_price_of_four_digits_and_more_is_not_lost(tmp_path, level, volume, step):
    table = walk(level, volume=volume)
    table[PRICES] = (table[PRICES] / step).round() * step
    assert refusal(tmp_path, table) == ""


# ---- rows given twice ----


@pytest.mark.parametrize(
    ("change", "bars"),
    [
        ({"volume": 1.002}, 100),  # the newest session twice, the later one after the close
        ({"close": 1.00004}, 100),  # rounded to cents in one place
        ({"close": 1.02}, 99),
        ({"volume": 1.5}, 99),
    ],
)
def test_the_newest_session_given_twice_stays_where_both_agree_else_it_is_named(
    tmp_path, change, bars
):
    table = walk()
    again = table.iloc[[-1]].copy()
    for name, factor in change.items():
        again[name] *= factor
    again["high"] *= change.get("close", 1.0)
    given = delivery(tmp_path, pd.concat([table, again]), alone=True)
    assert len(given.bars) == bars
    assert any("newest session quarantined: ABC" in n for n in given.notes) == (bars == 99)
    if bars == 100:
        newest = given.bars["volume"].iloc[-1]
        assert newest == pytest.approx(max(table["volume"].iloc[-1], again["volume"].iloc[-1]))
