"""The picture of a search.

It has for each learner: history of the objective, importance of the parameters, parallel
coordinates, and below them the slices, the objective over each parameter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.learning.learner import Learner
from pipeline.learning.search.trials import Trial
from pipeline.report.numbers import count
from pipeline.report.search import MIN_TRIALS_FOR_IMPORTANCE, LearnerSearch, Slice, learner_search

MAX_LABELS_IN_A_ROW = 4

NO_DECADES = 100
"""Ratio of the ends below which a logarithmic axis has too few powers of ten to be read by."""

STATE_COLOURS = {"pruned": "tab:gray", "failed": "tab:red"}


def search_figure(learners: Sequence[Learner], trials: Sequence[Trial], objective: str) -> Any:
    """A row for each learner that had a choice, and one below it of its slices.

    With one parameter its slice stands in the place of the parallel coordinates.

    Parameters
    ----------
    learners
        Those with one trial are left out: nothing was chosen.
    trials, objective
        As for ``learner_search``.

    Returns
    -------
    matplotlib.figure.Figure or None
        None where no learner had a choice.
    """
    from matplotlib.figure import Figure  # slow to import, and the table does not need it
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    searches = [
        learner_search(learner, trials, objective)
        for learner in learners
        if sum(trial.learner == learner.name for trial in trials) > 1
    ]
    if not searches:
        return None
    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.12)  # inches
    count_of_rows = sum(1 if len(search.slices) == 1 else 2 for search in searches)
    figure = Figure(figsize=(16, 3.6 * count_of_rows), layout=layout)
    rows, row = figure.add_gridspec(count_of_rows, 1), 0
    for search in searches:
        history, importance, wide = _side_by_side(figure, rows[row], [2, 1, 3])
        _draw_history(history, search)
        _draw_importance(importance, search)
        if len(search.slices) == 1:
            _draw_slice(wide, search, search.slices[0])
            row += 1
            continue
        _draw_coordinates(wide, search)
        below = _side_by_side(figure, rows[row + 1], [1] * len(search.slices))
        for axes, each in zip(below, search.slices, strict=True):
            _draw_slice(axes, search, each)
            axes.sharey(below[0])
            axes.tick_params(labelleft=axes is below[0])
        row += 2
    return figure


def _side_by_side(figure: Any, row: Any, widths: list[int]) -> list[Any]:
    """Axes in a row of a grid."""
    places = row.subgridspec(1, len(widths), width_ratios=widths)
    return [figure.add_subplot(places[0, place]) for place in range(len(widths))]


def _draw_slice(axes: Any, search: LearnerSearch, each: Slice) -> None:
    axes.set_title(f"by {each.parameter}", fontsize="medium")
    if search.scored < 2:
        _write(axes, f"{count(search.scored, 'scored trial')}: nothing to compare")
        return
    axes.plot(each.values, each.objectives, "o", color="tab:blue", alpha=0.6)
    if each.is_log:
        axes.set_xscale("log")
        ends = min(each.values), max(each.values)
        if ends[1] < NO_DECADES * ends[0]:
            axes.set_xticks(ends, [f"{end:.4g}" for end in ends])
            axes.minorticks_off()


def _draw_history(axes: Any, search: LearnerSearch) -> None:
    numbers, values, best, unscored = search.history
    axes.plot(numbers, values, "o", color="tab:blue", label="complete")
    axes.step(numbers, best, where="post", color="tab:orange", label="best so far")
    for state, stopped in unscored.items():
        foot = axes.get_xaxis_transform()  # at the foot: they have no value, so no height
        colour, heights = STATE_COLOURS[state], [0.02] * len(stopped)
        axes.plot(stopped, heights, "x", color=colour, label=state, transform=foot)
    axes.set(title=f"{search.learner}: {search.objective} by trial", xlabel="trial")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize="small")


def _draw_importance(axes: Any, search: LearnerSearch) -> None:
    axes.set_title("importance")
    if search.scored < MIN_TRIALS_FOR_IMPORTANCE:
        scored = count(search.scored, "scored trial")
        _write(axes, f"{scored}:\ntoo few, {MIN_TRIALS_FOR_IMPORTANCE} are needed")
        return
    names = list(search.importance)[::-1]
    axes.barh(names, [search.importance[name] for name in names], color="tab:blue")


def _draw_coordinates(axes: Any, search: LearnerSearch) -> None:
    axes.set_title(f"parameters by {search.objective}: the darker, the better")
    if search.scored < 2:
        _write(axes, f"{count(search.scored, 'scored trial')}: nothing to compare")
        return
    labels, heights = search.coordinates
    for rank, line in enumerate(heights):
        axes.plot(line, color="tab:blue", alpha=0.1 + 0.9 * rank / (len(heights) - 1))
    axes.set_xticks(range(len(labels)), _staggered(labels), fontsize="small")
    axes.grid(axis="x", color="lightgray")
    axes.set_yticks([0, 1], ["low", "high"])


def _staggered(labels: list[str]) -> list[str]:
    """Every other label lower where names could run into each other."""
    lower = "\n\n" if len(labels) > MAX_LABELS_IN_A_ROW else ""
    return [lower * (place % 2) + text for place, text in enumerate(labels)]


def _write(axes: Any, text: str) -> None:
    axes.text(0.5, 0.5, text, ha="center", va="center", transform=axes.transAxes)
    axes.set_axis_off()
