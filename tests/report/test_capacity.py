"""The sentence and the figure of a capacity."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from pipeline.report.capacity import capacity_figure, capacity_sentence
from pipeline.report.numbers import MINUS

CURVE = pd.DataFrame(
    {
        "bankroll": [1e5, 1e6, 1e7],
        "total_return": [0.1, 0.06, 0.01],
        "sharpe": [1.0, 0.7, 0.2],
        "gross_sharpe": [1.5, 1.4, 1.3],
        "charged_bps": [26.3, 37.0, 51.0],
        "break_even_bps": [-3.0, 23.0, 22.0],
    }
)


@pytest.mark.parametrize(
    ("capacity", "words"),
    [
        (math.nan, "Capacity unknown: nothing is traded"),
        (
            0.0,
            (
                "No capacity: where orders move prices, 100,000 pays 26 bp a round trip and breaks "
                f"even at {MINUS}3"
            ),
        ),
        (
            3e5,
            "Capacity 300,000: up to there 50% or more of the smallest bankroll's return is left",
        ),
    ],
)
def test_a_capacity_is_told_in_words(capacity: float, words: str) -> None:
    assert capacity_sentence(capacity, CURVE) == words


@pytest.mark.parametrize(("capacity", "marks"), [(1e6, 1), (0.0, 0), (math.nan, 0)])
def test_the_figure_marks_a_capacity_where_there_is_one(capacity: float, marks: int) -> None:
    figure = capacity_figure(CURVE, capacity)
    returns, sharpes = figure.axes
    assert list(returns.lines[0].get_xdata()) == [1e5, 1e6, 1e7]
    assert list(returns.lines[0].get_ydata()) == [0.1, 0.06, 0.01]
    assert list(sharpes.lines[1].get_ydata()) == [1.5, 1.4, 1.3]
    assert len(returns.lines) == 1 + 1 + marks
    assert figure.get_suptitle() == capacity_sentence(capacity, CURVE)
    assert returns.yaxis.get_major_formatter()(0.06, 0) == "6%"
    assert sharpes.xaxis.get_major_formatter()(1e6, 0) == "1,000,000"
