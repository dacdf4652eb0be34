"""Hyper-parameter search on walk-forward folds: the same study for any number of workers.

Trials are proposed in fixed batches by a sampler rebuilt from (seed, learner, batch number),
from what earlier batches told, evaluated in parallel and told in order. A study that a killed
process left behind is replayed: proposals are drawn again, and what it holds is not fitted
again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import optuna
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import TrialState

from pipeline.errors import InvalidData, InvalidSettings, PipelineError
from pipeline.learning.evaluation import OBJECTIVES, Objective, StrategyReturns
from pipeline.learning.folds import Fold
from pipeline.learning.models import Learner
from pipeline.learning.threads import fit_workers
from pipeline.learning.trials import Bench, Trial, replayed, stored


def search(
    study: optuna.Study,
    learner: Learner,
    folds: Sequence[Fold],
    *,
    objective: str,
    n_trials: int,
    batch_size: int,
    seed: int,
    clock: Callable[[], float],
    workers: int = 1,
    strategy_returns: StrategyReturns | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    timeout: float | None = None,
) -> Trial:
    """Best of ``n_trials`` hyper-parameter sets (one, if the learner searches nothing).

    Parameters
    ----------
    study
        Where trials are kept; its direction is the objective's. May hold the beginning of the
        same search.
    objective
        A name of ``evaluation.OBJECTIVES``.
    batch_size
        Trials proposed before any of them is told. Part of the result, unlike ``workers``.
    clock
        Seconds, such as ``time.perf_counter``; decides nothing but ``timeout``.
    strategy_returns
        Predictions -> net return a session; must be safe to call from several threads.
    on_trial
        Called with every trial in order, replayed ones included, after it is in the study.
    timeout
        Seconds after which no further batch begins.

    Returns
    -------
    Trial
        The best complete trial (the earlier of equals) with its out-of-fold predictions.

    Raises
    ------
    InvalidSettings
        Unknown objective, wrong direction, or a faulty search space.
    InvalidData
        The study holds other trials than this search proposes.
    PipelineError
        Every trial failed.
    """
    chosen = _objective(objective, study)
    bench = Bench(learner, folds, chosen, strategy_returns, seed, clock)
    trials: list[Trial] = []
    began = clock()
    with _quiet(), fit_workers(workers) as pool:
        proposer = _Proposer(learner, chosen, seed)
        wanted = n_trials if learner.space else 1
        for batch, first in enumerate(range(0, wanted, batch_size)):
            if timeout is not None and batch and clock() - began > timeout:
                break
            asked = proposer.ask(batch, min(batch_size, wanted - first))
            for trial in _told(bench, pool, proposer, study, asked):
                trials.append(trial)
                if on_trial is not None:
                    on_trial(trial)
        best = _best(trials, chosen)
        if best.out_of_fold is None:
            again = bench.finish(best.number, best.params, bench.start(pool, best.params))
            best = replace(best, out_of_fold=again.out_of_fold)
    return best


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


class _Proposer:
    """Draws parameter sets from an in-memory twin of the study.

    The twin hears of a batch only as a whole, so that a study cut off inside a batch makes the
    same proposals when it goes on.
    """

    def __init__(self, learner: Learner, objective: Objective, seed: int) -> None:
        self.learner = learner
        self.seed = seed
        self.space = distributions(learner)
        self.twin = optuna.create_study(direction=objective.direction)
        self.twin.enqueue_trial({name: learner.initial[name] for name in self.space})

    def ask(self, batch: int, count: int) -> list[optuna.Trial]:
        self.twin.sampler = optuna.samplers.TPESampler(
            seed=_stable_hash(self.seed, self.learner.name, batch)
        )
        return [self.twin.ask(self.space) for _ in range(count)]

    def tell(self, asked: Sequence[optuna.Trial], trials: Sequence[Trial]) -> None:
        for proposal, trial in zip(asked, trials, strict=True):
            if trial.state == "complete":
                self.twin.tell(proposal, trial.value)
            else:
                self.twin.tell(proposal, state=TrialState.FAIL)


def _told(
    bench: Bench,
    pool: Executor,
    proposer: _Proposer,
    study: optuna.Study,
    asked: Sequence[optuna.Trial],
) -> Iterator[Trial]:
    """The batch's trials in order, each fitted or replayed, and by then in the study."""
    kept = study.get_trials(deepcopy=False)
    fresh = [proposal for proposal in asked if proposal.number >= len(kept)]
    fits = {proposal.number: bench.start(pool, proposal.params) for proposal in fresh}
    trials = []
    for proposal in asked:
        if proposal.number in fits:
            trial = bench.finish(proposal.number, proposal.params, fits[proposal.number])
            study.add_trial(stored(trial, proposal.params, proposer.space))
        else:
            _check_same(kept[proposal.number].params, proposal.params, study)
            trial = replayed(kept[proposal.number], bench.learner)
        trials.append(trial)
        yield trial
    proposer.tell(asked, trials)


def _objective(name: str, study: optuna.Study) -> Objective:
    if name not in OBJECTIVES:
        raise InvalidSettings("search", f"objective {name!r}", f"one of {sorted(OBJECTIVES)}")
    chosen = OBJECTIVES[name]
    if study.direction.name.lower() != chosen.direction:
        raise InvalidSettings(
            "search", f"a study to {study.direction.name.lower()}", f"{chosen.direction} {name}"
        )
    return chosen


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


def _check_same(kept: Mapping[str, Any], proposed: Mapping[str, Any], study: optuna.Study) -> None:
    if kept != proposed:
        raise InvalidData(
            "search",
            f"study {study.study_name!r} holds {dict(kept)} where this search "
            f"proposes {dict(proposed)}",
            "a study of the same seed, space, batch size and Optuna version, or an empty one",
        )


def _best(trials: Sequence[Trial], objective: Objective) -> Trial:
    complete = [trial for trial in trials if trial.state == "complete"]
    if not complete:
        raise PipelineError(
            "search",
            f"all {len(trials)} trials of {trials[0].learner} failed, first: {trials[0].error}",
            "a learner that fits this data",
        )
    sign = 1.0 if objective.direction == "minimize" else -1.0
    return min(complete, key=lambda trial: (sign * trial.value, trial.number))


def _stable_hash(*parts: object) -> int:
    return int.from_bytes(hashlib.sha256(repr(parts).encode()).digest()[:4], "big")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing the in-memory twin."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
