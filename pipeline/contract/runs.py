"""Names of runs: values of the tag ``stage``, tags, verdicts and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from pipeline.contract.metrics import Metrics

Value = TypeVar("Value")


class Stages:
    """Values of the tag ``stage`` that are no entry points."""

    TRIAL: Final = "trial"
    REFUSED: Final = "refused settings"
    """A run that `mlflow run` opened for settings that were refused: no stage began."""
    SWEEP: Final = "sweep"
    """Parent of the jobs of ``--multirun``."""
    SWEEP_CHILD: Final = "sweep child"
    """One combination of ``backtest.sweep``."""


class Tags:
    """Tags of runs and of model versions."""

    STAGE: Final = "stage"
    VERDICT: Final = "verdict"
    NOTE: Final = "mlflow.note.content"
    """What a run's page shows on top."""
    DATA_SOURCE: Final = "data_source"
    DATA_DIGEST: Final = "data_digest"
    MARKET_INDEX: Final = "market_index"
    ROUTINE: Final = "routine"
    """"true" on runs of data stages and of status, which nobody compares."""
    OVERRIDES: Final = "overrides"
    """What a run was started with, as typed."""
    FEATURE_SET: Final = "feature_set"
    FEATURE_VERSION: Final = "feature_version"
    RECIPE: Final = "recipe"
    UNIVERSE: Final = "universe"
    EVALUATION: Final = "evaluation"
    MODEL_VERSION: Final = "model_version"
    MODEL_DIGEST: Final = "model_digest"
    """Fingerprint of the model a run logged, equal for models equal to the last bit."""
    FILES_DIGEST: Final = "model_files"
    FILES: Final = "files."
    """Start of the tags with the digests of a run's files, by which they are checked."""
    PREDICTIONS: Final = "predictions"
    """Digest of a retrain's out-of-sample predictions: the same twice is one look."""
    LOOK_STRATEGY: Final = "look.strategy"
    """Digest of the rules and the bankroll that predictions were traded by."""
    LOOK_OPENING: Final = "look.opening"
    LOOK_FIRST: Final = "look.first"
    LOOK_LAST: Final = "look.last"
    LOOK_WITNESSES: Final = "look.witnesses"
    """Some cells of the data, by which the same data is known again."""
    LEARNED_DIGEST: Final = "learned_digest"
    """Of the rows that a version was fitted on."""
    RULES: Final = "rules"
    """"unproven" where signals are made by other rules than the recipe's."""
    EVIDENCE: Final = "evidence"
    """Id of the run whose metrics a promotion looked at."""
    OVERRIDDEN_GATES: Final = "gates_overridden"
    """Gates that differ from the file they are named by, and the thresholds used."""
    TRAINED_UNTIL: Final = "trained_until"
    WINDOW_START: Final = "window.start"
    WINDOW_END: Final = "window.end"
    HOLDOUT_START: Final = "holdout.start"
    """First session predicted out of sample."""
    HOLDOUT_END: Final = "holdout.end"
    """Last session predicted out of sample."""
    SESSION: Final = "session"
    """Session that signals, or the orders of a morning, are made for."""
    DATA_UNTIL: Final = "data_until"
    """Session whose bars signals are made of."""
    MOVED_BY_HAND: Final = "moved_by_hand"
    """Whether the champion of signals was moved on the registry page, "true" or "false"."""
    REGIMES_INDEX: Final = "regimes.index"
    REFIT: Final = "refit"
    CHOSEN_UNTIL: Final = "parameters.chosen_until"
    REPRODUCES: Final = "reproduces"
    GATES: Final = "gates"
    GATES_PASSED: Final = "gates.passed"
    """Of a version: names of the deciding gates that pass, or "none"."""
    GATES_FAILED: Final = "gates.failed"
    GATES_UNKNOWN: Final = "gates.unknown"
    AUDIT: Final = "audit"
    """The answer of an audit in words."""
    CHAMPION: Final = "champion."
    """Start of a version's tags that tell of its last promotion."""
    CHAMPION_HISTORY: Final = "champion.history"
    """Tag of the registered model: its last moves, oldest first."""
    LEARNER: Final = "learner"
    OBJECTIVE: Final = "objective"
    STATE: Final = "state"
    ERROR: Final = "error"
    DURATION: Final = "duration_seconds"
    RESUMED_FROM: Final = "resumed_from"
    STOPPED_BY: Final = "search.stopped_by"
    RECORDED_TRIALS: Final = "search.recorded_trials"
    """Trials each learner finished, by which a search ended by time is repeated."""
    PROCESS_HOST: Final = "process.host"
    PROCESS_ID: Final = "process.pid"
    PROCESS_STARTED: Final = "process.started"
    GIT_COMMIT: Final = "git.commit"
    GIT_DIRTY: Final = "git.dirty"
    ENVIRONMENT: Final = "environment.lock"
    PYTHON: Final = "environment.python"
    PROCESSOR: Final = "environment.processor"


class Verdicts:
    """Values of the tag ``verdict`` beside those of errors."""

    DONE: Final = "done"
    ACCEPTED: Final = "accepted"
    FORCED: Final = "forced"
    ROLLED_BACK: Final = "rolled back"
    NOT_READY: Final = "not ready"
    INTERRUPTED: Final = "interrupted"


class Parameters:
    """Parameters of runs."""

    CHOSEN: Final = "tuned."
    """Start of a chosen parameter's name, ``tuned.<learner>.<name>``: runs of another learner have
    others, so they come behind what all runs have."""
    CHOSEN_ONCE: Final = "best."
    """The same in runs of older releases."""


FORMER: Final = {
    "search/trials_told": Metrics.TRIALS_FINISHED,
    "search.told_trials": Tags.RECORDED_TRIALS,
}
"""Names of metrics and tags in runs of older releases -> today's."""


def renamed(values: Mapping[str, Value]) -> dict[str, Value]:
    """Metrics or tags of a run, whichever release made it, under today's names.

    >>> renamed({"search/trials_told": 4.0, "cv/trials": 2.0})
    {'search/trials_finished': 4.0, 'cv/trials': 2.0}
    """
    return {FORMER.get(name, name): value for name, value in values.items()}
