"""The one door to Hydra and MLflow: from a command line to `run(settings)` inside one run.

Exit codes: 0 done, 1 refused (settings too) or not ready, 2 fault, 130 interrupted (128 and the
signal's number).
"""

from __future__ import annotations

import gc
import io
import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from pipeline import commands
from pipeline.aliases import renamed_overrides
from pipeline.commands import Command, translate
from pipeline.config import build
from pipeline.config.compose import CONFIG_DIR, check, compose, diagnosed, hydra_words, unclosed
from pipeline.config.jobs import as_sweep, is_sweep, jobs_of
from pipeline.config.sections import Tracking
from pipeline.config.settings import Settings
from pipeline.contract import Stages
from pipeline.errors import InvalidSettings, PipelineError, Refused
from pipeline.io import process, terminal
from pipeline.io.cluster import jobs
from pipeline.paths import ARTIFACTS
from pipeline.report.jobs import Job, Traded
from pipeline.schemas import PROJECT_NAME
from pipeline.secrets import holds_password, holds_secret, masked
from pipeline.stages import look_for_garbage

DATA_STAGES = ("ingest", "indicators", "regimes", "features", "labels")

SPREAD = ("retrain", "backtest", "reproduce")
"""Stages whose fits go to a cluster: of their sweeps over one, jobs run side by side."""

Stage = Callable[[Settings], Traded | None]
log = logging.getLogger("pipeline")


def command(stage: str, run: Stage, *, tracked: bool = True) -> None:
    """Run a stage as `python -m pipeline.stages.<stage>` does, and exit with its code."""
    terminal.log_lines()
    typed = sys.argv[1:]
    _prepare_process()
    commands.use(jobs.form() or commands.detect(os.environ, Path(sys.prefix)))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    if jobs.sweep_run():
        jobs.end_with_the_sweep()
    try:
        with terminal.watched() if tracked else nullcontext():
            _called(stage, run, typed, tracked)
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt as ended_by:
        again = Command(stage, *translate(typed))
        print(f"{stage}: interrupted; the same command goes on: {again}", file=sys.stderr)
        sys.exit(128 + next(iter(ended_by.args), signal.SIGINT))
    except Exception as error:
        known = _explained(stage, error)
        print(known or masked(traceback.format_exc()), file=sys.stderr)
        sys.exit(known.exit_code if known else 2)
    finally:
        # The process ends: looking for garbage among MLflow's million objects takes 0.8 s more.
        gc.freeze()


def _explained(stage: str, error: Exception) -> PipelineError | None:
    """A fault of the machine, of MLflow or of the network, in words."""
    from pipeline.io.tracking import outside  # brings MLflow, which ui alone does without

    return outside.explained(stage, error)


def _prepare_process() -> None:
    """A terminal of few letters gets what it can show; a user without a name gets one."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    name = process.user()
    if name == process.NOBODY:
        os.environ["LOGNAME"] = name  # where Python, and so MLflow, looks first
    plain = logging.getLogRecordFactory()

    def without_secrets(*arguments: Any, **named: Any) -> logging.LogRecord:
        record = plain(*arguments, **named)
        text = record.getMessage()
        if holds_secret(text):
            record.msg, record.args = masked(text), ()
        return record

    logging.setLogRecordFactory(without_secrets)


def _interrupt(number: int, frame: object) -> NoReturn:
    """End what runs as Ctrl-C does, once: what follows would break off the end itself.

    `mlflow run` answers a Ctrl-C, which reaches this process too, with a SIGTERM of its own, and
    then marks as FAILED what is not marked yet.
    """
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # who insists is obeyed
    raise KeyboardInterrupt(number)


def _called(stage: str, run: Stage, typed: Sequence[str], tracked: bool) -> None:
    """Compose, check and run; settings that are refused leave no run of the stage behind."""
    if any(map(holds_password, typed)):
        _take_password_back(stage, typed, tracked)
    try:
        arguments = as_sweep(renamed_overrides(translate(typed)))
    except ValueError:
        _refuse(stage, unclosed(stage, typed), tracked)
    commands.use_overrides(arguments)
    sys.argv[1:] = hydra_words(arguments)
    try:
        if not (stage in SPREAD and is_sweep(arguments) and _spread(stage, arguments)):
            _composed(arguments, lambda config: _execute(stage, run, check(config), tracked))
    except (HydraException, OmegaConfBaseException) as error:
        overrides = [word for word in arguments if not word.startswith("-")]
        _refuse(stage, diagnosed(overrides, error), tracked)
    except InvalidSettings as error:
        _refuse(stage, error, tracked)


def _spread(stage: str, arguments: Sequence[str]) -> bool:
    """Run the jobs of a sweep side by side where they have a cluster; whether they have."""
    several = jobs_of(arguments)
    first, *_ = [check(compose(words)) for words in several]  # what is refused is so before any
    if first.compute.name != "dask":
        return False
    from pipeline.serving import sweeps

    _prepare_tracking(first.tracking)
    at_a_time, again = first.compute.jobs, Command(stage, *arguments)
    with build.pool(first.compute, stage) as cluster:
        sweeps.run(stage, several, cluster, at_a_time=at_a_time, again=again)
    return True


def _take_password_back(stage: str, typed: Sequence[str], tracked: bool) -> None:
    """MLflow keeps what it is given before a stage starts, and Hydra what it is to sweep."""
    if run_id := os.environ.get(commands.RUN_ID):
        from pipeline.io.tracking import experiment, parameters

        uri = experiment.tracking_uri()
        experiment.prepare(uri, PROJECT_NAME)
        parameters.mask(uri, run_id)
    if any({"-m", "--multirun"} & set(word.split()) for word in typed):
        error = InvalidSettings(
            "settings",
            "a sweep over overrides with a password, which Hydra would write into a file",
            "the password by environment, as docs/howto.md describes",
        )
        _refuse(stage, error, tracked)


def _composed(arguments: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    """Compose the configuration and hand it over; `hydra.main` where one of its flags is given.

    Without a flag the same composition is called directly: `hydra.main` composes twice.
    """
    if not any(word.startswith(("-", "hydra.")) for word in arguments):
        job(compose(arguments))
        return
    if is_sweep(arguments):
        # Hydra notes every sweep in a file; at the place of the others' output, not in the folder
        # the command was typed in.
        sys.argv.append(f"hydra.sweep.dir={ARTIFACTS / 'sweeps'}")
    refused: list[PipelineError] = []

    @hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="config")
    def main(config: DictConfig) -> None:
        try:
            job(config)
        except PipelineError as error:
            refused.append(error)  # raised below: Hydra would print a head line of its own

    main()
    if len(_jobs) > 1:
        from pipeline.report.multirun import closing_table  # brings SciPy

        print(f"\n{closing_table(_jobs)}", flush=True)
    for error in refused:
        raise error


def _refuse(stage: str, error: InvalidSettings, tracked: bool) -> NoReturn:
    """Raise; the run that `mlflow run` opened before says what was refused, and is no stage's."""
    if tracked and os.environ.get(commands.RUN_ID):
        from pipeline.io.tracking import experiment, runs

        experiment.prepare(experiment.tracking_uri(), PROJECT_NAME)
        with runs.stage_run(Stages.REFUSED):
            raise error
    raise error


def _execute(stage: str, run: Stage, settings: Settings, tracked: bool) -> None:
    if not tracked:
        look_for_garbage()
        run(settings)
        return
    from pipeline.io.tracking import registered, runs

    _prepare_tracking(settings.tracking)
    look_for_garbage()
    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    chosen, alone = settings.registry, not (sweep or jobs.sweep_run())
    registered.select(
        chosen.model, settings.data.name, moves_challenger=chosen.challenger and alone
    )
    if sweep:
        commands.use_overrides(HydraConfig.get().overrides.task)
        print(f"\njob {HydraConfig.get().job.num}: {' '.join(commands.given())}", flush=True)
    if sweep and runs.PROJECT_RUN:
        with runs.stage_run(Stages.SWEEP):
            done = step(stage, run, settings, closes_dead_runs=True)
        os.environ[commands.RUN_ID] = runs.PROJECT_RUN  # the next job joins the same parent
    else:
        # `status` says itself what it closes.
        done = step(stage, run, settings, closes_dead_runs=stage != "status")
    if done is not None:
        terminal.report(terminal.RESULT, done.line)
        if sweep:
            _jobs.append(Job(commands.given(), done))


def _prepare_tracking(chosen: Tracking) -> None:
    from pipeline.io.tracking import experiment

    uri = experiment.tracking_uri(chosen.uri, server=chosen.server)
    experiment.prepare(uri, chosen.experiment_name)


_jobs: list[Job] = []
"""Each job of a `-m` run that traded forecasts and ended well."""


def step(
    stage: str, run: Stage, settings: Settings, *, closes_dead_runs: bool = False
) -> Traded | None:
    """Run a stage in its own MLflow run, nested where one is open; returns what it returns.

    Parameters
    ----------
    closes_dead_runs
        Close first what killed processes left RUNNING, once this stage's own run is adopted.
    """
    from pipeline.io.tracking import dead_runs, runs

    with runs.stage_run(stage), terminal.task(stage):
        runs.log_config(settings.content)
        if closes_dead_runs:
            dead_runs.close_meanwhile()
        return run(settings)


def ask(stage: str, run: Stage, settings: Settings) -> bool:
    """Run a stage as a step whose refusal is an answer, not a failure of the routine around it.

    Returns
    -------
    bool
        Whether it was done.
    """
    try:
        step(stage, run, settings)
    except Refused as answer:
        log.info("%s", answer)
        return False
    return True


def refresh(settings: Settings) -> None:
    """Bring every data stage up to date, each in a nested run."""
    whole = settings.whole_history()
    for name in DATA_STAGES:
        step(name, import_module(f"pipeline.stages.{name}").run, whole)
