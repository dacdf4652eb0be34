"""What single columns know of the label: bounds that no honest one reaches."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from pipeline.audit.checks import CheckResult, combine, leaks_at
from pipeline.learning.dataset import Dataset
from pipeline.learning.metrics import rank_ic
from pipeline.learning.targets import market_relative
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t

EXCLUDED = 1.645
"""Standard errors beyond a mean above which others are excluded: one-sided, 95 %."""

OVER_TIME_IC = 0.5
"""Bound of a column that is equal for all symbols: it has one pair a session, not hundreds."""

SESSION_IC, SESSION_SYMBOLS = 0.9, 30
"""IC of a single session of so many symbols that no honest column has: beta has 0.7 in a crash."""

SESSION_BOUND = f"at most {SESSION_IC:g} either way in a session"

ATTRIBUTE_T = 4.0
"""Of the drift of a group of symbols beyond the session's mean; by chance one group in 16,000,
and 2.6 the most of real sectors in 54 windows of 185 sessions."""

ATTRIBUTE_BOUND = f"t at most {ATTRIBUTE_T:g} either way"


@dataclass(frozen=True)
class Bounds:
    """From where on a mean rank IC over sessions, and its Newey-West t, are too good to be true."""

    ic: float
    t: float

    def __str__(self) -> str:
        return f"mean at most {self.ic:g}, or t at most {self.t:g}"


@dataclass(frozen=True)
class Skill:
    """Mean rank IC, its t-statistic and the number of sessions.

    Attributes
    ----------
    too_good
        Both bounds are exceeded.
    modest
        A mean at the bound is excluded.
    """

    mean: float
    t: float
    sessions: int
    too_good: bool
    modest: bool

    def __str__(self) -> str:
        if not self.sessions:
            return "undefined, all equal in every session"
        return f"{self.mean:+.3f} (t {formatted(self.t, '.1f')}, {self.sessions} sessions)"


def formatted(value: float, form: str) -> str:
    """A number in a format, or that there is none.

    >>> formatted(0.1234, "+.2f"), formatted(math.nan, "+.2f")
    ('+0.12', 'undefined')
    """
    return "undefined" if math.isnan(value) else format(value, form)


def skill(ics: pd.Series, bounds: Bounds, *, either_sign: bool = False) -> Skill:
    """Mean over the sessions that have an IC, compared to the bounds."""
    known = ics.dropna()
    mean = float(known.mean())
    constant = len(known) > 2 and np.ptp(known.to_numpy()) == 0
    t = float(np.copysign(np.inf, mean)) if constant else newey_west_t(known)
    size = abs(mean) if either_sign else mean
    return Skill(
        mean=mean,
        t=t,
        sessions=len(known),
        too_good=bool(size > bounds.ic and abs(t) > bounds.t),
        modest=bool(size + EXCLUDED * _error(known, mean, t) < bounds.ic),
    )


def _error(known: pd.Series, mean: float, t: float) -> float:
    """Standard error of a mean; where that is exactly 0, as of few symbols, of the values + 1."""
    return abs(mean / t) if t else abs((mean + 1.0) / newey_west_t(known + 1.0))


def single_features(dataset: Dataset, bounds: Bounds) -> CheckResult:
    """Every number column against the label; one that is equal for all symbols, over time.

    Too good to be true is a column on all sessions together, or on a single one that it nearly
    orders: a label that was written into an honest feature on one session in fifty.
    """
    ics = {name: _ics(dataset, name) for name in dataset.numeric}
    skills = {name: _feature_skill(dataset, name, ics[name], bounds) for name in ics}
    varying = {name: measured for name, measured in skills.items() if measured.sessions}
    if not varying:
        return CheckResult(0, sufficient=False, summary="no feature varies")
    leaks = {name: measured for name, measured in varying.items() if measured.too_good}
    unclear = [n for n, measured in varying.items() if not (measured.modest or n in leaks)]
    best = max(varying, key=lambda name: abs(varying[name].t))
    summary = f"{len(varying)} features, the clearest {best}: IC {varying[best]}"
    summary += f"; too few sessions to clear {', '.join(unclear)}" if unclear else ""
    listed = [leaks_at(n, _strongest(ics[n]), [f"IC {m}"], [str(bounds)]) for n, m in leaks.items()]
    listed += [_ordered_sessions(n, ics[n], dataset) for n in varying if n not in leaks]
    return replace(
        combine(listed, summary),
        checked=sum(measured.sessions for measured in varying.values()),
        sufficient=not unclear,
        metrics={"ic": abs(varying[best].mean), "t": abs(varying[best].t)},
    )


def attributes(dataset: Dataset) -> CheckResult:
    """What never changes, such as a sector, against the label: no group may drift like hindsight.

    A table that was made with knowledge of later returns puts winners together, and their mean
    return beyond that of the session has a t-statistic that no real sector reaches. A table that
    knows less than that is not found.
    """
    relative = market_relative(dataset.returns)
    parts, clearest = [], "no attribute has two groups"
    for name in dataset.categorical:
        groups = [pd.Index(dataset.row_sessions, name=SESSION), dataset.features[name].to_numpy()]
        drifts = relative.groupby(groups).mean().unstack()
        if drifts.shape[1] < 2:
            continue
        ts = {str(group): newey_west_t(drifts[group].dropna()) for group in drifts}
        best = max(ts, key=lambda group: abs(np.nan_to_num(ts[group])))
        clearest = f"the clearest {name} {best}: t {ts[best]:.1f}"
        beyond = [group for group in ts if abs(ts[group]) > ATTRIBUTE_T]
        for group in beyond:
            place = _strongest(drifts.set_axis(list(ts), axis=1)[group])
            parts.append(leaks_at(name, place, [f"{group}: t {ts[group]:.1f}"], [ATTRIBUTE_BOUND]))
        parts.append(CheckResult(drifts.size))
    return replace(combine(parts, clearest), required=False)


def _strongest(values: pd.Series) -> pd.MultiIndex:
    """The session whose value is farthest from 0, as the place of a leak of all symbols."""
    sizes = values.abs().dropna()
    session = pd.NaT if sizes.empty else sizes.idxmax()
    return pd.MultiIndex.from_arrays([[session], [""]], names=[SESSION, SYMBOL])


def _ordered_sessions(name: str, ics: pd.Series, dataset: Dataset) -> CheckResult:
    """Sessions of enough symbols that the column nearly orders."""
    symbols = dataset.returns.groupby(level=SESSION).size().reindex(ics.index)
    odd = ics[(ics.abs() > SESSION_IC) & (symbols >= SESSION_SYMBOLS)]
    rows = pd.MultiIndex.from_product([odd.index, [""]], names=[SESSION, SYMBOL])
    return leaks_at(name, rows, [f"IC {ic:+.3f}" for ic in odd], [SESSION_BOUND] * len(odd))


def _ics(dataset: Dataset, name: str) -> pd.Series:
    values = dataset.features[name].dropna()
    return rank_ic(dataset.returns.loc[values.index], values)


def _feature_skill(dataset: Dataset, name: str, ics: pd.Series, bounds: Bounds) -> Skill:
    across = skill(ics, bounds, either_sign=True)
    return across if across.sessions else _skill_over_time(dataset, name, bounds)


def _skill_over_time(dataset: Dataset, name: str, bounds: Bounds) -> Skill:
    """Rank correlation over sessions of a column with the session's mean label."""
    sides = pd.DataFrame({"feature": dataset.features[name], "label": dataset.returns})
    pairs = sides.groupby(level=SESSION).mean().dropna()
    if len(pairs) < 3 or (pairs.nunique() < 2).any():
        return Skill(np.nan, np.nan, 0, too_good=False, modest=False)
    r = float(pairs["feature"].corr(pairs["label"], method="spearman"))
    error = float(np.sqrt(max(1 - r * r, 1e-12) / (len(pairs) - 2)))
    too_good = abs(r) > OVER_TIME_IC and abs(r) / error > bounds.t
    modest = abs(r) + EXCLUDED * error < OVER_TIME_IC
    return Skill(r, r / error, len(pairs), too_good, modest)
