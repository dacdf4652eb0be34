"""Requests to Yahoo: one symbol each, in threads, in batches, repeated where that may help.

`yfinance.download` only logs why a symbol failed; ``Ticker.history`` raises it, so that is what is
called, and every failure comes back with its reason.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.io.sources.protocol import DELISTED, NOT_DELIVERED
from pipeline.io.sources.settings import Download

log = logging.getLogger("pipeline.ingest")

NO_BARS = "no bars since the first session asked for"
RATE_LIMITED = "rate limited"


class Unanswered(Exception):
    """Why there is no history of a symbol.

    Attributes
    ----------
    final
        Asking again would give the same answer.
    """

    def __init__(self, reason: str, *, final: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


@dataclass(frozen=True)
class Answers:
    """Histories as yfinance gives them, and reasons, by symbol; each symbol is in one of both."""

    histories: dict[str, pd.DataFrame]
    reasons: dict[str, str]


Fetch = Callable[[str], pd.DataFrame]
"""The history of a symbol, or `Unanswered`."""


def answers(
    symbols: Sequence[str],
    fetch: Fetch,
    rules: Download,
    *,
    pause: Callable[[float], None] = time.sleep,
) -> Answers:
    """Request every symbol; a batch that stays rate limited or without any answer is the last."""
    delivered = Answers({}, {})
    for first in range(0, len(symbols), rules.batch_size):
        batch = symbols[first : first + rules.batch_size]
        _fetch_batch(batch, fetch, rules, pause, delivered)
        ended = _reason_to_end([delivered.reasons.get(name, "") for name in batch])
        if ended:
            delivered.reasons.update(dict.fromkeys(symbols[first + rules.batch_size :], ended))
            break
        if len(symbols) > rules.batch_size:
            log.info("ingest: %d of %d symbols requested", first + len(batch), len(symbols))
    return delivered


def _reason_to_end(reasons: Sequence[str]) -> str | None:
    """Why further batches would not be answered either."""
    limited = [reason for reason in reasons if reason.endswith(RATE_LIMITED)]
    silent = all(reason.startswith(NOT_DELIVERED) for reason in reasons)
    return limited[0] if limited else reasons[0] if silent else None


def _fetch_batch(
    batch: Sequence[str],
    fetch: Fetch,
    rules: Download,
    pause: Callable[[float], None],
    delivered: Answers,
) -> None:
    waiting = list(batch)
    for attempt in range(rules.attempts):
        if attempt:
            seconds = rules.backoff_seconds * 2 ** (attempt - 1)
            log.info("ingest: %d symbols are requested again in %g s", len(waiting), seconds)
            pause(seconds)
        failures = _fetch_once(waiting, fetch, rules.threads, delivered)
        waiting = [name for name, failure in failures.items() if not failure.final]
        delivered.reasons.update({n: _reason(failure) for n, failure in failures.items()})
        if not waiting:
            return


def _fetch_once(
    names: Sequence[str], fetch: Fetch, threads: int, delivered: Answers
) -> dict[str, Unanswered]:
    """Histories go to `delivered`; what failed is given back."""

    def answer(name: str) -> pd.DataFrame | Unanswered:
        try:
            return fetch(name)
        except Unanswered as failure:
            return failure

    failures = {}
    with raised_errors(), ThreadPoolExecutor(threads) as pool:
        for name, given in zip(names, pool.map(answer, names), strict=True):
            if isinstance(given, Unanswered):
                failures[name] = given
            else:
                delivered.histories[name] = given
                delivered.reasons.pop(name, None)
    return failures


def _reason(failure: Unanswered) -> str:
    return failure.reason if failure.final else f"{NOT_DELIVERED}: {failure.reason}"


@contextlib.contextmanager
def raised_errors() -> Iterator[None]:
    """Have yfinance raise what it otherwise hides, and forget answers that it kept.

    It keeps answers to requests for past ranges, failed ones too: a second request would not reach
    Yahoo.
    """
    import yfinance
    from yfinance.data import YfData

    YfData.cache_get.cache_clear()
    before = yfinance.config.debug.hide_exceptions
    yfinance.config.debug.hide_exceptions = False
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module="yfinance")  # pandas' to its authors
            yield
    finally:
        yfinance.config.debug.hide_exceptions = before


def history(
    symbol: str,
    start: pd.Timestamp,
    end: pd.Timestamp,
    *,
    timezone: str,
    timeout: float,
    session: Any = None,
) -> pd.DataFrame:
    """Daily history from `start` to `end`, both inclusive, by yfinance.

    ``auto_adjust=False``: prices and volumes as Yahoo keeps them, adjusted for splits, with the
    dividend-adjusted close in a column of its own.

    Raises
    ------
    Unanswered
        With Yahoo's reason.
    """
    import yfinance
    from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

    ticker = None
    try:
        ticker = yfinance.Ticker(symbol, session=session)
        # Known from the exchange: saves a request a symbol, whose failures yfinance hides.
        ticker._tz = timezone
        history = ticker.history(
            start=start.date(),
            end=(end + pd.Timedelta(days=1)).date(),
            interval="1d",
            auto_adjust=False,
            back_adjust=False,
            repair=False,
            actions=True,
            keepna=True,
            timeout=timeout,
        )
    except YFRateLimitError:
        raise Unanswered(RATE_LIMITED, final=False) from None
    except YFTzMissingError:
        raise Unanswered("an answer without a time zone", final=False) from None
    except YFPricesMissingError as error:
        raise _refusal(error.yahoo_reason, ticker) from None
    except Exception as error:
        raise failure(error) from error
    if history.empty:
        raise Unanswered(NO_BARS, final=True)
    return history


def _refusal(reason: str | None, ticker: Any) -> Unanswered:
    """What Yahoo's own words mean; an answer without words is one only if it names the symbol."""
    if reason is None:
        named = bool(ticker.history_metadata.get("symbol"))
        return Unanswered(NO_BARS if named else "an answer without prices", final=named)
    if "delisted" in reason:
        return Unanswered(DELISTED, final=True)
    if "doesn't exist" in reason:
        return Unanswered(NO_BARS, final=True)
    return Unanswered(reason, final=False)


def failure(error: Exception) -> Unanswered:
    """What may pass, with the kind and the words of an error."""
    # Times and links differ from one failure to the next; the same reason is counted as one.
    words = re.split(r"\n| after |\. See ", str(error))[0]
    return Unanswered(f"{type(error).__name__}: {words}"[:200], final=False)
