"""What a universe knows of symbols that are no more: the survivorship that results carry."""

from __future__ import annotations

import pandas as pd

PATIENCE = pd.Timedelta(days=30)


def survivorship(last_sessions: pd.Series, *, is_dated: bool) -> str:
    """In one sentence, how many symbols end early, and as of when members are known.

    Parameters
    ----------
    last_sessions
        Newest session by symbol; one before the newest of all by more than `PATIENCE` is an end.
    is_dated
        Whether the universe says since and until when each symbol is a member.

    >>> last = pd.Series(pd.to_datetime(["2024-03-25", "2023-01-05"]), ["AAB", "BBC"])
    >>> survivorship(last, is_dated=False)
    '1 of 2 symbols ends before the last session; membership is known of one day only'
    """
    ended = int((last_sessions < last_sessions.max() - PATIENCE).sum())
    of_all = f"{ended} of {len(last_sessions)} symbols {'ends' if ended == 1 else 'end'} before the"
    known = f"membership is known of {'each session' if is_dated else 'one day only'}"
    only = "; only survivors: results are too good" if not ended and len(last_sessions) > 1 else ""
    return f"{of_all} last session; {known}{only}"
