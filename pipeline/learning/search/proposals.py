"""What a search tries next: the space in Optuna's terms, and batches of proposals from it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import get_args

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from pipeline.errors import Fault, InvalidSettings
from pipeline.learning.learner import Learner, Parameter
from pipeline.learning.search.plan import Sampler
from pipeline.learning.search.trial_runner import TrialRunner
from pipeline.learning.search.trials import STATES, Trial

SAMPLERS = get_args(Sampler)
MAX_DRAWS = 100
"""Random draws after which a set of parameters may come a second time."""


class Proposer:
    """Draws parameter sets from an in-memory twin of the study.

    The twin hears of a batch only as a whole, so that a study cut off inside a batch makes the
    same proposals when it goes on.
    """

    def __init__(self, learner: Learner, direction: str, seed: int, sampler: str) -> None:
        self.learner = learner
        self.seed = seed
        self.sampler = sampler
        self.space = distributions(learner)
        self.twin = optuna.create_study(direction=direction)
        self.drawn = [{name: learner.initial[name] for name in self.space}]
        self.twin.enqueue_trial(self.drawn[0])

    def ask(self, batch: int, count: int) -> list[optuna.Trial]:
        """The next batch, numbered from 0; the first proposal of all has the initial values."""
        seed = _stable_hash(self.seed, self.learner.name, batch)
        if self.sampler == "random":
            self._draw(optuna.samplers.RandomSampler(seed), count if batch else count - 1)
        self.twin.sampler = optuna.samplers.TPESampler(seed=seed)
        return [self.twin.ask(self.space) for _ in range(count)]

    def _draw(self, random: optuna.samplers.RandomSampler, count: int) -> None:
        for _ in range(count):
            for _ in range(MAX_DRAWS):
                params = {
                    name: random.sample_independent(self.twin, None, name, distribution)
                    for name, distribution in self.space.items()
                }
                if params not in self.drawn:
                    break
            self.drawn.append(params)
            self.twin.enqueue_trial(params)

    def tell(
        self, proposals: Sequence[optuna.Trial], trials: Sequence[Trial], runner: TrialRunner
    ) -> None:
        """Let the twin know how the proposals did."""
        for proposal, trial in zip(proposals, trials, strict=True):
            if trial.state == "complete":
                self.twin.tell(proposal, trial.value)
                continue
            for fold, value in enumerate(runner.running(trial)):
                proposal.report(value, fold)  # a pruned trial counts by how far it came
            self.twin.tell(proposal, state=STATES[trial.state])


def distributions(learner: Learner) -> dict[str, BaseDistribution]:
    """The learner's space in Optuna's terms.

    Raises
    ------
    InvalidSettings
        Naming every dimension that Optuna refuses, such as a logarithmic one that holds 0.
    """
    faults, space = [], {}
    for name, dimension in learner.space.items():
        try:
            space[name] = _distribution(dimension)
        except ValueError as error:
            faults.append(Fault(name, str(error)))
    if faults:
        raise InvalidSettings(
            "model", needed="a valid space", faults=[fault.under(learner.name) for fault in faults]
        )
    return space


def _distribution(dimension: Parameter) -> BaseDistribution:
    if dimension.choices is not None:
        return CategoricalDistribution(dimension.choices)
    assert dimension.low is not None
    assert dimension.high is not None
    if dimension.type == "int":
        low, high, step = int(dimension.low), int(dimension.high), int(dimension.step or 1)
        return IntDistribution(low, high, log=dimension.log, step=step)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log, step=dimension.step)


def _stable_hash(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
