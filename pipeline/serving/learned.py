"""Whether what a version learned from is what the store holds."""

from __future__ import annotations

import logging
from dataclasses import replace

import pandas as pd

from pipeline.contract import Metrics, Tags
from pipeline.errors import NotReady, TooFewSessions
from pipeline.gates.identity import DataIdentity
from pipeline.io.tracking import models
from pipeline.io.tracking.identity import confirmed
from pipeline.io.tracking.values import ModelVersion
from pipeline.learning.dataset import digest
from pipeline.recipe.decision import Indicated, IndicatedOpen
from pipeline.serving import versions
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.promote")


def learned_metrics(
    workspace: Workspace, version: ModelVersion, identity: DataIdentity, *, reads_rows: bool
) -> dict[str, float]:
    """``version/data_agreement`` and ``version/learned_unchanged``.

    The digest of what it learned from has to be that which its own run recorded: a version that
    was tagged with another one confirms nothing. Rows that a source has mended since change it
    too, so the recorded cells say how much of the data is as it was.

    Parameters
    ----------
    identity
        Of the data of the version's run.
    reads_rows
        Whether the rows it learned from are read again: False leaves ``learned_unchanged`` out.
    """
    recorded = version.tags.get(Tags.LEARNED_DIGEST)
    if identity.learned_digest not in (None, recorded):
        log.warning(
            "promote: version %s says that it learned from rows %s, its run recorded %s",
            version.version, recorded, identity.learned_digest,
        )  # fmt: skip
        return {Metrics.VERSION_AGREEMENT: 0.0, Metrics.VERSION_LEARNED: 0.0}
    metrics = {Metrics.VERSION_AGREEMENT: confirmed(workspace, identity.learned)}
    if identity.learned_sessions is None or not reads_rows:
        return metrics
    unchanged = _digest_now(workspace, version, identity.learned_sessions) == recorded
    if not unchanged:
        log.warning(
            "promote: the rows that version %s learned from, or their features, have changed "
            "since; of its recorded cells %.1f %% are as they were",
            version.version, 100.0 * metrics[Metrics.VERSION_AGREEMENT],
        )  # fmt: skip
    return metrics | {Metrics.VERSION_LEARNED: float(unchanged)}


def _digest_now(
    workspace: Workspace, version: ModelVersion, learned: tuple[str, str]
) -> str | None:
    """Digest of the rows of these sessions as they are now; None where there are none."""
    first, last = map(pd.Timestamp, learned)
    ready = workspace.store.label_ready_sessions()
    sessions = ready[(ready >= first) & (ready <= last)]
    if sessions.empty:
        return None
    try:
        rows = workspace.dataset(sessions, list(models.features_of(version)))
    except (NotReady, TooFewSessions):
        return None
    decision, seed = versions.decision_of_version(version)
    if isinstance(decision, IndicatedOpen):
        drawn = Indicated.drawn(workspace, rows.sessions, decision, seed)
        rows = replace(rows, features=drawn.joined(rows.features))
    return digest(rows)
