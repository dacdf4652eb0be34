"""How often the sessions of a result were looked at before it was chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from pipeline.gates.identity import Witness
from pipeline.schemas import SESSION
from pipeline.trading.rules import Rules

SAME_DATA = 0.05
"""Part of a look's witnesses that have to be confirmed: of a wider universe only some are there;
of other data not one agrees."""

OPENING_SESSIONS = 20
"""First sessions of a forecast by which a longer one from the same start is known."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A result out of sample whose figures could be seen, whatever became of its run.

    Attributes
    ----------
    run_id
        Of the run that holds it, or held it.
    forecast, strategy
        Digests of the predictions and of what they were traded by: equal ones are one look.
    recipe, opening
        Hash of the recipe, and digest of its first forecasts: those of a walk-forward that was done
        again on new sessions are the same.
    first, last
        Sessions it covers, both included.
    witnesses
        Of its data.
    """

    run_id: str
    forecast: str
    strategy: str
    recipe: str
    opening: str
    first: pd.Timestamp
    last: pd.Timestamp
    witnesses: tuple[Witness, ...]

    def share(self, sessions: pd.DatetimeIndex) -> float:
        """Part of the sessions that it covers."""
        return float(((sessions >= self.first) & (sessions <= self.last)).mean())


def predictions_digest(predictions: pd.Series) -> str:
    """32 hex digits over sessions, symbols and values: equal predictions are one forecast.

    Parameters
    ----------
    predictions
        Predicted returns by session and symbol, in any order.
    """
    ordered = predictions.sort_index()
    return hashlib.sha256(pd.util.hash_pandas_object(ordered).to_numpy().tobytes()).hexdigest()[:32]


def opening_digest(predictions: pd.Series) -> str:
    """`predictions_digest` of the first sessions, 12 hex digits.

    Parameters
    ----------
    predictions
        Forecast returns, fractions by (session, symbol).
    """
    sessions = predictions.index.get_level_values(SESSION)
    first = sessions.unique().sort_values()[:OPENING_SESSIONS]
    return predictions_digest(predictions[sessions.isin(first)])[:12]


def strategy_digest(rules: Rules, bankroll: float) -> str:
    """12 hex digits over rules and bankroll."""
    content = json.dumps([rules.content, bankroll], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:12]


def earlier_looks(
    looks: Iterable[Look], result: Look, sessions: pd.DatetimeIndex
) -> dict[str, float]:
    """Looks at these sessions beside the result itself, each with the part that it covers.

    Parameters
    ----------
    looks
        Those of the same data, in any order; the result may be among them, however often.
    result
        What was measured.
    sessions
        That it was measured on.

    Returns
    -------
    dict
        Part of the sessions, in (0, 1], by run id. A forecast traded by one strategy counts once.
        A recipe whose first forecasts are the same was done again on new sessions: all of that is
        one look, that with the largest part.
    """
    by_key: dict[tuple[str, str], Look] = {}
    for look in sorted(looks, key=lambda look: (-look.share(sessions), look.run_id)):
        if look.share(sessions) > 0.0:
            by_key.setdefault((look.forecast, look.strategy), look)
    by_key.pop((result.forecast, result.strategy), None)
    by_line: dict[tuple[str, ...], Look] = {}
    for look in by_key.values():
        by_line.setdefault((look.recipe, look.strategy, look.opening), look)
    return {look.run_id: look.share(sessions) for look in by_line.values()}


def total(earlier: Mapping[str, float]) -> float:
    """Number of looks, the result itself included."""
    return 1.0 + sum(earlier.values())
