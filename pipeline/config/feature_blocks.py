"""Snapshots of some sessions as a task: a place that knows the set by its name can make them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from pipeline.config.installed import feature_set
from pipeline.market.features import FeatureInputs, Snapshots, snapshots
from pipeline.market.membership import of_members


class Block(NamedTuple):
    """Sessions to make, and what they are made of.

    Attributes
    ----------
    inputs
        From the look-back before the first session on.
    following
        The session after the store's last one.
    members
        bool, sessions x symbols, of a universe that changes; None: every symbol is one.
    """

    inputs: FeatureInputs
    sessions: pd.DatetimeIndex
    following: pd.Timestamp
    members: pd.DataFrame | None


class BlockSnapshots(NamedTuple):
    """Sessions that were made, and their rows."""

    sessions: pd.DatetimeIndex
    made: Snapshots


def block_snapshots(set_name: str, rows: Mapping[str, Any], block: Block) -> BlockSnapshots:
    """The snapshots of a block by the features of a set.

    Parameters
    ----------
    rows
        Limits of `market.features.snapshots`: which symbols get a row.
    """
    features = feature_set(set_name)

    def make(inputs: FeatureInputs, sessions: pd.DatetimeIndex) -> Snapshots:
        following = block.following if sessions[-1] == block.following else None
        return snapshots(features, inputs, sessions, next_session=following, **rows)

    if block.members is None:
        return BlockSnapshots(block.sessions, make(block.inputs, block.sessions))
    return BlockSnapshots(block.sessions, of_members(make, block.inputs, block.members))
