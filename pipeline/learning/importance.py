"""What a feature is worth to the order of the symbols: what is lost when its values are shuffled.

Source: Breiman (2001), "Random forests", Machine Learning 45, with the rank IC as the score. Values
are shuffled between the symbols of a session, so that each session keeps the values it had: what
all its symbols share costs nothing. Of features that say the same, each is worth little alone.
"""

from __future__ import annotations

from collections.abc import Container

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.learning.contributions import sources
from pipeline.learning.dataset import Dataset, model_inputs
from pipeline.learning.drivers import Importance
from pipeline.learning.metrics import rank_ic
from pipeline.learning.threads import single_threaded
from pipeline.stats.inference import newey_west_t


def permutation_importance(
    pipeline: Pipeline, held_out: Dataset, *, seed: int, features: Container[str] | None = None
) -> list[Importance]:
    """Worth of features on rows that the model did not learn from, the largest first.

    Parameters
    ----------
    pipeline
        Of ``learning.models.assemble``, fitted on earlier sessions.
    held_out
        Its returns are known once its last session has closed.
    seed
        Of the shuffle, which is the same for every feature.
    features
        Those that are measured; each needs the forecasts again. None: all.

    Returns
    -------
    list
        Empty where the forecasts do not vary between the symbols of any session.
    """
    preparation, ensemble = pipeline["preparation"], pipeline["ensemble"]
    index, shuffled = held_out.features.index, _shuffled_rows(held_out, seed)
    with single_threaded():
        prepared = preparation.transform(model_inputs(held_out.features))

        def session_ic(values: np.ndarray) -> pd.Series:
            return rank_ic(held_out.returns, pd.Series(ensemble.predict(values), index))

        whole, columns = session_ic(prepared), np.array(sources(preparation))
        if whole.isna().all():
            return []
        losses = []
        for feature in dict.fromkeys(columns.tolist()):
            if features is not None and feature not in features:
                continue
            is_of_it = columns == feature
            values = prepared[:, is_of_it]
            prepared[:, is_of_it] = values[shuffled]
            lost = (whole - session_ic(prepared)).dropna()
            prepared[:, is_of_it] = values
            losses.append(Importance(feature, float(lost.mean()), newey_west_t(lost)))
    return sorted(losses, key=lambda one: -one.rank_ic_lost)


def _shuffled_rows(rows: Dataset, seed: int) -> np.ndarray:
    """Position of the row that each one takes its value from, one of the same session."""
    drawn = np.random.default_rng(seed).random(len(rows.returns))
    return np.lexsort((drawn, rows.session_codes))
