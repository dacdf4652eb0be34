"""What a strategy trades on: prices of the sessions themselves, and what was known before each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import pandas as pd

from pipeline.errors import InvalidData
from pipeline.schemas import BarPanel, as_quoted
from pipeline.trading import estimates, hedging
from pipeline.trading.indication import Indication

FORMULAS: dict[str, Callable[[BarPanel], pd.DataFrame]] = {
    "previous_close": estimates.previous_close,
    "mean_dollar_volume": estimates.mean_dollar_volume,
    "volatility": estimates.volatility,
    "spread": estimates.spread,
    "average_true_range": estimates.average_true_range,
}


PRICES = ("previous_close", "average_true_range")
"""Estimates in currency per share: as it is quoted in the session they are for."""


class Estimates(Mapping[str, pd.DataFrame]):
    """What is known before the open, sessions x symbols, each worked out when a rule asks for it.

    Names: those of ``FORMULAS``, and ``beta`` where the market has a hedge.

    Parameters
    ----------
    bars
        From ``estimates.LOOK_BACK`` sessions before the first session on.
    sessions
        The requested sessions.
    hedge
        Of ``hedging.instrument``.
    factor
        Of ``as_quoted``, on all sessions of the bars.
    """

    def __init__(
        self,
        bars: BarPanel,
        sessions: pd.DatetimeIndex,
        hedge: pd.DataFrame | None,
        factor: pd.DataFrame | None = None,
    ) -> None:
        self._bars, self._sessions, self._hedge = bars, sessions, hedge
        self._factor = factor
        self._made: dict[str, pd.DataFrame] = {}

    def at(self, sessions: pd.DatetimeIndex) -> Estimates:
        """The estimates of some of the sessions; what is worked out is shared."""
        fewer = Estimates(self._bars, sessions, self._hedge, self._factor)
        fewer._made = self._made
        return fewer

    def __getitem__(self, name: str) -> pd.DataFrame:
        if name not in self._made:
            self._made[name] = self._estimated(name)
        return self._made[name].loc[self._sessions]

    def _estimated(self, name: str) -> pd.DataFrame:
        if name == "beta" and self._hedge is not None:
            return estimates.beta(self._bars, self._hedge["close"] / self._hedge["open"] - 1.0)
        made = FORMULAS[name](self._bars)
        return as_quoted(made, self._factor) if name in PRICES else made

    def __iter__(self) -> Iterator[str]:
        yield from [*FORMULAS, *(["beta"] if self._hedge is not None else [])]

    def __len__(self) -> int:
        return len(list(iter(self)))


@dataclass(frozen=True, eq=False)
class Market:
    """Everything about the traded sessions but the predictions; frames are sessions x symbols.

    Attributes
    ----------
    open, high, low, close, volume
        Of the session itself: only fills look at them. Prices in currency per share, as quoted
        then: limits, whole shares and fees by the share are of what was traded.
    regimes
        Regime known at the open, by session.
    known
        What is known before the open by name: ``previous_close``, ``mean_dollar_volume``, ...
    sectors
        Sector by symbol as of the day its table was made, for all sessions alike.
    previous_session
        The session before the first: where an equity curve starts.
    hedge
        Of ``hedging.instrument``, by session; None where nothing is hedged.
    indication
        Indicated opens, where they are known when it is decided; None: the evening before.
    goes_ex
        Where a split or a dividend goes ex, bool; what has no row or column is False. None: nothing
        is known of them.
    factor
        Of ``as_quoted``, on these sessions: what is indicated in stored prices needs it too.
    """

    open: pd.DataFrame
    high: pd.DataFrame
    low: pd.DataFrame
    close: pd.DataFrame
    volume: pd.DataFrame
    regimes: pd.Series
    known: Mapping[str, pd.DataFrame]
    sectors: pd.Series
    previous_session: pd.Timestamp
    hedge: pd.DataFrame | None = None
    indication: Indication | None = None
    goes_ex: pd.DataFrame | None = None
    factor: pd.DataFrame | None = None

    @classmethod
    def of_bars(
        cls,
        bars: BarPanel,
        sessions: pd.DatetimeIndex,
        regimes: pd.Series,
        sectors: pd.Series,
        previous_session: pd.Timestamp,
        *,
        index: BarPanel | None = None,
        is_hedged: bool = False,
        goes_ex: pd.DataFrame | None = None,
        factor: pd.DataFrame | None = None,
    ) -> Market:
        """The market of these sessions, from bars that begin early enough before them.

        A session may be without bars yet.

        Parameters
        ----------
        factor
            Of ``as_quoted``, on all sessions of the bars; of the hedge nothing hangs on the price.
        """
        bars = bars.loc(bars.sessions.union(sessions))
        hedge = hedging.instrument(bars, index) if is_hedged else None
        within = bars.loc(sessions)
        return cls(
            open=as_quoted(within.open, factor),
            high=as_quoted(within.high, factor),
            low=as_quoted(within.low, factor),
            close=as_quoted(within.close, factor),
            volume=within.volume,
            regimes=regimes.loc[sessions],
            known=Estimates(bars, sessions, hedge, factor),
            sectors=sectors,
            previous_session=previous_session,
            hedge=None if hedge is None else hedge.loc[sessions],
            goes_ex=goes_ex,
            factor=None if factor is None else factor.loc[sessions],
        )

    @property
    def sessions(self) -> pd.DatetimeIndex:
        """The traded sessions."""
        return pd.DatetimeIndex(self.close.index)

    @property
    def gaps(self) -> pd.DataFrame:
        """Return from the close before to the open, a fraction; of the open it is known."""
        return self.open / self.previous_close - 1.0

    @property
    def previous_close(self) -> pd.DataFrame:
        """Close of t-1."""
        return self.known["previous_close"]

    @property
    def mean_dollar_volume(self) -> pd.DataFrame:
        """Mean close x volume of the 20 sessions before t."""
        return self.known["mean_dollar_volume"]

    def at(self, sessions: pd.DatetimeIndex) -> Market:
        """The market of some of the sessions."""
        by_session = ("open", "high", "low", "close", "volume", "regimes")
        known = self.known
        return replace(
            self,
            **{name: getattr(self, name).loc[sessions] for name in by_session},
            known=known.at(sessions)
            if isinstance(known, Estimates)
            else {name: frame.loc[sessions] for name, frame in known.items()},
            hedge=None if self.hedge is None else self.hedge.loc[sessions],
            indication=None if self.indication is None else self.indication.at(sessions),
            factor=None if self.factor is None else self.factor.loc[sessions],
        )

    def deciding_on(self, indication: Indication) -> Market:
        """The same market where the open is indicated when it is decided."""
        return replace(self, indication=indication)

    @property
    def reference(self) -> pd.DataFrame:
        """The price orders are sized on: the indicated one, or the previous close."""
        return self.previous_close if self.indication is None else self.indication.price

    def require(self, name: str) -> pd.DataFrame:
        """An estimate that a rule asks for.

        Raises
        ------
        InvalidData
            The market was made without it.
        """
        if name not in self.known:
            has = ", ".join(self.known) or "nothing"
            raise InvalidData("strategy", f"a market that knows {has}", f"one that knows {name}")
        return self.known[name]
