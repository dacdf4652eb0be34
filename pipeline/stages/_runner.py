"""The one door to Hydra and MLflow: from a command line to `run(settings)` inside one run.

Exit codes: 0 done, 1 refused or not ready, 2 fault.
"""

from __future__ import annotations

import gc
import logging
import os
import shlex
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from pipeline.errors import InvalidSettings, PipelineError, Refused
from pipeline.settings import ROOT, Named, Settings, invalid

CONFIG_DIR = str(ROOT / "conf")
FLAGS = {"-m", "--multirun", "--help", "-h", "--hydra-help", "--version", "--resolve", "-r"}
FLAGS_WITH_VALUE = {"--cfg", "-c", "--package", "-p", "--info", "-i"}

Stage = Callable[[Settings], None]
log = logging.getLogger("pipeline")


def translate(arguments: Sequence[str]) -> list[str]:
    """Arguments as MLflow passes them, as Hydra reads them: flags first, then overrides.

    `mlflow run -P` hands every value over as one argument: a named one as ``--name value``, where
    an empty value means not given, and ``--overrides`` as one string that is split like a shell
    does. ``overrides`` comes last, so it wins.

    >>> translate(["--start_date", "", "--date", "2010-03-01", "--overrides", "seed=3 -m a='b c'"])
    ['-m', 'date=2010-03-01', 'seed=3', 'a=b c']
    """
    flags: list[str] = []
    named: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--overrides":
            more_flags, more = _split_flags(shlex.split(rest.pop(0)) if rest else [])
            flags += more_flags
            overrides += more
        elif argument in FLAGS_WITH_VALUE:
            flags += [argument, *rest[:1]]
            del rest[:1]
        elif argument in FLAGS or argument.split("=")[0] in FLAGS_WITH_VALUE:
            flags.append(argument)
        elif argument.startswith("--"):
            value = rest.pop(0) if rest else ""
            named += [f"{argument[2:]}={value}"] if value else []
        else:
            overrides.append(argument)
    return flags + named + overrides


def _split_flags(words: Sequence[str]) -> tuple[list[str], list[str]]:
    flags = [word for word in words if word in FLAGS]
    return flags, [word for word in words if word not in FLAGS]


def command(stage: str, run: Stage, *, tracked: bool = True) -> None:
    """Run a stage as `python -m pipeline.stages.<stage>` does, and exit with its code."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING, stream=sys.stdout)
    log.setLevel(logging.INFO)
    arguments = translate(sys.argv[1:])
    sys.argv[1:] = arguments

    try:
        try:
            _called(arguments, lambda config: _execute(stage, run, check(config), tracked))
        except (HydraException, OmegaConfBaseException) as error:
            overrides = [word for word in arguments if not word.startswith("-")]
            _refuse(stage, _diagnosed(overrides, error), tracked)
        except InvalidSettings as error:
            _refuse(stage, error, tracked)
    except PipelineError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except Exception:
        traceback.print_exc()
        sys.exit(2)
    finally:
        # The process ends: looking for garbage among MLflow's million objects takes 0.8 s more.
        gc.freeze()


def _called(arguments: Sequence[str], job: Callable[[DictConfig], None]) -> None:
    """Compose the configuration and hand it over; `hydra.main` where one of its flags is given.

    Without a flag the same composition is called directly: `hydra.main` composes twice.
    """
    if not any(word.startswith(("-", "hydra.")) for word in arguments):
        job(compose(arguments))
        return
    if {"-m", "--multirun"} & set(arguments):
        # Hydra notes every sweep in a file; at the place of the others' output, not in the folder
        # the command was typed in.
        sys.argv.append(f"hydra.sweep.dir={ROOT / 'artifacts' / 'sweeps'}")
    refused: list[PipelineError] = []

    @hydra.main(version_base="1.3", config_path=CONFIG_DIR, config_name="config")
    def main(config: DictConfig) -> None:
        try:
            job(config)
        except PipelineError as error:
            refused.append(error)  # raised below: Hydra would print a head line of its own

    main()
    for error in refused:
        raise error


def check(config: DictConfig) -> Settings:
    """Typed settings of a composed configuration; unknown symbols are faults like any other."""
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    content: Mapping[str, Any] = {str(key): value for key, value in plain.items()}
    faults = [
        *_gate_faults(content.get("gates")),
        *_symbol_faults(content),
        *_sweep_faults(content),
    ]
    return Settings.from_config(content, faults)


def _symbol_faults(content: Mapping[str, Any]) -> list[str]:
    """Unknown symbols, told beside all other faults as far as those let the source be asked."""
    if not content.get("symbols") and not (content.get("universe") or {}).get("path"):
        return []
    from pipeline.stages._data import unknown_symbols

    try:
        partial = {name: content[name] for name in ("data", "universe", "store", "symbols")}
        return unknown_symbols(Named.model_validate(partial))
    except ValidationError:
        return []


def _sweep_faults(content: Mapping[str, Any]) -> list[str]:
    if not (content.get("backtest") or {}).get("sweep"):
        return []
    from pipeline.stages._sweep import faults

    return faults(content)


def _gate_faults(config: Any) -> list[str]:
    from pipeline.trading.promotion import gates

    try:
        gates(config or {})
    except InvalidSettings as error:
        return [f"gates.{fault}" for fault in error.found.split("; ")]
    return []


def compose(overrides: Sequence[str]) -> DictConfig:
    """The configuration of these overrides, outside `hydra.main`: for tests and diagnoses."""
    with hydra.initialize_config_dir(CONFIG_DIR, version_base="1.3"):
        return hydra.compose("config", list(overrides))


def _diagnosed(overrides: Sequence[str], error: Exception) -> InvalidSettings:
    """Hydra stops at the first fault; try each override alone to name all of them."""
    faults, good = [], []
    for override in overrides:
        try:
            compose([override])
            good.append(override)
        except (HydraException, OmegaConfBaseException) as alone:
            faults.append(f"{override}: {_first_lines(alone)}")
    if not faults:
        return invalid([_first_lines(error)])
    try:
        check(compose(good))
    except InvalidSettings as rest:
        faults += [line[6:] for line in rest.found.splitlines() if line.startswith("    - ")]
    except (HydraException, OmegaConfBaseException) as together:
        faults.append(_first_lines(together))
    return invalid(faults)


def _first_lines(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(line for line in lines[:4] if not line.startswith("full_key"))


def _refuse(stage: str, error: InvalidSettings, tracked: bool) -> None:
    """Record settings that were refused as a FAILED run, then raise."""
    if tracked:
        from pipeline.io import tracking

        tracking.prepare(tracking.tracking_uri(), "daytrade")
        with tracking.stage_run(stage):
            raise error
    raise error


def _execute(stage: str, run: Stage, settings: Settings, tracked: bool) -> None:
    if not tracked:
        run(settings)
        return
    from pipeline.io import tracking

    tracking.prepare(
        tracking.tracking_uri(settings.tracking.uri), settings.tracking.experiment_name
    )

    sweep = HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN
    if sweep and tracking.PROJECT_RUN:
        with tracking.stage_run("sweep"):
            step(stage, run, settings)
        os.environ["MLFLOW_RUN_ID"] = tracking.PROJECT_RUN  # the next job joins the same parent
    else:
        step(stage, run, settings)


def step(stage: str, run: Stage, settings: Settings) -> None:
    """Run a stage in its own MLflow run, nested where one is open."""
    from pipeline.io import tracking

    with tracking.stage_run(stage):
        tracking.log_config(settings.model_dump(mode="json", by_alias=True))
        run(settings)


def ask(stage: str, run: Stage, settings: Settings) -> None:
    """Run a stage as a step whose refusal is an answer, not a failure of the routine around it."""
    try:
        step(stage, run, settings)
    except Refused as answer:
        log.info("%s", answer)
