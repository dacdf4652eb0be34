"""What a search tries next: the space in Optuna's terms, and batches of proposals from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)

from pipeline.errors import InvalidSettings
from pipeline.learning.bench import Bench
from pipeline.learning.models import Learner
from pipeline.learning.trials import STATES, Trial

SAMPLERS = ("tpe", "random")
MOST_DRAWS = 100
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
            for _ in range(MOST_DRAWS):
                params = {
                    name: random.sample_independent(self.twin, None, name, own)
                    for name, own in self.space.items()
                }
                if params not in self.drawn:
                    break
            self.drawn.append(params)
            self.twin.enqueue_trial(params)

    def tell(self, asked: Sequence[optuna.Trial], trials: Sequence[Trial], bench: Bench) -> None:
        """Let the twin know how the proposals did."""
        for proposal, trial in zip(asked, trials, strict=True):
            if trial.state == "complete":
                self.twin.tell(proposal, trial.value)
                continue
            for fold, value in enumerate(bench.running(trial)):
                proposal.report(value, fold)  # a pruned trial counts by how far it came
            self.twin.tell(proposal, state=STATES[trial.state])


def distributions(learner: Learner) -> dict[str, BaseDistribution]:
    """The learner's space in Optuna's terms, its initial values checked against it."""
    faults, space = [], {}
    for name, given in learner.space.items():
        try:
            space[name] = _distribution(given)
        except (KeyError, TypeError, ValueError) as error:
            faults.append(f"{name}: {type(error).__name__} {error}")
            continue
        start = learner.initial[name]
        choices = given.get("choices", ())
        if start not in choices and not (not choices and given["low"] <= start <= given["high"]):
            faults.append(f"{name}: initial {start!r} is outside of {dict(given)}")
    if faults:
        raise InvalidSettings("model", f"{learner.name}: {'; '.join(faults)}", "a valid space")
    return space


def _distribution(given: Mapping[str, Any]) -> BaseDistribution:
    options = {key: given[key] for key in ("log", "step") if given.get(key) is not None}
    if given["type"] == "categorical":
        return CategoricalDistribution(tuple(given["choices"]))
    if given["type"] == "int":
        whole = {"step": int(options.get("step", 1)), "log": options.get("log", False)}
        return IntDistribution(int(given["low"]), int(given["high"]), **whole)
    if given["type"] == "float":
        return FloatDistribution(given["low"], given["high"], **options)
    raise ValueError(f"type {given['type']!r} is none of float, int, categorical")


def _stable_hash(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")
