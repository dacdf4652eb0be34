"""Names of a model's life: its health, its history, the run it is drawn on."""

from __future__ import annotations

from typing import Final


class LifeStages:
    """Values of the tag ``stage``."""

    MONITOR: Final = "monitor"
    """The run that a version's life is drawn on."""


class LifeTags:
    """Tags of runs, of model versions and of the registered model."""

    LIFE: Final = "life."
    """Start of the registered model's tags that hold its history, one an event."""
    HEALTH: Final = "health"
    """Of a version: healthy, watch, expired or stop, and the reasons; "stop" trades nothing."""
    SUMMARY: Final = "summary"
    """One line of an evening, as a monitoring system reads it."""
    CHALLENGED: Final = "challenger.was"
    """Of a version that is or was the challenger: "true"."""
    CHALLENGER_INTENT: Final = "challenger.intent"
    """Of a version that the alias was not moved to yet."""
    CHAMPION_INTENT: Final = "champion.intent"
    """Of the registered model: the move under way, gone when it is recorded."""
    DRAWN_UNTIL: Final = "monitor.until"
    """Start of a monitoring run's tags that hold the last session drawn, by kind."""
    MONITORS: Final = "monitors"
    """Version, or baseline, that a monitoring run is of."""
    LEDGER_HEAD: Final = "ledger.head"
    """Hash of the newest entry of the forecast ledger, noted away from the store."""
    LEDGER_STORE: Final = "ledger.store"
    PROMISE: Final = "promise"
    """What the evidence of a version says of the series it is watched by."""
    EVIDENCE: Final = "champion.evidence"
    """Of a version: id of the run that it was promoted on."""


class LifeMetrics:
    """Metrics; a name that ends in ``/`` is the start of several."""

    LIVE: Final = "live/"
    """What became of forecasts that were made in time, a step a session: the age."""
    REPLAY: Final = "replay/"
    """The same of replays of the past."""
    SCORED: Final = "score/sessions"
    MONITOR: Final = "monitor/"
    """Figures of a version's health, a step a session; the kind of its evenings follows."""
    COMPARISON: Final = "comparison/"
    """What `weekly` found of challenger against champion: fields of `comparison.Comparison`."""


class LifeArtifacts:
    """Files of monitoring runs."""

    LIVE_PAGE: Final = "live.html"
    """Live against promised."""


class LifeTables:
    """Tables of runs."""

    OUTCOMES: Final = "life/outcomes"
    HEALTH: Final = "life/health"
    HISTORY: Final = "life/history"
    RECONCILIATION: Final = "life/reconciliation"
