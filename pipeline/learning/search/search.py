"""Hyper-parameter search on folds of whole sessions: the same study for any number of workers.

Trials are proposed in fixed batches by a sampler rebuilt from (seed, learner, batch number),
from the results of earlier batches, evaluated in parallel and recorded in order. Pruning compares
with earlier batches alone. A study that a killed process left behind is replayed: proposals are
drawn again, and what it holds is not fitted again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import optuna

from pipeline.errors import InvalidData, InvalidSettings, PipelineError
from pipeline.learning.learner import Learner
from pipeline.learning.pool import HERE, Pool
from pipeline.learning.search.folds import Fold
from pipeline.learning.search.objectives import OBJECTIVES, Objective, StrategyReturns
from pipeline.learning.search.proposals import SAMPLERS, Proposer
from pipeline.learning.search.trial_runner import PRUNERS, TrialRunner
from pipeline.learning.search.trials import Trial, replayed, stored
from pipeline.learning.threads import single_threaded


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
    pool: Pool = HERE,
    strategy_returns: StrategyReturns | None = None,
    on_trial: Callable[[Trial], None] | None = None,
    timeout: float | None = None,
    sampler: str = "tpe",
    pruner: str | None = None,
) -> Trial:
    """Best of ``n_trials`` hyper-parameter sets (one, if the learner searches nothing).

    Parameters
    ----------
    study
        Where trials are kept; its direction is the objective's. May hold the beginning of the
        same search.
    objective
        A name of ``objectives.OBJECTIVES``: ``mae`` for forecasts close to the return itself,
        and for comparing with systems that report it; ``mae_relative`` for the same across
        symbols, without the session's own move, which no feature foresees; ``rank_ic`` where
        only the order of symbols counts, as with a fixed number of positions; ``sharpe_net``
        for what the strategy earns after costs, the noisiest of them, for long folds and many
        trades only.
    batch_size
        Trials proposed before the result of any of them is known. Part of the result, unlike the
        workers.
    clock
        Seconds, such as ``time.perf_counter``; decides nothing but ``timeout``.
    pool
        Where the fits run; decides nothing but the time they take.
    strategy_returns
        Predictions -> net return a session; must be safe to call from several threads, and be
        picklable where the pool is a cluster.
    on_trial
        Called with every trial in order, replayed ones included, after it is in the study.
    timeout
        Seconds after which no further batch begins.
    sampler
        ``tpe`` (Bergstra et al., 2011) learns from earlier batches; ``random`` draws without
        repeating itself. The first trial has the initial values under both.
    pruner
        A name of ``trial_runner.PRUNERS``: trials worse than that share of the complete ones of
        earlier batches stop between folds. What completes has the same score as without; under
        ``tpe`` other sets are proposed after the first pruned one. None: every trial completes.

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
    _check_names(sampler, pruner)
    runner = TrialRunner(learner, folds, chosen, strategy_returns, seed, clock)
    trials: list[Trial] = []
    began = clock()
    with _quiet(), single_threaded():
        proposer = Proposer(learner, chosen.direction, seed, sampler)
        count = n_trials if learner.space else 1
        for batch, first in enumerate(range(0, count, batch_size)):
            if timeout is not None and batch and clock() - began > timeout:
                break
            proposals = proposer.ask(batch, min(batch_size, count - first))
            limits = runner.limits(pruner, trials)
            for trial in _recorded(runner, pool, proposer, study, proposals, limits):
                trials.append(trial)
                if on_trial is not None:
                    on_trial(trial)
        best = _best(trials, chosen)
        if best.out_of_fold is None:
            proposed = study.get_trials(deepcopy=False)[best.number].params
            again = next(runner.trials(pool, [(best.number, proposed)]))
            best = replace(best, out_of_fold=again.out_of_fold)
    return best


def _recorded(
    runner: TrialRunner,
    pool: Pool,
    proposer: Proposer,
    study: optuna.Study,
    proposals: Sequence[optuna.Trial],
    limits: Sequence[float] | None,
) -> Iterator[Trial]:
    """The batch's trials in order, each fitted or replayed, and by then in the study."""
    done = study.get_trials(deepcopy=False)
    fresh = [(each.number, each.params) for each in proposals if each.number >= len(done)]
    fitted = runner.trials(pool, fresh, limits)
    trials = []
    for proposal in proposals:
        if proposal.number >= len(done):
            trial = next(fitted)
            study.add_trial(stored(trial, proposal.params, proposer.space))
        else:
            _check_same(done[proposal.number].params, proposal.params, study)
            trial = replayed(done[proposal.number], runner.learner)
        trials.append(trial)
        yield trial
    proposer.tell(proposals, trials, runner)


def _objective(name: str, study: optuna.Study) -> Objective:
    if name not in OBJECTIVES:
        raise InvalidSettings("search", f"objective {name!r}", f"one of {sorted(OBJECTIVES)}")
    chosen = OBJECTIVES[name]
    if study.direction.name.lower() != chosen.direction:
        raise InvalidSettings(
            "search", f"a study to {study.direction.name.lower()}", f"{chosen.direction} {name}"
        )
    return chosen


def _check_names(sampler: str, pruner: str | None) -> None:
    if sampler not in SAMPLERS:
        raise InvalidSettings("search", f"sampler {sampler!r}", f"one of {sorted(SAMPLERS)}")
    if pruner is not None and pruner not in PRUNERS:
        raise InvalidSettings("search", f"pruner {pruner!r}", f"one of {sorted(PRUNERS)}, or none")


def _check_same(
    recorded: Mapping[str, Any], proposed: Mapping[str, Any], study: optuna.Study
) -> None:
    if recorded != proposed:
        raise InvalidData(
            "search",
            f"study {study.study_name!r} holds {dict(recorded)} where this search "
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna from announcing the in-memory twin."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
