"""A search as a file that Optuna and optuna-dashboard open."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import optuna
from optuna.distributions import BaseDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from pipeline.io.tracking import uploads
from pipeline.learning.learner import Learner
from pipeline.learning.search.objectives import OBJECTIVES
from pipeline.learning.search.proposals import distributions
from pipeline.learning.search.trials import Trial, stored


def log_study(
    learners: Sequence[Learner], trials: Sequence[Trial], objective: str, name: str
) -> None:
    """Log the search to the open run, as one journal of Optuna with a study for each learner.

    ``optuna-dashboard FILE`` shows it; ``optuna.load_study(study_name=LEARNER,
    storage=JournalStorage(JournalFileBackend(FILE)))`` gives what Optuna's own plots take.

    Parameters
    ----------
    learners
        Those with one trial are left out: nothing was chosen.
    trials
        Of all learners, in the order of their numbers.
    objective
        One of ``OBJECTIVES``.
    name
        Of the artifact.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / Path(name).name
        storage = JournalStorage(JournalFileBackend(str(path)))
        for learner in learners:
            studied = [trial for trial in trials if trial.learner == learner.name]
            if len(studied) > 1:
                space = distributions(learner)
                study = optuna.create_study(
                    storage=storage,
                    study_name=learner.name,
                    direction=OBJECTIVES[objective].direction,
                )
                study.add_trials(_entry(trial, space) for trial in studied)
        if path.exists():
            uploads.send(name, path.read_bytes())


def _entry(trial: Trial, space: Mapping[str, BaseDistribution]) -> FrozenTrial:
    """Without what was found by early stopping: it need not lie in the space."""
    searched = {name: limits for name, limits in space.items() if name not in trial.trees}
    return stored(trial, {name: trial.params[name] for name in searched}, searched)
