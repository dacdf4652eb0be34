"""The indicated open as inputs of a forecast: gaps over what was known the evening before.

Minutes before the auction every symbol has an indicated price: from imbalance feeds, or from
quotes before the market opens. It is known at the open's decision time and nothing else of the
session is. In history the printed open plus a drawn error stands for it: see `simulated`.

Every column rises with the symbol's own indication, the others' held: so a model whose forecast
falls with each of them has one price from which on a symbol is no longer worth buying.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from pipeline.market import history
from pipeline.market.cross_section import peers_mean, ranks
from pipeline.market.definitions import Known
from pipeline.market.features_overnight import gap_row
from pipeline.market.series import intraday, overnight, returns, sectors, volume
from pipeline.market.windows import Array, ratio
from pipeline.schemas import INDICATED, BarPanel

LOOKBACK = 130
"""Sessions of bars before the first one that the columns are made of."""

MOST_GAP = 0.1
"""Gaps count for at most this in the mean of others: one bad price moves no sector."""

DRAWN_TO_ONE = 1 / 3
"""Part by which betas are drawn to 1: Blume (1971), "On the Assessment of Risk", Journal of
Finance 26."""

MOST_BETA = 3.0

LEAST_DEVIATION = 1e-4
"""Less, of a stock pinned to the price of a takeover, is no measure."""

MONTH, QUARTER = 21, 63
BPS = 1e-4


@dataclass(frozen=True)
class Evening:
    """What the gaps are measured by; known at the close of t-1. Arrays are sessions x symbols.

    Attributes
    ----------
    targets, symbols
        Sessions t, and symbols in order.
    previous_close
        Of t-1, currency per share; NaN without a bar.
    deviation
        Root mean square of the open-to-close returns over 63 sessions.
    beta
        Part of the market's gap that the symbol's is expected to follow, from 0 to `MOST_BETA`; 1
        where nothing is known.
    tilts
        What a gap may tell more or less by, each between 0 and 1.
    sectors
        Code of each symbol's sector, -1 where unknown.
    """

    targets: pd.DatetimeIndex
    symbols: pd.Index
    previous_close: Array
    deviation: Array
    beta: Array
    tilts: Mapping[str, Array]
    sectors: npt.NDArray[np.int64]

    def at(self, sessions: pd.DatetimeIndex) -> Evening:
        """Some of the sessions."""
        rows = self.targets.get_indexer(sessions)
        return Evening(
            self.targets[rows],
            self.symbols,
            self.previous_close[rows],
            self.deviation[rows],
            self.beta[rows],
            {name: values[rows] for name, values in self.tilts.items()},
            self.sectors,
        )


def evening(known: Known) -> Evening:
    """What the gaps of each target session are measured by.

    Source of the scale and the tilts: own measurements. A gap turns around by more where the
    symbol is calm, traded a lot the day before or gapped then, and by less around large moves.
    """
    deviation = history.root_mean_square(known, QUARTER, intraday)
    shock = ratio(known.volume, history.mean(known, MONTH, volume))
    last = history.peak(known, QUARTER, gap_row)
    rows = np.arange(len(known.close), dtype=np.float64)[:, None]
    since = np.minimum(np.where(np.isnan(last), QUARTER, rows - last) / QUARTER, 1.0)
    beta = history.slope(known, QUARTER, returns, _market)
    return Evening(
        targets=known.targets,
        symbols=known.symbols.index,
        previous_close=known.close,
        deviation=np.where(deviation >= LEAST_DEVIATION, deviation, np.nan),
        beta=_drawn_to_one(beta),
        tilts={
            "volatility": _rank(deviation),
            "beta": _rank(beta),
            "volume": _rank(shock),
            "overnight": _rank(ratio(overnight(known), deviation)),
            "large_move": since,
        },
        sectors=sectors(known),
    )


def _market(known: Known) -> Array:
    return np.broadcast_to(known.market_return[:, None], known.close.shape)


def _drawn_to_one(beta: Array) -> Array:
    drawn = DRAWN_TO_ONE + (1 - DRAWN_TO_ONE) * np.nan_to_num(beta, nan=1.0)
    return np.clip(drawn, 0.0, MOST_BETA)


def _rank(values: Array) -> Array:
    """Rank in the session, the middle where it is unknown."""
    return np.nan_to_num(ranks(values), nan=0.5)


def indicated_columns(known: Evening, price: Array, own: Array | None = None) -> dict[str, Array]:
    """The columns by name, each between -1 and 1, NaN where no gap is known.

    Parameters
    ----------
    price
        Indicated open, sessions x symbols, currency per share; NaN without one.
    own
        Prices to measure each symbol's own gap by, the others at their indication; default
        ``price``.

    Returns
    -------
    dict
        ``gap``: own gap over its deviation; ``over_market``: less beta times the mean gap of all
        others; ``over_sector``: less the mean of what that leaves of the sector's others, too;
        ``over_sector_<tilt>``: the last one times each tilt and times what it leaves of 1. Each x
        as x / (1 + abs x).
    """
    gaps = ratio(price, known.previous_close) - 1
    moved = gaps if own is None else ratio(own, known.previous_close) - 1
    counted = np.where(np.isnan(known.deviation), np.nan, np.clip(gaps, -MOST_GAP, MOST_GAP))
    market = known.beta * peers_mean(counted, np.zeros(len(known.symbols), np.int64))
    sector = market + np.nan_to_num(peers_mean(counted - market, known.sectors))
    over_sector = _bounded(ratio(moved - sector, known.deviation))
    columns = {
        "gap": _bounded(ratio(moved, known.deviation)),
        "over_market": _bounded(ratio(moved - market, known.deviation)),
        "over_sector": over_sector,
    }
    for name, tilt in known.tilts.items():
        columns[f"over_sector_{name}"] = over_sector * tilt
        columns[f"over_sector_less_{name}"] = over_sector * (1 - tilt)
    return {f"{INDICATED}{name}": values for name, values in columns.items()}


def _bounded(values: Array) -> Array:
    return values / (1 + np.abs(values))


# The indication in history


def simulated(
    opened: pd.DataFrame, error_bps: float, common_share: float, seed: int
) -> pd.DataFrame:
    """The printed open with an error drawn for each symbol and session.

    Parameters
    ----------
    opened
        Sessions x symbols, currency per share.
    error_bps
        Standard deviation of the error, in basis points.
    common_share
        Part of its variance that all symbols of a session have in common, in [0, 1].
    seed
        The draw of (seed, session, symbol) is the same whatever else is drawn.
    """
    sessions = pd.DatetimeIndex(opened.index)
    both = normal_draws(seed, sessions, [*map(str, opened.columns), ""])
    own, common = both[:, :-1], both[:, -1:]
    error = np.sqrt(1 - common_share) * own + np.sqrt(common_share) * common
    return opened * (1 + error_bps * BPS * error)


def normal_draws(seed: int, sessions: pd.DatetimeIndex, names: list[str]) -> Array:
    """Standard normal draws, sessions x names: a hash of (seed, session, name) each.

    Source of the hash: Steele, Lea and Flood (2014), "Fast Splittable Pseudorandom Number
    Generators" (SplitMix64's finaliser).
    """
    from scipy.special import ndtri  # every command loads this module, few draw

    of_name = np.array(
        [
            int.from_bytes(hashlib.blake2b(f"{seed} {name}".encode(), digest_size=8).digest())
            for name in names
        ],
        dtype=np.uint64,
    )
    days = sessions.to_numpy().astype("datetime64[D]").astype(np.int64).astype(np.uint64)
    mixed = _mixed(of_name[None, :] ^ _mixed(days * np.uint64(0x9E3779B97F4A7C15))[:, None])
    return np.asarray(ndtri(((mixed >> np.uint64(11)).astype(np.float64) + 0.5) / 2.0**53))


def _mixed(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


# Opens that are no prices

STALE_SHARE = 0.5
"""Of the sessions before: opens that repeat the previous close more often are copies of it."""

STALE_SESSIONS, LEAST_SESSIONS = 63, 20
STALE_WITHIN = 1e-4
BEYOND_RANGE = 1e-3
"""An open further than this beyond high or low is none of the session's prices."""


MOST_JUMP = 0.5
"""Logarithm; a gap beyond it is a split, another company or a fault: not a price to trade on."""

SMALL_SPLITS = (2 / 3, 3 / 4, 4 / 5, 5 / 4, 4 / 3, 3 / 2)
SPLIT_WITHIN = 0.01
"""So near to one of these, on either side, are 58 of 1.6 million opens of 500 large US stocks."""


def jumps(opened: Array, previous_close: Array) -> dict[str, npt.NDArray[np.bool_]]:
    """Where an open or an indicated one is no price of the shares that closed, by reason.

    Of two for one, as of every gap beyond `MOST_JUMP`, and of the usual smaller splits.
    """
    ratio_of_gap = ratio(opened, previous_close)
    near = [np.abs(ratio_of_gap / split - 1) < SPLIT_WITHIN for split in SMALL_SPLITS]
    return {
        "jump": np.abs(np.log(ratio_of_gap)) > MOST_JUMP,
        "like a split": np.logical_or.reduce(near),
    }


def tradeable_opens(bars: BarPanel, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Opens of these sessions that an order could have been filled at; NaN otherwise.

    Parameters
    ----------
    bars
        From `STALE_SESSIONS` before the first session on.
    """
    faults = bad_opens(bars)
    bad = np.logical_or.reduce([faults[name].to_numpy() for name in faults])
    return bars.open.where(~bad).reindex(sessions)


def bad_opens(bars: BarPanel) -> dict[str, pd.DataFrame]:
    """Where opens are no prices to trade at, by reason; sessions x symbols of booleans.

    ``copy of a close``: most opens of the 63 sessions before were the previous close, which is
    known the evening before. ``outside of the range``, beyond the session's high or low, and
    ``without volume`` are known after it: such a print is a fault of the data, and no fill is made
    of it. That a stock opened late no daily bar tells; in the morning its quote is too old.
    """
    opened = bars.open
    moves = (opened / bars.close.shift() - 1.0).abs()
    copies = (moves < STALE_WITHIN).astype("float64").where(moves.notna())
    share = copies.rolling(STALE_SESSIONS, min_periods=LEAST_SESSIONS).mean().shift()
    beyond = (opened > bars.high * (1 + BEYOND_RANGE)) | (opened < bars.low * (1 - BEYOND_RANGE))
    return {
        "copy of a close": share > STALE_SHARE,
        "outside of the range": beyond,
        "without volume": (bars.volume == 0.0) & opened.notna(),
    }
