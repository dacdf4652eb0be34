"""Looks for skill where none can be: permuted, shifted, reversed and mixed-up rows.

Skill is the mean over sessions of the rank IC. It is too good to be true beyond a bound that no
honest daily forecast reaches, with a t-statistic beyond another one. A check passes only where the
data exclude a mean at the bound; what lies between is not enough evidence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from pipeline.audit.alterations import permuted, shifted, with_other_symbols
from pipeline.audit.checks import NO_ROW, Check, CheckResult, leaks_at
from pipeline.audit.single import Bounds, attributes, formatted, single_features, skill
from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import rank_ic
from pipeline.learning.windows import Step
from pipeline.schemas import SESSION
from pipeline.stats.inference import newey_west_t

Forecast = Callable[[Dataset, Dataset], pd.Series]
"""Fits a recipe on the first and forecasts the rows of the second."""

FORECAST = "forecast"
"""Column of a leak that is no single feature's."""

NULL_BAND = 4.0
"""Standard deviations of the null band; chance leaves it in one of 16,000 audits."""

REVERSED_T = -4.0
"""t of honest minus reversed ICs below which training on the future helps."""


@dataclass(frozen=True)
class AuditedRecipe:
    """A recipe under audit: what it learns from, and what it is measured on.

    Attributes
    ----------
    dataset
        Rows of both windows.
    """

    forecast: Forecast
    dataset: Dataset
    windows: Step
    bounds: Bounds
    seed: int

    @cached_property
    def original(self) -> pd.Series:
        """Forecasts of the holdout from the unaltered dataset."""
        data, windows = self.dataset, self.windows
        return self.forecast(data.at(windows.development), data.at(windows.predicted))

    @cached_property
    def original_ics(self) -> pd.Series:
        """Rank ICs of the unaltered dataset."""
        return rank_ic(self.dataset.at(self.windows.predicted).returns, self.original)

    def ics(self, dataset: Dataset) -> pd.Series:
        """Rank IC of each session of the holdout, forecast from development."""
        train, test = dataset.at(self.windows.development), dataset.at(self.windows.predicted)
        return rank_ic(test.returns, self.forecast(train, test))


def skill_checks(
    everything: Dataset, recipe: AuditedRecipe, *, permutations: int, gap_sessions: int
) -> dict[str, Check]:
    """Whether there is skill where none can be.

    Parameters
    ----------
    everything
        The rows of the recipe with all features of the set, also those the recipe leaves out.
    permutations
        Fits on permuted labels.
    gap_sessions
        Sessions between training and what is forecast, for the check that reverses time.
    """
    return {
        "single_features": lambda: single_features(everything, recipe.bounds),
        "attributes": lambda: attributes(everything),
        "permuted_labels": lambda: permuted_labels(recipe, permutations),
        "shifted_labels": lambda: shifted_labels(recipe),
        "reversed_time": lambda: reversed_time(recipe, gap_sessions=gap_sessions),
        "shuffled_symbols": lambda: shuffled_symbols(recipe),
    }


def permuted_labels(recipe: AuditedRecipe, repetitions: int) -> CheckResult:
    """Labels permuted among the symbols of each session, in both windows: skill must vanish.

    The IC of permuted labels has mean 0 and variance 1 / (symbols - 1), whatever the forecasts
    (Kendall, 1948, Rank Correlation Methods), and sessions are independent: the band of their
    mean is known beforehand. Where it is as wide as the bound, the data are too few.
    """
    random = np.random.default_rng(recipe.seed)
    dataset = recipe.dataset
    parts = [recipe.ics(permuted(dataset, random)) for _ in range(repetitions)]
    ics: pd.Series = pd.concat(parts).dropna()
    symbols = dataset.returns.groupby(level=SESSION).size().reindex(ics.index)
    mean = float(ics.mean())
    band = NULL_BAND * float(np.sqrt((1 / (symbols - 1)).sum())) / max(len(ics), 1)
    real = float(recipe.original_ics.mean())
    return _result(
        leak=abs(mean) > band,
        sufficient=len(ics) > 0 and band < recipe.bounds.ic,
        sessions=len(ics),
        measured=mean,
        expected=f"0 ± {band:.4f}",
        summary=(
            f"IC {formatted(mean, '+.4f')} over {repetitions} fits, null band ±{band:.4f}; "
            f"real {formatted(real, '+.4f')}"
        ),
        metrics={"ic": mean, "band": band, "real_ic": real},
    )


def shifted_labels(recipe: AuditedRecipe) -> CheckResult:
    """Where knowledge ends: the label of t-1 is known before t opens, that of t is not.

    Skill at t's own label must not stand out from skill at that of the session after, fitted in
    the same way. That such an edge would be seen is shown where there is one: between t and t-1.
    """
    after, before = (recipe.ics(shifted(recipe.dataset, by)) for by in (-1, 1))
    edge, known = skill(recipe.original_ics - after, recipe.bounds), skill(before, recipe.bounds)
    return _result(
        leak=edge.too_good,
        sufficient=edge.modest and known.too_good,
        sessions=edge.sessions,
        measured=edge.mean,
        expected=str(recipe.bounds),
        summary=f"IC at t's label less that at t+1's {edge}; at t-1's, which is known, {known}",
        metrics={"ic": edge.mean, "next_ic": float(after.mean()), "known_ic": known.mean},
    )


def reversed_time(recipe: AuditedRecipe, *, gap_sessions: int) -> CheckResult:
    """The middle third of the sessions, forecast from the third before and from the one after.

    A leak where both are too good to be true (what knows the label has no direction), and where
    the reversed one is and the honest one is significantly worse. Less than that is information:
    slow features of later sessions do look back on the middle third.
    """
    sessions, data = recipe.dataset.sessions, recipe.dataset
    third = len(sessions) // 3
    middle = data.at(sessions[third : len(sessions) - third])
    earlier = data.at(sessions[: max(third - gap_sessions, 0)])
    later = data.at(sessions[len(sessions) - third + gap_sessions :])
    honest, reversed_ics = (
        rank_ic(middle.returns, recipe.forecast(train, middle)) for train in (earlier, later)
    )
    forward, backward = skill(honest, recipe.bounds), skill(reversed_ics, recipe.bounds)
    paired_t = newey_west_t(honest - reversed_ics)
    result = _result(
        leak=backward.too_good and (forward.too_good or paired_t < REVERSED_T),
        sufficient=backward.modest,
        sessions=backward.sessions,
        measured=backward.mean,
        expected=str(recipe.bounds),
        summary=(
            f"IC {forward} from earlier sessions, {backward} from later ones, "
            f"paired t {formatted(paired_t, '.1f')}"
        ),
        metrics={"ic": backward.mean, "honest_ic": forward.mean, "paired_t": paired_t},
    )
    return replace(result, required=False)


def shuffled_symbols(recipe: AuditedRecipe) -> CheckResult:
    """Every label joined to the features of one other symbol: skill must vanish."""
    altered = with_other_symbols(recipe.dataset, recipe.seed)
    remaining = skill(recipe.ics(altered), recipe.bounds)
    return _result(
        leak=remaining.too_good,
        sufficient=remaining.modest,
        sessions=remaining.sessions,
        measured=remaining.mean,
        expected=str(recipe.bounds),
        summary=f"IC {remaining}",
        metrics={"ic": remaining.mean},
    )


def _result(
    *,
    leak: bool,
    sufficient: bool,
    sessions: int,
    measured: float,
    expected: str,
    summary: str,
    metrics: Mapping[str, float],
) -> CheckResult:
    if not leak:
        return CheckResult(sessions, sufficient=bool(sufficient), summary=summary, metrics=metrics)
    result = leaks_at(FORECAST, NO_ROW, [f"IC {measured:+.4f}"], [expected])
    return replace(result, checked=sessions, summary=summary, metrics=metrics)
