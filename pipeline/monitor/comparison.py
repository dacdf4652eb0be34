"""Challenger against champion on sessions that neither learned from, live ones included."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd

from pipeline.monitor import evidence
from pipeline.monitor.health import counted
from pipeline.stats.inference import MIN_JOINT_SESSIONS, paired_test


class Comparison(NamedTuple):
    """Two models on the same sessions.

    Attributes
    ----------
    sessions
        Joint ones with an outcome of both.
    rank_ic, net_return
        Challenger less champion, mean by session.
    pvalue
        One-sided, of a lower net return of the challenger; NaN under 60 joint sessions.
    e_better, e_worse
        Wealth of bets on the challenger's rank IC being higher, and lower: valid however often
        one looks.
    missing
        What the comparison lacks; empty where it can be made.
    """

    sessions: int
    rank_ic: float
    net_return: float
    pvalue: float
    e_better: float
    e_worse: float
    missing: str

    @property
    def in_words(self) -> str:
        """One or two sentences."""
        if not self.sessions:
            return self.missing
        figures = (
            f"{self.sessions} sessions are out of sample for both and kept: rank IC "
            f"{self.rank_ic:+.4f}, net {1e4 * self.net_return:+.1f} bp a session against the "
            f"champion; e-value {self.e_better:.1f} for better, {self.e_worse:.1f} for worse."
        )
        return f"{figures} {self.missing}".strip()


def compared(challenger: pd.DataFrame, champion: pd.DataFrame, seed: int) -> Comparison:
    """Compare outcomes of two models; live ones with live ones, replays with replays.

    Parameters
    ----------
    challenger, champion
        Outcomes of the store, of one recipe or version each; of several versions with an outcome
        of the same session the newest one counts.
    """
    kinds = [counted(each) for each in (challenger, champion)]
    ours, theirs = (
        each.drop_duplicates("session", keep="last").set_index("session") for each in kinds
    )
    joint = ours.index.intersection(theirs.index)
    if len(ours) and len(theirs) and ours["kind"].iloc[0] != theirs["kind"].iloc[0]:
        joint = joint[:0]
    if joint.empty:
        missing = (
            "No session has a kept forecast of both, so nothing live tells them apart: the "
            "challenger forecasts beside the champion from the next evening on; "
            f"{MIN_JOINT_SESSIONS} such sessions make a test."
        )
        return Comparison(0, math.nan, math.nan, math.nan, 1.0, 1.0, missing)
    ic = (ours["rank_ic"] - theirs["rank_ic"]).loc[joint].sort_index()
    net = [each["net_return"].loc[joint].sort_index() for each in (ours, theirs)]
    spread = float(ic.std()) if len(ic) > 1 and float(ic.std()) > 0.0 else 1.0
    scores = -evidence.below(ic.to_numpy("float64"), 0.0, spread)
    short = max(MIN_JOINT_SESSIONS - len(joint), 0)
    return Comparison(
        sessions=len(joint),
        rank_ic=float(ic.mean()),
        net_return=float((net[0] - net[1]).mean()),
        pvalue=paired_test(net[0], net[1], seed=seed),
        e_better=float(evidence.wealth(scores)[-1]),
        e_worse=float(evidence.wealth(-scores)[-1]),
        missing=f"{short} more are needed for a test of net returns." if short else "",
    )
