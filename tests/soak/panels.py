"""Made-up prices whose truth is known: pure random walks, or one planted edge in them."""

from __future__ import annotations

import exchange_calendars
import numpy as np
import pandas as pd

GAP = 0.01
"""Standard deviation of the return from a close to the next open."""

MOVE = 0.02
"""Standard deviation of the return from the open to the close that nothing foretells."""

DOLLARS_A_SESSION = 5e7
LAST_SESSION = "2023-12-29"


def bars(
    seed: int, *, symbols: int, sessions: int, reversal: float = 0.0, common: float = 0.0
) -> pd.DataFrame:
    """Daily bars of made-up symbols in long form, as a file of prices has them.

    Parameters
    ----------
    reversal
        The planted edge: the open-to-close return of t holds this many times the gap of t-1.
    common
        Part of the variance of gaps and moves that all symbols share, in [0, 1).
    """
    random = np.random.default_rng(seed)
    gaps = GAP * _shocks(random, sessions, symbols, common)
    moves = MOVE * _shocks(random, sessions, symbols, common)
    moves[1:] += reversal * gaps[:-1]
    close = random.uniform(20.0, 200.0, symbols) * np.cumprod((1.0 + gaps) * (1.0 + moves), axis=0)
    opening = close / (1.0 + moves)
    wicks = 0.003 * np.abs(random.normal(size=(2, sessions, symbols)))
    dollars = DOLLARS_A_SESSION * np.exp(0.3 * random.normal(size=(sessions, symbols)))
    columns = {
        "open": opening,
        "high": np.maximum(opening, close) * (1.0 + wicks[0]),
        "low": np.minimum(opening, close) * (1.0 - wicks[1]),
        "close": close,
        "volume": np.rint(dollars / close),
    }
    rows = pd.MultiIndex.from_product(
        [_sessions(sessions), [f"S{number:03d}" for number in range(symbols)]],
        names=["date", "symbol"],
    )
    return pd.DataFrame({name: values.ravel() for name, values in columns.items()}, rows)


def _shocks(random: np.random.Generator, sessions: int, symbols: int, common: float) -> np.ndarray:
    market = random.normal(size=(sessions, 1))
    own = random.normal(size=(sessions, symbols))
    return np.sqrt(common) * market + np.sqrt(1.0 - common) * own


def _sessions(count: int) -> pd.DatetimeIndex:
    calendar = exchange_calendars.get_calendar("XNYS", start="2000-01-03")
    return pd.DatetimeIndex(calendar.sessions[calendar.sessions <= LAST_SESSION][-count:])
