"""When it is decided what to trade: the evening before, or on the indicated open.

A decision on the indicated open sees what the evening saw and, minutes before the auction, an
indicated price of every symbol. It is filled at the printed open. In history the print with a drawn
error stands for the indication, in training as in evaluation; see ``market.indication``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

import numpy as np
import pandas as pd
from pydantic import Field
from pydantic_core import to_jsonable_python

from pipeline.market import indication
from pipeline.market.fingerprints import fingerprint
from pipeline.market.indication import Evening, indicated_columns, jumps, simulated
from pipeline.schemas import SESSION, SYMBOL, as_quoted
from pipeline.trading.indication import WORSE_BPS, Indication
from pipeline.trading.market import Market
from pipeline.trading.rules import BPS
from pipeline.values import Bps, Value

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

ERRORS_BPS = (0.0, 10.0, 25.0, 50.0, 100.0)
"""Errors of the indication that every result is reported for."""

FOLLOWED = 40
"""Forecasts of a side and session that are followed to worse opens: the rest is never traded."""

DROPS = np.arange(0.0, 0.15, 0.001)
"""Falls of an open that the price to buy below is looked for among."""

PRICE = "indicated_price"


class EveningBefore(Value):
    """Everything is decided on what the close of t-1 left known."""

    name: Literal["evening"]

    @property
    def content(self) -> dict[str, Any]:
        """As a recipe would record it, which leaves it out."""
        return to_jsonable_python(self)  # type: ignore[no-any-return]


class IndicatedOpen(Value):
    """Decided minutes before the auction, on indicated opens.

    Attributes
    ----------
    error_bps
        Standard deviation of the indication's distance from the print, in basis points.
    common_share
        Part of its variance that all symbols of a session have in common.
    """

    name: Literal["indicated_open"]
    error_bps: Bps
    common_share: Annotated[float, Field(ge=0, le=1)]

    @property
    def content(self) -> dict[str, Any]:
        """As a recipe records it: the values, and the code that makes the columns."""
        return {**to_jsonable_python(self), "code": made_by()}


EVENING = EveningBefore(name="evening")

Decision = Annotated[EveningBefore | IndicatedOpen, Field(discriminator="name")]


def made_by() -> str:
    """Fingerprint of the code that makes the indicated columns."""
    return fingerprint((indication.evening, indicated_columns, jumps))[:12]


def decision_of(content: Mapping[str, Any]) -> EveningBefore | IndicatedOpen:
    """The decision that a recipe recorded; of an older release it is the evening before."""
    recorded = content.get("decision")
    if not recorded:
        return EVENING
    return IndicatedOpen(**{k: v for k, v in recorded.items() if k in IndicatedOpen.model_fields})


class Opens(Protocol):
    """Where the evening's measures and the printed opens come from."""

    def evening(self, sessions: pd.DatetimeIndex) -> Evening:
        """What gaps of these sessions are measured by."""
        ...

    def printed_opens(self, sessions: pd.DatetimeIndex) -> pd.DataFrame:
        """Printed opens, sessions x symbols, those that may be traded on; NaN: none."""
        ...


@dataclass(frozen=True)
class Indicated:
    """Indications of some sessions, and what they are measured by.

    Attributes
    ----------
    price
        Sessions x symbols on the axes of the evening.
    """

    evening: Evening
    price: pd.DataFrame

    @classmethod
    def drawn(
        cls, opens: Opens, sessions: pd.DatetimeIndex, decision: IndicatedOpen, seed: int
    ) -> Indicated:
        """The printed opens with drawn errors, see ``simulated``."""
        evening = opens.evening(sessions)
        return cls.of_prints(evening, opens.printed_opens(evening.targets), decision, seed)

    @classmethod
    def of_prints(
        cls, evening: Evening, printed: pd.DataFrame, decision: IndicatedOpen, seed: int
    ) -> Indicated:
        """The same of printed opens at hand."""
        opened = printed.reindex(columns=evening.symbols)
        price = simulated(opened, decision.error_bps, decision.common_share, seed)
        return cls.of(evening, price)

    @classmethod
    def of(cls, evening: Evening, price: pd.DataFrame) -> Indicated:
        """Indications; those that are no price of the shares that closed are none."""
        prices = price.to_numpy()
        faults = jumps(prices, evening.previous_close)
        return cls(evening, price.mask(faults["jump"] | faults["like a split"]))

    def columns(self, rows: pd.Index, factor: np.ndarray | None = None) -> pd.DataFrame:
        """The indicated columns of these rows, float32.

        Parameters
        ----------
        factor
            By row: what its own price is multiplied by, the others' held.
        """
        at = self._places(rows)
        moved = None
        if factor is not None:
            moved = self.price.to_numpy(copy=True)
            moved[at] *= factor
        made = indicated_columns(self.evening, self.price.to_numpy(), moved)
        return pd.DataFrame({k: v[at].astype("float32") for k, v in made.items()}, rows)

    def prices(self, rows: pd.Index) -> pd.Series:
        """The indicated price of these rows."""
        return pd.Series(self.price.to_numpy()[self._places(rows)], rows, name=PRICE)

    def joined(self, features: pd.DataFrame) -> pd.DataFrame:
        """The evening's features of these rows with the indicated columns behind them."""
        return pd.concat([features, self.columns(features.index)], axis=1)

    def _places(self, rows: pd.Index) -> tuple[np.ndarray, np.ndarray]:
        return (
            self.evening.targets.get_indexer(rows.get_level_values(SESSION)),
            self.evening.symbols.get_indexer(rows.get_level_values(SYMBOL)),
        )

    def forecasts(self, model: Pipeline, evening_features: pd.DataFrame) -> pd.DataFrame:
        """Forecasts at the indicated price, and at prices that are worse for the trade.

        Returns
        -------
        DataFrame
            ``prediction``, ``indicated_price`` and ``worse_<bps>`` of ``WORSE_BPS``: of the
            `FOLLOWED` strongest forecasts of either side of a session, NaN of the others and where
            there is no indication.
        """
        from pipeline.learning.models import predictions  # brings scikit-learn

        rows = self.joined(evening_features)
        made = predictions(model, rows).to_frame()
        made[PRICE] = self.prices(rows.index)
        side = np.where(made["prediction"] > 0.0, 1.0, -1.0)
        strength = made["prediction"].abs().where(made[PRICE].notna())
        places = strength.groupby([rows.index.get_level_values(SESSION), side]).rank(
            ascending=False, method="first"
        )
        followed = (places <= FOLLOWED).to_numpy()
        some, sign = evening_features[followed], side[followed]
        moved = [
            pd.concat([some, self.columns(some.index, 1.0 + sign * bps * BPS)], axis=1)
            for bps in WORSE_BPS
        ]
        at_worse = np.full((len(moved), len(some)), np.nan)
        if len(some):
            at_worse = predictions(model, pd.concat(moved)).to_numpy().reshape(at_worse.shape)
        for bps, values in zip(WORSE_BPS, at_worse, strict=True):
            made[worse_name(bps)] = pd.Series(values, some.index).reindex(rows.index)
        return made

    def buy_below(
        self, model: Pipeline, evening_features: pd.DataFrame, hurdle: float
    ) -> pd.Series:
        """The highest open at which each symbol would be bought, the others' held; one session.

        Parameters
        ----------
        hurdle
            The return a forecast has to exceed.

        Returns
        -------
        Series
            Currency per share by symbol, to a tenth of a percent; NaN where none within 15 % of
            the indicated price would do.
        """
        from pipeline.learning.models import predictions  # brings scikit-learn

        rows = evening_features.index
        price = self.prices(rows).to_numpy()
        # Forecasts never fall as the own open falls: halve the interval, all symbols at once.
        low, high = np.zeros(len(rows), int), np.full(len(rows), len(DROPS))
        while (low < high).any():
            middle = np.minimum((low + high) // 2, len(DROPS) - 1)
            moved = self.columns(rows, 1.0 - DROPS[middle])
            edge = predictions(model, pd.concat([evening_features, moved], axis=1)).to_numpy()
            meets, open_ = edge > hurdle, low < high
            high = np.where(open_ & meets, middle, high)
            low = np.where(open_ & ~meets, middle + 1, low)
        drop = np.append(DROPS, np.nan)[low]
        return pd.Series(price * (1.0 - drop), rows).droplevel(SESSION)


def forecast_columns(predicted: pd.DataFrame) -> pd.DataFrame:
    """What is kept of forecasts: the prediction, and what orders on an indication need.

    Parameters
    ----------
    predicted
        By (session, symbol), such as `Indicated.forecasts`; other columns are left out.

    Returns
    -------
    DataFrame
        ``prediction`` (a fraction); of a decision on the indicated open also the indicated price,
        in currency per share, and the forecasts at worse opens.
    """
    names = ["prediction", PRICE, *map(worse_name, WORSE_BPS)]
    return predicted[[name for name in names if name in predicted]].astype("float64")


def worse_name(bps: float) -> str:
    """Column of the forecast at an open that is so much worse."""
    return f"worse_{bps:g}"


def at_error(bps: float) -> str:
    """Start of the names of the columns at another error of the indication."""
    return f"error_{bps:g}/"


def with_indication(
    market: Market, forecasts: pd.DataFrame, start: str = "", *, is_quoted: bool = False
) -> Market:
    """The market where orders are sized on indications and have limits at the hurdle.

    Parameters
    ----------
    forecasts
        Of `Indicated.forecasts`, by (session, symbol); without its columns the market stays.
    start
        Of the columns' names, see `at_error`.
    is_quoted
        Whether the indicated prices are quotes of their session, not made of the store's prices.
    """
    if f"{start}{PRICE}" not in forecasts:
        return market

    def wide(name: str) -> pd.DataFrame:
        return forecasts[f"{start}{name}"].unstack(SYMBOL).reindex_like(market.close)

    worse = {bps: wide(worse_name(bps)) for bps in WORSE_BPS}
    price = wide(PRICE) if is_quoted else as_quoted(wide(PRICE), market.factor)
    return market.deciding_on(Indication(price, worse))
