"""From histories as yfinance gives them to bars of the store.

Rules of cleaning, in this order:

1. A split that Yahoo announces but has not applied to the bars before it yet is applied here, to
   prices and volumes: where it is at least 3:2 (or 2:3) and the opening price over the previous
   close lies nearer to its inverse than to 1.
2. Quarantined, as delivered, are bars on a day that is no session of the exchange; bars lacking a
   price or with one that is not positive; bars whose high is below, or low above, another price;
   bars of stocks without volume (nobody traded: Yahoo repeats the close).
3. A completed session without a delivered bar, from a symbol's first delivered one on, is a gap. A
   symbol without an answer has one gap, at the newest completed session requested, with the reason:
   delisted, no bars, or not delivered and why.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pandas as pd

from pipeline.io.sources.bar_rules import PRICES, broken, first_broken
from pipeline.io.sources.protocol import Delivery, no_actions
from pipeline.io.sources.yahoo.download import Answers
from pipeline.schemas import BAR_FIELDS, ROW, SESSION, SYMBOL

MIN_SPLIT = 1.5

NO_SESSION = "not a session of the exchange"
BAR_MISSING = "bar missing"
ENDED = "no bar since an earlier session"


def cleaned(
    answers: Answers,
    sessions: pd.DatetimeIndex,
    final_until: pd.Timestamp,
    without_volume: Collection[str] = (),
    *,
    is_whole: bool = False,
) -> Delivery:
    """Bars, what is wrong with others, and what is missing.

    Parameters
    ----------
    sessions
        Of the exchange, in the range that was requested.
    final_until
        The newest session whose bars are final.
    without_volume
        Symbols that have none: indices.
    is_whole
        Whether all of it was requested: then every split is known.
    """
    given = _long(answers)
    reasons = faults(given, sessions, without_volume)
    good = given[reasons == ""].set_index(ROW).sort_index()
    good["final"] = good.index.get_level_values(SESSION) <= final_until
    left_out = given.assign(reason=reasons)[reasons != ""]
    quarantine = left_out[[*ROW, "reason", *BAR_FIELDS]].sort_values(ROW, ignore_index=True)
    completed = sessions[sessions <= final_until]
    missing = pd.concat(
        [_missing(given, answers, completed), _unanswered(answers, completed, sessions)]
    )
    gaps = missing.sort_values(ROW, ignore_index=True)
    reported = frozenset(answers.histories) if is_whole else frozenset()
    return Delivery(good, quarantine, gaps, actions=_actions(answers), all_splits=reported)


def _actions(answers: Answers) -> pd.DataFrame:
    """Splits and dividends of all histories, sorted by session and symbol."""
    parts = [no_actions()]
    for symbol, given in answers.histories.items():
        days = pd.DatetimeIndex(given.index).tz_localize(None).normalize().as_unit("us")
        by_kind = {"split": given["Stock Splits"], "dividend": given["Dividends"]}
        values = {name: column.to_numpy("float64") for name, column in by_kind.items()}
        part = pd.DataFrame({SESSION: days, SYMBOL: symbol, **values})
        part = part.replace({"split": {0.0: np.nan}, "dividend": {0.0: np.nan}})
        parts.append(part.dropna(subset=["split", "dividend"], how="all"))
    filled = [part for part in parts if len(part)] or parts[:1]
    return pd.concat(filled).sort_values(ROW, ignore_index=True)


def with_late_splits(bars: pd.DataFrame, splits: pd.Series) -> pd.DataFrame:
    """Bars of one symbol with the splits applied that its source announced only: rule 1.

    Parameters
    ----------
    bars
        Index session, sorted; columns ``schemas.BAR_FIELDS``.
    splits
        By session, new shares for one old one; 0 where there is none.
    """
    closes = bars["close"].where(bars["close"] > 0).dropna()
    for session, ratio in splits[splits > 0].items():
        before, after = closes[closes.index < session], bars.loc[session:, "open"].dropna()
        sizeable = max(ratio, 1 / ratio) >= MIN_SPLIT
        if not sizeable or before.empty or after.empty or after.iloc[0] <= 0:
            continue
        step = np.log(after.iloc[0] / before.iloc[-1])
        if abs(step + np.log(ratio)) < abs(step):
            earlier = bars.index < session
            bars.loc[earlier, list(PRICES)] /= ratio
            bars.loc[earlier, "volume"] *= ratio
            closes = closes.where(closes.index >= session, closes / ratio)
    return bars


def faults(
    bars: pd.DataFrame, sessions: pd.DatetimeIndex, without_volume: Collection[str] = ()
) -> pd.Series:
    """Why a bar is left out, "" where it is good: rule 2 of the module.

    Parameters
    ----------
    bars
        Columns session, symbol and ``schemas.BAR_FIELDS``, one row a bar.
    sessions
        Of the exchange.
    """
    has_volume = (bars["volume"] > 0) | bars[SYMBOL].isin(list(without_volume))
    rules = {
        NO_SESSION: ~bars[SESSION].isin(sessions).to_numpy(),
        **broken(bars),
        "no volume": ~has_volume.to_numpy(),
    }
    reasons = first_broken(rules, len(bars))
    return pd.Series(reasons, index=bars.index, name="reason", dtype="str")


def _missing(given: pd.DataFrame, answers: Answers, sessions: pd.DatetimeIndex) -> pd.DataFrame:
    """Sessions without a bar, from each symbol's first delivered one on."""
    names = pd.Index(list(answers.histories), dtype="str")
    there = np.zeros((len(sessions), len(names)), dtype=bool)
    inside = given[given[SESSION].isin(sessions)]
    row = sessions.get_indexer(pd.DatetimeIndex(inside[SESSION]))
    there[row, names.get_indexer(pd.Index(inside[SYMBOL]))] = True
    begun = np.maximum.accumulate(there, axis=0)
    goes_on = np.maximum.accumulate(there[::-1], axis=0)[::-1]
    session, symbol = np.nonzero(begun & ~there)
    reason = np.where(goes_on[session, symbol], BAR_MISSING, ENDED)
    return _gaps(sessions[session], names[symbol], reason)


def _unanswered(
    answers: Answers, completed: pd.DatetimeIndex, sessions: pd.DatetimeIndex
) -> pd.DataFrame:
    """One gap a symbol: at the newest completed session, or the newest where none is completed."""
    at = (completed if len(completed) else sessions)[-1:]
    return _gaps(
        at.repeat(len(answers.reasons)), list(answers.reasons), list(answers.reasons.values())
    )


def _gaps(
    sessions: pd.Index, names: pd.Index | list[str], reasons: np.ndarray | list[str]
) -> pd.DataFrame:
    columns = {SESSION: sessions, SYMBOL: names, "reason": reasons}
    return pd.DataFrame(columns).astype({SYMBOL: "str", "reason": "str"})


def _long(answers: Answers) -> pd.DataFrame:
    """Rows of all histories: session, symbol, ``schemas.BAR_FIELDS``."""
    parts = [_bars(symbol, given) for symbol, given in answers.histories.items()]
    if not parts:
        keys = {SESSION: pd.DatetimeIndex([]).as_unit("us"), SYMBOL: pd.Series(dtype="str")}
        return pd.DataFrame(keys | dict.fromkeys(BAR_FIELDS, pd.Series(dtype="float64")))
    return pd.concat(parts, ignore_index=True).sort_values(ROW, ignore_index=True)


def _bars(symbol: str, given: pd.DataFrame) -> pd.DataFrame:
    index = pd.DatetimeIndex(given.index).tz_localize(None).normalize().as_unit("us")
    columns = {name: given[name.capitalize()].to_numpy("float64") for name in BAR_FIELDS}
    bars = pd.DataFrame(columns, index=pd.DatetimeIndex(index, name=SESSION)).sort_index()
    splits = pd.Series(given["Stock Splits"].to_numpy("float64"), index=index).sort_index()
    whole = with_late_splits(bars, splits).reset_index()
    whole.insert(1, SYMBOL, symbol)
    return whole
