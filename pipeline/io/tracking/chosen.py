"""The parameters that a retrain's search chose, kept with its run."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from typing import Any

import mlflow

from pipeline.contract import Artifacts, Parameters
from pipeline.io.tracking import run_files


def log_chosen_parameters(params: Mapping[str, Mapping[str, object]]) -> None:
    """The full parameters of each learner, to refit the recipe with."""
    run_files.log_text(json.dumps(params, indent=1), Artifacts.CHOSEN)


def chosen_parameters(run_id: str, learners: Iterable[str]) -> dict[str, dict[str, Any]]:
    """The full parameters of each learner that a retrain chose.

    A run of an older release kept them as parameters of the run alone, which MLflow writes as
    Python does.
    """
    text = run_files.read_text(run_id, Artifacts.CHOSEN)
    if text is None:
        return _of_parameters(mlflow.get_run(run_id).data.params, learners)
    chosen: dict[str, dict[str, Any]] = json.loads(text)
    return chosen


def _of_parameters(params: Mapping[str, str], learners: Iterable[str]) -> dict[str, dict[str, Any]]:
    chosen: dict[str, dict[str, Any]] = {name: {} for name in learners}
    for name, text in params.items():
        if name.startswith(Parameters.CHOSEN_ONCE):
            learner, parameter = name.removeprefix(Parameters.CHOSEN_ONCE).split(".", 1)
            chosen[learner][parameter] = _value(text)
    return chosen


def _value(text: str) -> Any:
    """A number, truth value or None as Python writes it; or a text.

    >>> [_value(text) for text in ("0.1", "31", "None", "squared_error")]
    [0.1, 31, None, 'squared_error']
    """
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text
