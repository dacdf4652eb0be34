"""Looks for the future in what is done with snapshots: the join, each refit, and the orders.

Every decision is taken twice, the second time with everything corrupted that was not known then;
what was decided must keep every bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from pipeline.audit.checks import CheckResult, combine, compare
from pipeline.learning.dataset import Dataset
from pipeline.learning.targets import market_relative
from pipeline.learning.windows import Step
from pipeline.schemas import SESSION, SYMBOL, TARGET, BarPanel

Join = Callable[[pd.DataFrame, pd.DataFrame], Dataset]
"""Snapshots and labels, as long frames, to rows that are learned from."""

Predict = Callable[[Dataset, Sequence[Step]], pd.DataFrame]
"""Out-of-sample predictions of the steps by a recipe, by (session, symbol)."""

Order = Callable[[Callable[[BarPanel], BarPanel], pd.Timestamp], pd.DataFrame]
"""Orders of a session by (session, symbol), from bars as the given function alters them."""

LARGE_MOVE = 0.5
"""Of a corrupted label, either way: an honest session has moves that are as large."""

EDGE = 0.7
"""Of a planted edge, as a part of the labels' standard deviation."""


def joined_alike(
    join: Join, snapshots: pd.DataFrame, labels: pd.DataFrame, *, seed: int
) -> CheckResult:
    """Which rows are learned from, and with what: the label's size must not decide that.

    Every snapshot keeps its features and the label of its own session and symbol; with other
    labels in the same places the same rows are there. A filter on labels, or a join that is off
    by a session, is named.

    Parameters
    ----------
    snapshots
        Features by (session, symbol).
    labels
        Column `TARGET`, fractions by (session, symbol), known after the session's close.
    """
    rows = join(snapshots, labels)
    values = labels[TARGET].to_numpy(dtype="float64", copy=True)
    known = np.isfinite(values)
    others = np.random.default_rng(seed).permutation(values[known])
    values[known] = np.where(np.arange(len(others)) % 3 == 0, LARGE_MOVE * np.sign(others), others)
    altered = labels.assign(**{TARGET: values})
    numbers = rows.features[rows.numeric]
    given = snapshots.reindex(numbers.index)[rows.numeric].astype("float32")
    due = labels[TARGET].reindex(numbers.index).to_frame()
    return combine(
        [
            compare(numbers, given),
            compare(rows.returns.astype("float64").to_frame(TARGET), due.astype("float64")),
            compare(rows.features, join(snapshots, altered).features),
        ]
    )


def predicted_alike(
    predict: Predict, dataset: Dataset, steps: Sequence[Step], gap_sessions: int
) -> CheckResult:
    """Searches, weights, slopes and fits of a walk-forward see nothing of what they predict.

    For each step the labels from its first predicted session on, and those within the gap before
    it, are corrupted: all its predictions stay. So do those of its first session with all later
    features corrupted too, which is tried on the first step. All of it is done with an edge
    planted in the labels: a recipe that has found nothing forecasts 0, whatever it sees.

    Parameters
    ----------
    predict
        Calls the recipe's own evaluation.
    dataset
        Labelled rows of all sessions of the steps.
    gap_sessions
        Sessions between what is learned from and what is predicted.
    """
    dataset = with_edge(dataset)
    original, parts = predict(dataset, steps), []
    for number, step in enumerate(steps):
        until = steps[: number + 1]
        known = dataset.sessions[dataset.sessions < step.predicted[0]]
        known = known[: max(len(known) - gap_sessions, 0)]
        again = predict(_unknown_after(dataset, known[-1], step.predicted[-1]), until)
        parts.append(compare(_at(original, step.predicted), _at(again, step.predicted)))
        if number == 0:
            again = predict(_unknown_after(dataset, known[-1], step.predicted[0]), until)
            first = step.predicted[:1]
            parts.append(compare(_at(original, first), _at(again, first)))
    return combine(parts)


def ordered_alike(order: Order, sessions: pd.DatetimeIndex, *, seed: int) -> CheckResult:
    """Orders of a session do not change when its own bars and all later ones are corrupted."""

    def parts(session: pd.Timestamp) -> CheckResult:
        def corrupted(bars: BarPanel) -> BarPanel:
            return with_corrupted_bars(bars, session, seed)

        return compare(order(lambda bars: bars, session), order(corrupted, session))

    return replace(combine(map(parts, sessions)), required=False)


def with_corrupted_bars(bars: BarPanel, since: pd.Timestamp, seed: int) -> BarPanel:
    """Bars from a session on with other prices, other moves from open to close, other volumes."""
    random = np.random.default_rng(seed)
    later = (bars.sessions >= since)[:, None]
    price, move, volume = (
        np.where(later, np.exp(random.normal(0.0, size, bars.close.shape)), 1.0)
        for size in (0.3, 0.1, 3.0)
    )
    close = bars.close * price * move
    return BarPanel(
        open=bars.open * price,
        high=(bars.high * price).where(~(close > bars.high * price), close),
        low=(bars.low * price).where(~(close < bars.low * price), close),
        close=close,
        volume=bars.volume * volume,
    )


def with_edge(dataset: Dataset) -> Dataset:
    """Labels that follow in part from the mean rank of all columns in the session."""
    ranks = dataset.features[dataset.numeric].groupby(level=SESSION).rank(pct=True)
    signal = market_relative(ranks.mean(axis=1))
    spread = float(signal.std())
    if not spread > 0.0:
        return dataset
    planted = dataset.returns + EDGE * float(dataset.returns.std()) * signal / spread
    return replace(dataset, returns=planted)


def few_symbols(dataset: Dataset, max_rows: int, seed: int) -> Dataset:
    """All sessions of so many symbols, drawn at random, as give about that many rows."""
    names = np.random.default_rng(seed).permutation(dataset.features.index.unique(SYMBOL))
    chosen = names[: max(max_rows // len(dataset.sessions), 1)]
    symbols = dataset.features.index.get_level_values(SYMBOL)
    return dataset.rows(np.flatnonzero(symbols.isin(chosen)))


def _unknown_after(dataset: Dataset, last: pd.Timestamp, features_until: pd.Timestamp) -> Dataset:
    """Labels after a session reversed and enlarged, features after another one as well."""
    sessions, numbers = dataset.row_sessions, dataset.numeric
    returns = dataset.returns.where(sessions <= last, -3.0 * dataset.returns - 0.01)
    later, features = np.asarray(sessions > features_until), dataset.features.copy()
    features.loc[later, numbers] = (-3.0 * features.loc[later, numbers] - 1.0).astype("float32")
    return replace(dataset, features=features, returns=returns)


def _at(predictions: pd.DataFrame, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    return predictions[predictions.index.get_level_values(SESSION).isin(sessions)]
