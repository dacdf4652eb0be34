"""A team's whole set-up on one machine, from one script: who may do what, and what an outage does.

    python -m tests.soak.team

PostgreSQL keeps prices and runs; an MLflow server with logins keeps the artifacts. Two people
trade: both retrain, one promotes and the other lists the signals of what was promoted. One only
reads: a promotion is refused. While a retrain works the server is killed three times and comes
back.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests import postgres
from tests.ports import free_port
from tests.tracking_server import TrackingServer

ROOT = Path(__file__).resolve().parents[2]
QUICK = ("experiment=quick", "features=classic", "hpo.n_trials=16")
KILLS = 3


@dataclass
class Team(TrackingServer):
    """A server on a database, in which the prices lie as well."""

    database: postgres.Server = field(kw_only=True)

    def begin(self, user: str, stage: str, *overrides: str) -> subprocess.Popen[str]:
        """Start a stage as a user, on prices that all share."""
        place = ["store=postgres", f"store.url={self.database.url}", f"store.folder={self.folder}"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
        return subprocess.Popen(
            [sys.executable, "-m", f"pipeline.stages.{stage}", "tracking=server",
             *place, *overrides],
            cwd=ROOT, env=kept | self.database.environment | self.login(user), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, user: str, stage: str, *overrides: str) -> tuple[int, str]:
        """Exit code of a stage and what it printed."""
        process = self.begin(user, stage, *overrides)
        printed, _ = process.communicate(timeout=1800)
        return process.returncode, printed


@contextmanager
def a_team() -> Iterator[Team]:
    """The set-up, as long as it is used."""
    with postgres.running_server() as database, tempfile.TemporaryDirectory() as folder:
        database.execute("CREATE DATABASE mlflow")
        runs = database.url.replace("/daytrade", "/mlflow")
        team = Team(Path(folder), runs, free_port(), database.environment, database=database)
        team.start()
        try:
            yield team
        finally:
            team.kill()


def said(what: str, code: int, printed: str, lines: int = 3) -> None:
    """One step of the story."""
    print(
        f"\n== {what}: exit {code}", *printed.strip().splitlines()[-lines:], sep="\n   ", flush=True
    )


def outages(team: Team, chance: random.Random) -> tuple[int, str]:
    """A retrain during which the server is killed three times; begun again where it ended."""
    kills, ended = 0, 0
    process, began = team.begin("ann", "retrain", *QUICK, "seed=7"), time.monotonic()
    while kills < KILLS or process.poll() is None:
        if kills < KILLS:
            time.sleep(chance.uniform(5, 15))
            team.kill()
            kills += 1
            time.sleep(chance.uniform(1, 8))
            team.start()
        elif process.poll() is None:
            time.sleep(1)
        if process.poll() not in (None, 0) and ended < KILLS:
            said("the command ended", process.returncode, process.communicate()[0])
            process, ended = team.begin("ann", "retrain", *QUICK, "seed=7"), ended + 1
    printed, _ = process.communicate()
    took = time.monotonic() - began
    print(f"\n{kills} kills of the server, the command begun {ended} times again, {took:.0f} s")
    return process.returncode, printed


def main() -> None:
    """Tell the story; exits 1 where it goes wrong."""
    with a_team() as team:
        team.add_users("ann", "bob", "rita")
        first = team.run("ann", "retrain", *QUICK)
        said("ann retrains", *first)
        team.let_change("bob")
        second = team.run("bob", "retrain", *QUICK, "model=ridge")
        said("bob retrains", *second)
        third = team.run(
            "bob", "promote", "features=classic", "promote.force=true", "promote.reason=team"
        )
        said("bob promotes", *third)
        fourth = team.run("ann", "signals", "features=classic", "strategy.min_edge_bps=0")
        said("ann lists the signals", *fourth)
        read = team.run(
            "rita", "promote", "features=classic", "promote.force=true", "promote.reason=mine"
        )
        said("rita, who may only read, promotes", *read, 5)
        last, printed = outages(team, random.Random(1))
        said("ann's retrain over three outages", last, printed)
        with team.as_user("rita") as client:
            champion = client.get_model_version_by_alias("intraday_return_sample", "champion")
            experiment = client.get_experiment_by_name("daytrade").experiment_id
            retrains = client.search_runs([experiment], "tags.stage = 'retrain'")
        states = [run.info.status for run in retrains]
        print(f"\nchampion: version {champion.version}; retrains, newest first: {states}")
        codes = [first[0], second[0], third[0], fourth[0], last]
        if codes != [0] * 5 or read[0] == 0 or "Traceback" in read[1]:
            sys.exit(f"not as it should be: {codes}, reader {read[0]}")


if __name__ == "__main__":
    main()
