"""A sweep whose jobs run side by side on one cluster, nested in one run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.commands import Command
from pipeline.contract import Stages
from pipeline.io.cluster.jobs import JobsFailed, side_by_side
from pipeline.io.cluster.pool import Cluster
from pipeline.io.tracking import runs
from pipeline.learning.pool import Pool
from pipeline.report.jobs import Job, Traded
from pipeline.report.multirun import closing_table


def run(
    stage: str,
    jobs: Sequence[tuple[str, ...]],
    cluster: Pool,
    *,
    at_a_time: int,
    again: Command,
) -> None:
    """Run every job; the others go on where one fails.

    Parameters
    ----------
    cluster
        An open `Cluster`.
    at_a_time
        Jobs side by side.
    again
        The command of the sweep.

    Raises
    ------
    JobsFailed
        Some did not end well.
    """
    assert isinstance(cluster, Cluster), "jobs side by side need a cluster"
    with runs.stage_run(Stages.SWEEP) as sweep:
        ended = side_by_side(
            stage, jobs, at_a_time=at_a_time, sweep=str(sweep.info.run_id),
            address=cluster.scheduler,
        )  # fmt: skip
        well = [Job(job.words, Traded.of_line(job.result)) for job in ended if job.result]
        if len(well) > 1:
            print(f"\n{closing_table(well)}", flush=True)
        if any(job.code for job in ended):
            raise JobsFailed(stage, ended, again)
