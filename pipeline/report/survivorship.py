"""What a universe knows of symbols that are no more: the survivorship that results carry."""

from __future__ import annotations

import pandas as pd

PATIENCE = pd.Timedelta(days=30)


def survivorship(last_sessions: pd.Series, *, left: int | None) -> str:
    """In one sentence, how many symbols end early, and as of when members are known.

    Parameters
    ----------
    last_sessions
        Newest session by symbol; one before the newest of all by more than `PATIENCE` is an end.
    left
        How many symbols of the universe are members no longer; None: it tells no dates.

    >>> last = pd.Series(pd.to_datetime(["2024-03-25", "2023-01-05"]), ["AAB", "BBC"])
    >>> survivorship(last, left=None)
    '1 of 2 symbols ends before the last session; membership is known of one day only'
    """
    ended = int((last_sessions < last_sessions.max() - PATIENCE).sum())
    of_all = f"{ended} of {len(last_sessions)} symbols {'ends' if ended == 1 else 'end'} before the"
    dated = f"each session, {left} {'has' if left == 1 else 'have'} left"
    known = f"membership is known of {'one day only' if left is None else dated}"
    survivors = not ended and not left and len(last_sessions) > 1
    only = "; only survivors: results are too good" if survivors else ""
    return f"{of_all} last session; {known}{only}"
