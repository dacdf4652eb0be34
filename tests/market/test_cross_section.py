from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pipeline.market.cross_section import (
    centred_ranks,
    peers_mean,
    ranks,
    sector_relative,
    universe_mean,
)

NAN = np.nan
GROUPS = np.array([0, 1, 0, -1, 0, 1, 2, -1])
panels = arrays(
    np.float64,
    st.tuples(st.integers(1, 6), st.just(len(GROUPS))),
    elements=st.floats(-1, 1, allow_subnormal=False) | st.just(NAN),
)


def test_the_universe_mean_leaves_missing_symbols_out() -> None:
    values = np.array([[1.0, NAN, 5.0], [NAN, NAN, NAN]])

    np.testing.assert_array_equal(universe_mean(values), [3.0, NAN])


def test_the_unknown_are_one_group_and_so_is_everybody_without_sectors() -> None:
    values = np.array([[1.0, 3.0, 5.0, 9.0]])

    known_and_not = sector_relative(values, np.array([0, 0, -1, -1]))
    none_known = sector_relative(values, np.full(4, -1))

    np.testing.assert_allclose(known_and_not, [[-2, 2, -4, 4]])
    np.testing.assert_allclose(none_known, [[1 - 17 / 3, 3 - 5, 5 - 13 / 3, 9 - 3]])


def test_values_apart_by_rounding_alone_share_their_rank() -> None:
    values = np.array([[0.1 + 0.2, 0.3, -0.0, 0.0, np.inf, -np.inf]])

    np.testing.assert_allclose(ranks(values) * 6, [[4.5, 4.5, 2.5, 2.5, 6, 1]])


def test_more_symbols_than_can_be_ranked_are_refused() -> None:
    with pytest.raises(ValueError, match="at most 65536"):
        ranks(np.zeros((1, 65537)))


@given(values=panels)
@settings(max_examples=50)
def test_ranks_are_those_of_pandas(values) -> None:
    coarse = values.round(3)

    expected = pd.DataFrame(coarse).rank(axis=1, pct=True).to_numpy()

    np.testing.assert_array_equal(ranks(coarse), expected)


def test_ranks_are_fractions_of_the_symbols_present_and_ties_share_theirs() -> None:
    values = np.array([[10.0, 30.0, NAN, 20.0], [1.0, 1.0, NAN, NAN]])

    expected = [[1 / 3, 1, NAN, 2 / 3], [0.75, 0.75, NAN, NAN]]
    np.testing.assert_allclose(ranks(values), expected)


def test_centred_ranks_lie_around_0_whatever_is_missing_or_tied() -> None:
    values = np.array(
        [[10.0, 30.0, NAN, 20.0], [1.0, 1.0, NAN, 2.0], [NAN, 7.0, NAN, NAN], [NAN] * 4]
    )

    expected = [
        [-1 / 3, 1 / 3, NAN, 0], [-1 / 6, -1 / 6, NAN, 1 / 3], [NAN, 0, NAN, NAN], [NAN] * 4,
    ]  # fmt: skip
    np.testing.assert_allclose(centred_ranks(values), expected, atol=1e-15)


@given(values=panels)
@settings(max_examples=50)
def test_centred_ranks_turn_their_sign_with_the_values(values) -> None:
    np.testing.assert_allclose(centred_ranks(-values), -centred_ranks(values), atol=1e-15)


def test_peers_are_the_other_symbols_of_the_group() -> None:
    values = np.array([[1.0, 2.0, 3.0, 4.0, 8.0, NAN, 7.0, 5.0]])

    # Group 0 holds 1, 3, 8; group 1 holds 2 and a missing value; 7 is alone; 4 and 5 have no group.
    expected = [[5.5, NAN, 4.5, NAN, 2.0, 2.0, NAN, NAN]]
    np.testing.assert_allclose(peers_mean(values, GROUPS), expected)


def test_no_symbols_have_no_peers() -> None:
    assert peers_mean(np.empty((3, 0)), np.empty(0, int)).shape == (3, 0)


@pytest.mark.parametrize(
    "reduction", [universe_mean, ranks, centred_ranks, lambda values: peers_mean(values, GROUPS)]
)
@given(values=panels)
@settings(max_examples=30, deadline=None)
def test_a_session_has_the_same_bits_alone_as_among_others(reduction, values) -> None:
    together = reduction(values)

    for k in range(len(values)):
        np.testing.assert_array_equal(reduction(values[k : k + 1])[0], together[k])


def test_a_listed_symbol_without_values_moves_no_bit_of_the_others() -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(0, 0.02, (40, 300))
    groups = rng.integers(0, 7, 300)
    wider = np.insert(values, [3, 150, 299], np.nan, axis=1)
    wider_groups = np.insert(groups, [3, 150, 299], [0, 1, 2])
    kept = ~np.isnan(wider[0])

    assert (universe_mean(wider) == universe_mean(values)).all()
    assert (ranks(wider)[:, kept] == ranks(values)).all()
    peers = peers_mean(values, groups)
    np.testing.assert_array_equal(peers_mean(wider, wider_groups)[:, kept], peers)


def test_what_is_too_large_for_a_ratio_is_not_summed() -> None:
    with pytest.raises(ValueError, match="not a ratio"):
        universe_mean(np.array([[1e7]]))
