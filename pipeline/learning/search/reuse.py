"""What trials of one fold share, worked out by the first of them: bins, standardised inputs."""

from __future__ import annotations

from threading import Lock
from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.learning.search.binning import Bins, can_share


class Reused:
    """Of one fold; safe between threads. It travels empty: another process works it out again."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._bins: dict[int, Bins] = {}
        self._scaled: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __reduce__(self) -> tuple[type[Reused], tuple[()]]:
        return Reused, ()

    def forecasts(
        self, estimator: Any, x: np.ndarray, y: np.ndarray, inputs: np.ndarray
    ) -> np.ndarray | None:
        """What the unfitted estimator would forecast of these inputs, fitted on these rows.

        Equal to its own ``fit`` and ``predict`` to the last bit; None where nothing can be
        shared.

        Parameters
        ----------
        x, y
            The fold's newest training rows, as many as the learner wants.
        inputs
            The fold's validated rows.
        """
        if can_share(estimator):
            with self._lock:
                bins = self._bins.setdefault(len(x), Bins(x, y))
            return bins.forecasts(estimator, inputs)
        if isinstance(estimator, Pipeline) and list(estimator.named_steps) == ["scale", "learner"]:
            with self._lock:
                if len(x) not in self._scaled:
                    scale = estimator["scale"]
                    pair = scale.fit_transform(x), scale.transform(inputs)
                    for part in pair:
                        part.setflags(write=False)  # no learner may work in what others share
                    self._scaled[len(x)] = pair
            scaled, scaled_inputs = self._scaled[len(x)]
            return np.asarray(estimator["learner"].fit(scaled, y).predict(scaled_inputs))
        return None
