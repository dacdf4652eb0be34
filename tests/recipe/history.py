"""A made-up history with two features, one of which helps; no store and no disk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import numpy as np
import optuna
import pandas as pd

from pipeline.learning.dataset import Dataset, join
from pipeline.learning.predicted_step import PredictedStep
from pipeline.learning.windows import Step
from pipeline.schemas import ROW, TARGET, BarPanel
from pipeline.trading.market import Market
from pipeline.trading.rules import Rules
from tests.trading.markets import random_bars

EARLIER = 30
"""Sessions before the first one with features: the market needs some to look back on."""


@dataclass(frozen=True)
class History:
    """What an evaluation reads; `Rows` and `History` of the recipe's room."""

    bars: BarPanel
    features: pd.DataFrame
    labels: pd.DataFrame

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """Those with features."""
        return self.bars.sessions[EARLIER:]

    def snapshots(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> pd.DataFrame:
        rows = self.features.index.get_level_values("session").isin(sessions)
        return self.features.loc[rows, list(columns)]

    def dataset(self, sessions: pd.DatetimeIndex, columns: Sequence[str]) -> Dataset:
        return join(self.snapshots(sessions, columns), self.labels)

    def market(self, sessions: pd.DatetimeIndex, rules: Rules) -> Market:
        return Market.of_bars(
            self.bars,
            sessions,
            pd.Series(np.where(sessions.day % 2, "RANGING", "HIGH_VOL"), sessions),
            pd.Series("X", self.bars.symbols),
            self.bars.sessions[self.bars.sessions < sessions[0]][-1],
            is_hedged=rules.is_hedged,
        )


def history(sessions: int = 80, symbols: int = 6, seed: int = 4) -> History:
    """Bars with holes; every symbol has features on every session, a label where it has a bar."""
    bars = random_bars(seed, sessions=sessions + EARLIER, symbols=symbols)
    days = bars.sessions[EARLIER:]
    outcome = (bars.close / bars.open - 1.0).loc[days].stack()
    keys = pd.MultiIndex.from_product([days, bars.symbols], names=ROW)
    known = outcome.reindex(keys)
    rng = np.random.default_rng(seed)
    drawn = rng.normal(0.0, 0.01, (2, len(keys)))
    features = {"signal": known.fillna(0.0).to_numpy() + drawn[0], "noise": drawn[1]}
    return History(
        bars,
        pd.DataFrame(features, keys, dtype="float32"),
        pd.DataFrame({TARGET: known.dropna()}),
    )


class NewStudies:
    """Studies that nobody began."""

    left_by = None

    def study(self, name: str, direction: str) -> optuna.Study:
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        return optuna.create_study(study_name=name, direction=direction)


@dataclass
class ForgetfulJournal:
    """Keeps nothing but a list of what it was asked for."""

    searched: list[pd.Timestamp] = field(default_factory=list)
    predicted: list[pd.Timestamp] = field(default_factory=list)

    def search(self, step: Step) -> AbstractContextManager[NewStudies]:
        self.searched.append(step.predicted[0])
        return nullcontext(NewStudies())

    def stored(self, step: Step) -> None:
        return None

    def step(self, step: Step, predict: Callable[[], PredictedStep]) -> PredictedStep:
        self.predicted.append(step.predicted[0])
        return predict()
