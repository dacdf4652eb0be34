"""The figure and the printed table of a sweep."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.report.sweep import csv_table, luck_sentence, printed_sweep, sweep_figure
from pipeline.report.text_tables import TERMINAL


def table(*lengths: int) -> tuple[pd.DataFrame, dict[str, list[Any]]]:
    """A made-up sweep over keys k0, k1, ...; its first setting did not trade."""
    grid = {f"k{place}": list(range(count)) for place, count in enumerate(lengths)}
    values = np.arange(float(np.prod(lengths)))
    values[0] = np.nan
    return pd.DataFrame({"sharpe": values, "annualized_return": values / 100.0}), grid


def texts(axes: Any) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_two_keys_make_one_map_of_each_measure() -> None:
    first, second = sweep_figure(*table(2, 3)).axes
    assert texts(first) == ["no trades", "1.00", "2.00", "3.00", "4.00", "5.00"]
    assert texts(second)[1:] == ["1.0%", "2.0%", "3.0%", "4.0%", "5.0%"]
    assert (first.get_xlabel(), first.get_ylabel()) == ("k1", "k0")


def test_three_keys_make_a_map_for_each_value_of_the_first() -> None:
    axes = sweep_figure(*table(4, 2, 3)).axes
    assert len(axes) == 8
    assert texts(axes[3]) == ["18.00", "19.00", "20.00", "21.00", "22.00", "23.00"]
    assert axes[3].get_title().endswith("k0 3")


@pytest.mark.parametrize(("lengths", "drawn"), [((5,), 1), ((2, 2, 2, 2), 4)])
def test_one_key_or_many_make_lines(lengths: tuple[int, ...], drawn: int) -> None:
    axes = sweep_figure(*table(*lengths)).axes
    assert len(axes) == 2 * drawn
    assert {a.get_xlabel() for a in axes} == {f"k{place}" for place in range(drawn)}


def test_a_key_with_one_value_is_no_axis() -> None:
    assert len(sweep_figure(*table(3, 1, 2)).axes) == 2


def settings() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "sides": ["long", "short", None, "both"],
            "sharpe": [np.nan, 0.5, 1.25, np.nan],
            "annualized_return": [0.0, 0.01, 0.02, 0.0],
            "max_drawdown": [0.0, 0.1, 0.2, 0.0],
            "trades": [0.0, 10.0, 20.0, 1.0],
            "break_even_bps": [np.nan, 5.0, 7.5, 1.0],
        }
    )


def test_the_printed_table_is_best_first_and_says_why_a_value_is_undefined() -> None:
    lines = printed_sweep(settings(), {"sides": ["long", "short", None, "both"]}).splitlines()
    assert [line.split()[0] for line in lines] == ["sides", "none", "short", "long", "both"]
    assert lines[1].split() == ["none", "1.25", "2.00%", "20.00%", "20", "7.5"]
    assert lines[3].count("\N{EN DASH} (no trades)") == 2
    assert "\N{EN DASH} (returns do not vary)" in lines[4]
    assert "nan" not in "".join(lines).lower()


def test_the_printed_table_ends_where_it_gets_long_and_says_so() -> None:
    lines = printed_sweep(settings(), {"sides": []}, max_rows=1).splitlines()
    assert len(lines) == 3
    assert lines[2] == "... and 3 more in backtest/sweep.csv"


def test_lists_and_mappings_are_text_in_the_table_that_is_kept() -> None:
    mixed = pd.DataFrame({"cap": [{"RANGING": 1}, None], "sharpe": [1.0, 2.0]})
    kept = csv_table(mixed)
    assert kept["cap"].tolist() == ["{'RANGING': 1}", "none"]
    assert kept["sharpe"].tolist() == [1.0, 2.0]


MONTH = pd.bdate_range("2024-03-01", periods=21)


def test_the_best_of_several_never_stands_bare() -> None:
    said = luck_sentence(12, 8.3, 0.41, MONTH)
    assert "Sharpe 8.30 over 21 sessions (standard error about 3.5)" in said
    assert "deflated 0.410" in said
    few = " ".join(luck_sentence(36, 8.3, float("nan"), MONTH).split())
    assert few.endswith("how much of it is luck cannot be said with fewer than 40 sessions.")
    many = luck_sentence(36, 8.3, float("nan"), pd.bdate_range("2024-03-01", periods=60))
    assert "fewer than two traded" in " ".join(many.split())
    assert "nothing was traded" in luck_sentence(2, float("nan"), float("nan"), MONTH)


def test_few_sessions_are_ranked_by_the_whole_return_and_not_a_years() -> None:
    row = {"k": 1, "sharpe": 1.0, "annualized_return": 0.9, "total_return": 0.05,
           "max_drawdown": 0.1, "trades": 5.0, "break_even_bps": 3.0}  # fmt: skip
    few, many = (pd.DataFrame([{**row, "sessions": n}]) for n in (21, 60))
    assert "return" in printed_sweep(few, {"k": [1]})
    assert "a year" not in printed_sweep(few, {"k": [1]})
    assert "a year" in printed_sweep(many, {"k": [1]})


def test_the_printed_table_of_the_shipped_sweep_fits_a_terminal() -> None:
    keys = ("backtest.bankroll", "strategy.max_positions", "strategy.slippage_bps")
    figures = {"sharpe": -12.34, "total_return": -0.1234, "max_drawdown": 0.1234, "sessions": 9,
               "trades": 10_000.0, "break_even_bps": 1234.5}  # fmt: skip
    row = dict.fromkeys(keys, 1_000_000) | figures
    lines = printed_sweep(pd.DataFrame([row]), {key: [1_000_000] for key in keys}).splitlines()
    assert max(map(len, lines)) <= TERMINAL


def test_a_market_that_trades_every_day_has_a_longer_year() -> None:
    days = pd.date_range("2024-03-01", periods=21)
    assert "standard error about 4.2" in luck_sentence(12, 8.3, 0.41, days)
