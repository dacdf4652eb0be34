"""A dead edge is stopped in time, and a living one rarely: a minute of simulated lives."""

from __future__ import annotations

import math

import pytest

from tests.soak import life

pytestmark = pytest.mark.soak

WORLDS, YEARS = 400, life.EVENINGS / 252
STOPPED, FALSELY_A_YEAR = 0.8, 0.1


def test_a_dead_edge_is_stopped_within_250_sessions_and_a_living_one_once_in_ten_years() -> None:
    table = life.table(WORLDS)
    print(f"\n{table.round(3).to_string(index=False)}")
    assert table["ic"].nunique() == 4
    assert (table["stopped_within_250"] >= STOPPED).all()
    falsely = FALSELY_A_YEAR * YEARS  # of the worlds, in all of their years
    error = math.sqrt(falsely * (1.0 - falsely) / WORLDS) / YEARS
    assert (table["falsely_stopped_a_year"] <= FALSELY_A_YEAR + 2.0 * error).all()
