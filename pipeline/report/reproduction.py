"""Whether a run done again came to the same numbers, in a table and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.contract import Metrics
from pipeline.errors import Fault, Refused

ELSEWHERE_TOLERANCE = 1e-6
"""Relative; on another processor, Python or lock file the last bits may differ."""

NOT_COMPARED = (
    "time/",  # of another hour
    "search/seconds",
    "audit/",  # logged later, by another stage
    "backtest/equity",  # series of the report, which follow from the compared numbers
    "backtest/drawdown",
    "test/rank_ic_by_session",
)


def comparison(was: Mapping[str, float], now: Mapping[str, float]) -> pd.DataFrame:
    """Both values of every metric that is compared, and their relative difference.

    Returns
    -------
    DataFrame
        Columns metric, was, is, difference: 0 where both are NaN, infinite where one is missing.
    """
    names = sorted(name for name in was if not name.startswith(NOT_COMPARED))
    table = pd.DataFrame(
        {
            "metric": names,
            "was": [was[name] for name in names],
            "is": [now.get(name, np.nan) for name in names],
        }
    )
    distance = (table["was"] - table["is"]).abs() / table["was"].abs().where(table["was"] != 0, 1.0)
    neither = table["was"].isna() & table["is"].isna()
    return table.assign(difference=distance.mask(neither, 0.0).fillna(np.inf))


@dataclass(frozen=True)
class Reproduction:
    """The comparison of two runs of one recipe.

    Attributes
    ----------
    table
        Of ``comparison``.
    worst_prediction
        Largest distance between the two models' predictions.
    tolerance
        Relative; 0 on the same machine.
    differences
        In code, versions, definitions and data, in words by name.
    """

    table: pd.DataFrame
    worst_prediction: float
    tolerance: float
    differences: Mapping[str, str]

    @classmethod
    def of(
        cls,
        was: Mapping[str, float],
        now: Mapping[str, float],
        worst_prediction: float,
        differences: Mapping[str, str],
    ) -> Reproduction:
        """The metrics of both; on another machine the last bits may differ."""
        elsewhere = "environment" in " ".join(differences)
        tolerance = ELSEWHERE_TOLERANCE if elsewhere else 0.0
        return cls(comparison(was, now), worst_prediction, tolerance, differences)

    @property
    def off(self) -> pd.DataFrame:
        """Metrics that differ, the most first."""
        beyond = self.table[self.table["difference"] > self.tolerance]
        return beyond.sort_values("difference", ascending=False)

    @property
    def is_equal(self) -> bool:
        """Whether every number came out again."""
        return self.off.empty and self.worst_prediction <= self.tolerance

    @property
    def metrics(self) -> dict[str, float]:
        """The run contract's ``reproduce/*``."""
        return {
            Metrics.REPRODUCE_EQUAL: float(self.is_equal),
            Metrics.REPRODUCE_METRICS: len(self.table),
            Metrics.REPRODUCE_METRICS_OFF: len(self.off),
            Metrics.REPRODUCE_DIFFERENCE: float(self.table["difference"].max()),
            Metrics.REPRODUCE_PREDICTION_DIFFERENCE: self.worst_prediction,
        }

    @property
    def exactly(self) -> str:
        """How near the numbers have to come."""
        return "exactly" if self.tolerance == 0.0 else f"within {self.tolerance:g}"

    def require_equal(self) -> None:
        """Refuse numbers that did not come out again.

        Raises
        ------
        Refused
            Each metric that differs is a fault of it.
        """
        if not self.is_equal:
            raise Refused(
                "reproduce",
                f"{len(self.off)} of {len(self.table)} metrics differ, predictions by "
                f"up to {self.worst_prediction:.3g}",
                f"every number {self.exactly}"
                + ("" if self.differences else ", since nothing else differs"),
                faults=[
                    Fault(row["metric"], f"is {row['is']!r}", f"was {row['was']!r}")
                    for row in self.off.to_dict("records")
                ],
            )

    def printed(self) -> str:
        """What differs, and what came of it."""
        listed = [f"  {name}: {words}" for name, words in self.differences.items()]
        lines = ["What differs:", *listed] if listed else ["Code, versions and data are equal."]
        if self.is_equal:
            lines.append(
                f"Reproduced: {len(self.table)} metrics and the model's predictions "
                f"{self.exactly}; the largest differences are "
                f"{self.table['difference'].max():.3g} and {self.worst_prediction:.3g}."
            )
        else:
            lines.append(self.off.head(20).to_string(index=False))
        return "\n".join(lines)
