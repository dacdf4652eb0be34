"""Chosen values at an end of the space they were searched in are named."""

from __future__ import annotations

import pytest

from pipeline.config.compose import compose
from pipeline.report.spaces import ends_of_spaces
from tests.learning import made

LEARNER = made.learner(
    name="ridge",
    initial={"alpha": 10.0, "depth": 5, "solver": "svd", "still": 1.0},
    space={
        "alpha": {"type": "float", "low": 0.1, "high": 1000.0, "log": True},
        "depth": {"type": "int", "low": 2, "high": 8},
        "solver": {"type": "categorical", "choices": ["svd", "cholesky", None]},
        "still": {"type": "float", "low": 1.0, "high": 1.0},
    },
)


@pytest.mark.parametrize(
    ("alpha", "depth", "ends"),
    [
        (10.0, 5, []),
        (0.11, 5, ["alpha low"]),
        (990.0, 8, ["alpha high", "depth high"]),
        (0.5, 2, ["depth low"]),
        (900.0, 3, ["alpha high"]),  # a hundredth of the space on its logarithmic scale
        (700.0, 7, []),
    ],
)
def test_a_value_within_a_fiftieth_of_an_end_is_named(alpha, depth, ends) -> None:
    best = {"alpha": alpha, "depth": depth, "solver": "svd", "still": 1.0}
    lines = ends_of_spaces([LEARNER], {"ridge": best})
    assert [
        f"{line.split()[2]} {'low' if 'at the low end' in line else 'high'}" for line in lines
    ] == ends


def test_the_words_that_widen_a_space_are_a_setting() -> None:
    (line,) = ends_of_spaces([LEARNER], {"ridge": {"alpha": 1000.0}})
    assert "the best alpha of ridge, 1000, lies at the high end of its space, 0.1 to 1000" in line
    key = line.rsplit(" ", 1)[1].removesuffix("=...")
    assert key == "model.learners.ridge.space.alpha.high"
    widened = compose([f"{key}=1e6", "model=ridge"])
    assert widened.model.learners["ridge"].space["alpha"].high == 1e6
