"""Doubts of a decision on the indicated open: from which error on it fails is said in words."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from pipeline.report.doubts import BY_ERROR, BY_PART, BY_YEAR, printed_doubts, sentences
from pipeline.report.text_tables import TERMINAL

METRICS = {"doubt/sharpe_fill_5bp": 1.2, "doubt/sharpe_fill_10bp": 0.7,
           "doubt/bad_opens_jump": 3.0}  # fmt: skip


@pytest.mark.parametrize(
    ("largest", "said"),
    [
        (0.0, "It passes only with indications better than 10 bp"),
        (10.0, "up to an error of 10 bp"),
        (50.0, "up to an error of 50 bp"),
        (math.nan, "at none of these errors"),
    ],
)
def test_from_which_error_on_the_gates_refuse_is_said(largest: float, said: str) -> None:
    first, worse, bad = sentences({**METRICS, "doubt/largest_error_bps": largest})
    assert said in first
    assert "10 bp worse 0.70" in worse
    assert bad.endswith("never traded: 3 jump.")


def test_every_table_fits_a_terminal() -> None:
    errors = pd.DataFrame({"error_bps": [0.0, 25.0]})
    numbers = ["rank_ic", "rank_ic_t", "gross_sharpe", "sharpe", "sharpe_5bp", "sharpe_10bp",
               "sharpe_20bp", "break_even_bps"]  # fmt: skip
    years = pd.DataFrame({"error_bps": [0.0, 0.0], "year": [2014.0, 2015.0],
                          "rank_ic": 0.05, "sharpe": 1.0, "trades": 9.0})  # fmt: skip
    parts = pd.DataFrame({"by": ["side"], "part": ["long"], "trades": [9], "net_bps": [1.0],
                          "net_pnl": [1e6], "sharpe": [1.0]})  # fmt: skip
    told = {
        BY_ERROR: errors.assign(**{**dict.fromkeys(numbers, -10.25), "rank_ic": -0.05}).assign(
            trades=10_000.0, gates="not enough evidence"
        ),
        BY_YEAR: years,
        BY_PART: parts,
    }
    text = printed_doubts(told, {**METRICS, "doubt/largest_error_bps": 25.0})
    assert [line for line in text.splitlines() if len(line) > TERMINAL] == []
    assert printed_doubts({}, {}) == ""
