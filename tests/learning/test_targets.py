from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning import targets
from pipeline.learning.dataset import Dataset
from pipeline.learning.targets import market_relative, session_ranks
from tests.learning import made
from tests.learning.rows import by_session


def of(returns: pd.Series, **features: list) -> Dataset:
    return Dataset(pd.DataFrame({"x": 0.0, **features}, index=returns.index), returns)


def test_relative_returns_lose_the_mean_of_their_own_session():
    returns = by_session([0.01, 0.03], [-0.02, 0.0, 0.02])

    relative = market_relative(returns)

    np.testing.assert_allclose(relative, [-0.01, 0.01, -0.02, 0.0, 0.02], atol=1e-15)


def test_winsorising_clips_at_pooled_quantiles_after_the_market_is_taken_out():
    returns = by_session([1.0, 2.0, 3.0, 4.0, 10.0], [101.0, 102.0, 103.0, 104.0, 110.0])

    treated = made.target(winsorise=0.25).treated(of(returns))

    # relative values -3 -2 -1 0 6, twice: quartiles -2 and 0
    assert list(treated) == [-2, -2, -1, 0, 0] * 2
    assert list(made.target(winsorise=0.25).scored(returns)) == [-3, -2, -1, 0, 6] * 2


def test_sector_relative_returns_lose_the_mean_of_their_sector():
    returns = by_session([1.0, 3.0, 10.0], [0.0, 2.0, 7.0])
    dataset = of(returns, sector=["A", "A", "B"] * 2)

    treated = made.target(winsorise=0.0, relative="sector").treated(dataset)

    np.testing.assert_allclose(treated, [-1, 1, 0] * 2, atol=1e-12)


def test_what_a_beta_explains_of_a_session_is_taken_out():
    # 0.5 + 2 beta, and a rest that neither a constant nor the beta explains
    returns = by_session([0.5 - 2 + 1, 0.5 - 2, 0.5 + 2 - 1, 0.5 + 4], [1.0, 2.0, 3.0, 4.0])
    beta = [-1.0, 0.0, 1.0, 2.0]
    dataset = of(returns, beta=beta * 2)

    treated = made.target(winsorise=0.0, neutralise=("beta",)).treated(dataset).to_numpy()

    assert abs(treated[:4] @ beta) < 1e-12
    assert abs(treated[:4].sum()) < 1e-12
    np.testing.assert_allclose(treated[4:], 0, atol=1e-12)  # a straight line in beta
    assert np.abs(treated[:4]).max() > 0.1


def test_an_unknown_beta_counts_as_the_mean_of_its_session():
    returns = by_session([1.0, 2.0, 3.0])

    treated = made.target(winsorise=0.0, neutralise=("beta",)).treated(
        of(returns, beta=[0, np.nan, 2])
    )

    np.testing.assert_allclose(treated, 0, atol=1e-12)


def test_ranks_are_centred_and_ties_share_their_place():
    ranks = session_ranks(by_session([0.5, -0.1, 0.2, 0.2], [3.0, 4.0]))

    np.testing.assert_allclose(ranks, [0.375, -0.375, 0, 0, -0.25, 0.25])


def test_the_unit_of_a_rank_is_a_return():
    returns = by_session([-0.03, -0.01, 0.01, 0.03])
    target = made.target(ranked=True)

    treated = target.treated(of(returns))

    np.testing.assert_allclose(treated, [-0.375, -0.125, 0.125, 0.375])
    assert target.unit(of(returns)) == pytest.approx(0.02 / 0.25)
    assert made.target().unit(of(returns)) == 1.0


@given(st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_ranked_targets_of_a_session_do_not_depend_on_other_sessions(kept, seed):
    random = np.random.default_rng(seed)
    returns = by_session(*random.normal(size=(5, 12)).tolist())
    dataset = of(returns, beta=random.normal(size=60), sector=list("ABC") * 20)
    target = made.target(relative="sector", neutralise=("beta",), ranked=True)

    together = target.treated(dataset).iloc[: 12 * kept]
    alone = target.treated(dataset.rows(np.arange(12 * kept)))

    pd.testing.assert_series_equal(together, alone)


def test_what_no_column_is_there_for_stays_in_the_target():
    returns = by_session([0.03, -0.01, 0.02], [0.01, 0.0, -0.02])
    target = made.target(winsorise=0.0, neutralise=("beta",))

    assert target.missing(["other"]) == ["beta"]
    pd.testing.assert_series_equal(
        target.treated(of(returns, other=[1.0, 5.0, 2.0] * 2)), market_relative(returns)
    )


@given(st.floats(0.01, 0.4), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_what_a_row_is_scored_on_does_not_depend_on_other_sessions(winsorise, kept, seed):
    returns = by_session(*np.random.default_rng(seed).normal(size=(5, 6)).tolist())
    target = made.target(winsorise=winsorise)

    together = target.scored(returns).iloc[: 6 * kept]
    alone = target.scored(returns.iloc[: 6 * kept])

    pd.testing.assert_series_equal(together, alone)
    low, high = target.treated(of(returns)).agg(["min", "max"])
    assert (low, high) == tuple(target.scored(returns).quantile([winsorise, 1 - winsorise]))


def test_only_one_function_takes_a_sessions_mean_away() -> None:
    rooms = Path(targets.__file__).parents[1]
    again = [
        str(module.relative_to(rooms))
        for module in sorted(rooms.rglob("*.py"))
        if re.search(r'groupby\(level=\w+\)\s*\.transform\("mean"\)', module.read_text())
    ]
    assert again == ["learning/targets.py"]
