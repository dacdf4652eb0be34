"""What a stage that trades forecasts returns, and the job of a `-m` run that returned it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pandas as pd


class Traded(NamedTuple):
    """What a stage that trades forecasts returns.

    Attributes
    ----------
    metrics
        By name, as they were logged.
    net_returns
        Fractions by session, known after each session's close.
    """

    metrics: Mapping[str, float]
    net_returns: pd.Series

    @property
    def line(self) -> str:
        """In one line, for the process that started this one; each number to the last bit."""
        returns = [[f"{day:%Y-%m-%d}", float(value)] for day, value in self.net_returns.items()]
        metrics = {name: float(value) for name, value in self.metrics.items()}
        return json.dumps({"metrics": metrics, "net_returns": returns})

    @classmethod
    def of_line(cls, line: str) -> Traded:
        """The value that `line` was made of."""
        content = json.loads(line)
        days = [day for day, _ in content["net_returns"]]
        values = [value for _, value in content["net_returns"]]
        return cls(content["metrics"], pd.Series(values, pd.DatetimeIndex(days), dtype="float64"))


class Job(NamedTuple):
    """A job that ended well: the overrides it was given, and what its stage returned."""

    overrides: Sequence[str]
    traded: Traded

    @property
    def metrics(self) -> Mapping[str, float]:
        """Of its run."""
        return self.traded.metrics
