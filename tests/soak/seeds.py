"""Many made-up worlds through the real commands: is what each one teaches promoted?"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipeline.contract import Tags
from tests.stages.conftest import ROOT, Project

AT_ONCE = 2
SHOWN = {
    "r2": "test/r2",
    "ic": "test/rank_ic",
    "ic_t": "test/rank_ic_t",
    "sessions": "backtest/sessions",
    "trades": "backtest/trades",
    "sharpe": "backtest/sharpe",
    "low": "backtest/sharpe_ci_low",
    "deflated": "backtest/deflated_sharpe",
    "ridge_p": "test/ridge_pvalue",
}

World = Callable[[int], pd.DataFrame]


@dataclass(frozen=True)
class Outcome:
    """What became of one seed: the champion's alias moved, or the gates that stood in the way."""

    seed: int
    accepted: bool
    verdict: str
    metrics: dict[str, float]
    refusals: tuple[str, ...]
    cpu_seconds: float

    def row(self) -> dict[str, object]:
        """One line of the table."""
        shown = {short: self.metrics.get(name, float("nan")) for short, name in SHOWN.items()}
        return {
            "seed": self.seed,
            "accepted": self.accepted,
            **shown,
            "cpu": self.cpu_seconds,
            "refused by": ", ".join(self.refusals) or "-",
        }


def outcomes(world: World, seeds: Iterable[int], overrides: Iterable[str]) -> list[Outcome]:
    """Every seed's outcome, two at a time, each with a store and an MLflow database of its own."""
    chosen = tuple(overrides)

    def outcome(seed: int) -> Outcome:
        folder = Path(tempfile.mkdtemp(prefix=f"soak-{seed}-"))
        found = judged(Project(folder), seed, world(seed), chosen)
        shutil.rmtree(folder)  # a world that went wrong is left for a look
        return found

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(_told(pool.map(outcome, seeds)))


def judged(project: Project, seed: int, bars: pd.DataFrame, overrides: tuple[str, ...]) -> Outcome:
    """Retrain on these bars, then ask for promotion by the strict gates."""
    prices = project.folder / "bars.parquet"
    bars.reset_index().to_parquet(prices)
    common = (
        "data=files", f"data.path={prices}", "features=extended", "gates=strict",
        "compute.workers=1", f"store.path={project.folder / 'soak.db'}", *overrides,
    )  # fmt: skip
    learned, learning = _called(project, "retrain", common)
    promoted, promoting = _called(project, "promote", common)
    if learned != 0 or promoted not in (0, 1):
        raise RuntimeError(f"seed {seed}: retrain {learned}, promote {promoted}: {project.folder}")
    run = project.newest("retrain")
    version = project.client.get_model_version_by_alias("intraday_return_files", "challenger")
    refusing = [version.tags[name] for name in (Tags.GATES_FAILED, Tags.GATES_UNKNOWN)]
    return Outcome(
        seed=seed,
        accepted=promoted == 0,
        verdict=run.data.tags["verdict"],
        metrics=dict(run.data.metrics),
        refusals=tuple(n for names in refusing if names != "none" for n in names.split(", ")),
        cpu_seconds=learning + promoting,
    )


def asked(
    description: str | None, run: Callable[..., list[Outcome]], all_seeds: range
) -> list[Outcome]:
    """What the command line of a script asks for."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=len(all_seeds), help="how many seeds")
    parser.add_argument("--first", type=int, default=all_seeds[0], help="the first seed")
    parser.add_argument("overrides", nargs="*", help="Hydra overrides, for retrain and promote")
    given = parser.parse_args()
    return run(range(given.first, given.first + given.seeds), given.overrides)


def table(found: list[Outcome]) -> str:
    """All seeds, and the sums a reader wants."""
    rows = pd.DataFrame([outcome.row() for outcome in found])
    return (
        f"{rows.to_string(index=False, float_format='{:.4g}'.format)}\n"
        f"accepted {rows['accepted'].sum()} of {len(rows)}; "
        f"mean CPU {rows['cpu'].mean():.0f} s a seed, {AT_ONCE} at a time"
    )


def _told(found: Iterable[Outcome]) -> Iterator[Outcome]:
    for outcome in found:
        print(f"seed {outcome.seed}: {outcome.verdict}, {outcome.cpu_seconds:.0f} s", flush=True)
        yield outcome


def _called(project: Project, stage: str, overrides: tuple[str, ...]) -> tuple[int, float]:
    """Exit code and CPU seconds of a stage; what it said is kept beside its stores."""
    words = [sys.executable, "-m", f"pipeline.stages.{stage}", *overrides]
    with (project.folder / f"{stage}.txt").open("w") as said:
        process = subprocess.Popen(
            words, cwd=ROOT, env=project.environment, stdout=said, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    return process.returncode, used.ru_utime + used.ru_stime
