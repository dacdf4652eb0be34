"""The table and the figure of a search."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.learning.search.trials import Trial
from pipeline.report.search import learner_search, trials_table
from pipeline.report.search_figure import search_figure
from tests.learning import made

RIDGE = made.learner(
    name="ridge",
    initial={"alpha": 10.0, "solver": "svd", "positive": False},
    space={
        "alpha": {"type": "float", "low": 0.1, "high": 1000.0, "log": True},
        "solver": {"type": "categorical", "choices": ["svd", "cholesky", None]},
    },
)


def trial(number: int, state: str = "complete", value: float = np.nan, **changes) -> Trial:
    params = {"alpha": 0.1 * 10 ** (number % 5), "solver": "svd", "positive": False}
    return Trial(number, "ridge", params, state, value, **changes)


def texts(figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_a_figure_of_too_few_trials_says_so() -> None:
    figure = search_figure([RIDGE], [trial(0, value=0.1), trial(1, "failed")], "mae")

    assert texts(figure) == [
        "1 scored trial:\ntoo few, 10 are needed",
        *["1 scored trial: nothing to compare"] * 3,
    ]


def test_a_figure_has_history_importance_and_a_line_a_scored_trial() -> None:
    trials = [trial(n, value=0.1 + 0.01 * ((n * 7) % 12)) for n in range(12)]
    trials += [trial(12, "pruned"), trial(13, value=-np.inf)]

    figure = search_figure([RIDGE], trials, "rank_ic")

    history, importance, parallel, alpha, solver = figure.axes
    assert texts(figure) == []
    assert len(parallel.lines) == 12
    best = next(line for line in history.lines if line.get_label() == "best so far")
    assert list(best.get_ydata()) == list(np.maximum.accumulate([t.value for t in trials[:12]]))
    shares = {
        label.get_text(): bar.get_width()
        for label, bar in zip(importance.get_yticklabels(), importance.patches, strict=True)
    }
    assert set(shares) == {"alpha", "solver"}
    assert shares["alpha"] > 0.9  # the solver never changed
    (points,) = alpha.lines
    assert list(points.get_xdata()) == [t.params["alpha"] for t in trials[:12]]
    assert list(points.get_ydata()) == [t.value for t in trials[:12]]
    assert (alpha.get_xscale(), solver.get_xscale()) == ("log", "linear")


def test_one_parameter_is_drawn_as_its_slice_for_lines_across_it_would_be_points() -> None:
    space = {"alpha": {"type": "float", "low": 0.1, "high": 1000.0, "log": True}}
    learner = made.learner(name="ridge", initial={"alpha": 10.0}, space=space)
    trials = [trial(n, value=0.1 + 0.01 * n) for n in range(3)]
    *_, wide = search_figure([learner], trials, "rank_ic").axes
    assert wide.get_title() == "by alpha"
    assert list(wide.lines[0].get_ydata()) == [t.value for t in trials]


def test_a_learner_without_a_choice_is_not_drawn() -> None:
    assert search_figure([RIDGE], [trial(0, value=0.1)], "mae") is None
    other = made.learner(name="other")
    both = [trial(0, value=0.1), trial(1, value=0.2), Trial(0, "other", {}, value=0.3)]
    assert len(search_figure([RIDGE, other], both, "mae").axes) == 5


def test_the_data_of_a_learner_name_its_best_worst_first_and_leave_others_out() -> None:
    trials = [trial(0, value=0.3), trial(1, value=0.1), trial(2, value=0.2), trial(3, "pruned")]
    search = learner_search(RIDGE, [*trials, Trial(9, "other", {}, value=0.0)], "mae")
    assert search.history.numbers == [0, 1, 2]
    assert search.history.best == [0.3, 0.1, 0.1]
    assert search.history.unscored == {"pruned": [3]}
    assert search.coordinates.labels == ["alpha\n0.1 .. 1000.0", "solver\nsvd .. None"]
    # alpha 0.1, 10, 1 of 0.1 to 1000 in logs; the error falls from line to line
    assert search.coordinates.heights[:, 0] == pytest.approx([0.0, 0.5, 0.25])
    assert search.importance == {}


def test_the_table_of_trials_keeps_their_order_and_names_what_failed() -> None:
    table = trials_table([trial(0, value=0.25, seconds=1.23456), trial(1, "failed", error="no")])
    assert table["objective"].tolist()[0] == 0.25
    assert table["seconds"].tolist() == [1.235, 0.0]
    assert table["state"].tolist() == ["complete", "failed"]
    assert table["error"].tolist() == ["", "no"]
    assert table["params"][0] == "{'alpha': 0.1, 'solver': 'svd', 'positive': False}"
