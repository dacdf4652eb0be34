"""What a model may learn from: a set of features, the rows it has, and the hashes of both."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd
from pydantic import Field, field_validator
from pydantic_core import to_json, to_jsonable_python

from pipeline.market.definitions import Feature
from pipeline.market.features import days_a_week, feature_set_hash, warm_up
from pipeline.market.fingerprints import MAKERS, fingerprint
from pipeline.market.labels import labels
from pipeline.values import Value


class RowSelection(Value):
    """Which symbols get a snapshot of a session, by what is known before it opens.

    Attributes
    ----------
    min_history
        Sessions with a bar before the first snapshot.
    min_price
        Least close of the session before, currency per share as it was quoted; 0: any.
    min_dollar_volume
        Least mean of close x volume over the 20 sessions before, currency; 0: any.
    """

    min_history: int = Field(ge=40)
    min_price: float = Field(ge=0)
    min_dollar_volume: float = Field(ge=0)


class RegimeLimits(Value):
    """Limits by which the regime of a session is determined; see `market.regimes.regimes`."""

    volatility_window: int = Field(ge=20)
    high_volatility_percentile: float = Field(gt=0, lt=100)
    low_volatility_percentile: float = Field(gt=0, lt=100)
    trending_strength: float = Field(ge=0)
    quiet_strength: float = Field(ge=0)
    high_vix: float = Field(gt=0)

    @field_validator("high_vix", mode="before")
    @classmethod
    def _is_a_level(cls, level: object) -> object:
        if level is None:
            raise ValueError("Input should be a VIX level; for no such rule one out of reach: 1000")
        return level

    @property
    def hash(self) -> str:
        """12 hex digits over the limits."""
        return _short(to_json(self).decode())


@dataclass(frozen=True)
class FeatureSet:
    """All features of a set, for the rows selected, under the limits of the regimes.

    Attributes
    ----------
    name
        Of ``market.features.FEATURE_SETS``, or of an installed package.
    features
        Definitions in the order of the columns.
    rows
        Which symbols get a row.
    limits
        What regimes are determined by: a part of every feature that reads them.
    min_window
        Sessions of development from which columns equal for all symbols are learned from.
    usual_sessions
        Gives sessions of an ordinary year; called when it is first needed, for it takes a while.
    """

    name: str
    features: tuple[Feature, ...]
    rows: RowSelection
    limits: RegimeLimits
    min_window: int
    usual_sessions: Callable[[], pd.DatetimeIndex] = field(compare=False)

    @cached_property
    def hashes(self) -> dict[str, str]:
        """What makes each feature, by its name: its code, and how regimes are determined.

        A model records it of the features it uses; where it has changed, the model is not served.
        """
        of_regimes = self.limits.hash
        return {
            f.name: f"{f.hash} {of_regimes}" if "regimes" in f.reads else f.hash
            for f in self.features
        }

    @cached_property
    def version(self) -> str:
        """12 hex digits over all features and the selection of rows.

        It names the folder of the snapshots: neither two definitions nor two selections mix.
        """
        selection = json.dumps(to_jsonable_python(self.rows), sort_keys=True)
        return _short(f"{feature_set_hash(self.hashes)} {selection}")

    def learned(self, window_sessions: int) -> dict[str, str]:
        """Hash by name of the features that a window of so many sessions is learned from.

        Columns equal for all symbols of a session hold one independent value per session: they
        are left out of windows too short to learn from those.
        """
        wide_enough = window_sessions >= self.min_window
        return {
            f.name: self.hashes[f.name] for f in self.features if wide_enough or f.kind != "session"
        }

    @cached_property
    def warm_up(self) -> int:
        """Sessions before a snapshot that it may be made of."""
        week = days_a_week(self.usual_sessions())
        return warm_up(self.features, self.rows.min_history, week)

    @property
    def indicator_lookback(self) -> int:
        """Sessions of stored indicators that a snapshot may be made of."""
        return max((f.lookback for f in self.features if "indicators" in f.reads), default=0)

    def reading(self, *results: str) -> set[str]:
        """Names of the features that read any of these results of `fingerprints.MAKERS`."""
        return {f.name for f in self.features if f.reads & set(results)}


def indicators_made_by() -> dict[str, str]:
    """What indicators are made by; by other code all of them are made again."""
    return {"code": fingerprint(MAKERS["indicators"])}


def labels_made_by() -> dict[str, str]:
    """What labels are made by; by other code all of them are made again."""
    return {"code": fingerprint((labels,))}


def regimes_made_by(limits: RegimeLimits, index: str) -> dict[str, str]:
    """What regimes are made by: code, limits and the market's index."""
    return {"code": fingerprint(MAKERS["regimes"]), "rules": limits.hash, "index": index}


def made_by_now(limits: RegimeLimits, index: str, *, labels: bool) -> dict[str, dict[str, str]]:
    """What results are made by: indicators, regimes and, where they are used, labels."""
    made = {"indicators": indicators_made_by(), "regimes": regimes_made_by(limits, index)}
    return made | ({"labels": labels_made_by()} if labels else {})


def canonical_hash(content: Mapping[str, object]) -> str:
    """12 hex digits over a mapping, whatever the order of its keys."""
    return _short(json.dumps(content, sort_keys=True))


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
