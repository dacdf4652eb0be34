"""Two universes in one command over one cluster; by hand, with `-m soak`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stages.conftest import Project

pytestmark = pytest.mark.soak

RIDGE = ("model=ridge", "hpo=none", "retrain.refresh=false")


def test_universes_side_by_side_leave_what_each_leaves_alone(tmp_path: Path) -> None:
    project = Project(tmp_path)
    project.python("daily")
    for name, symbols in (
        ("a", "A\nAA\nAAPL\nABT\nACN\nADBE"),
        ("b", "BA\nBAC\nBAX\nBBY\nBK\nBMY"),
    ):
        (project.folder / f"{name}.csv").write_text(f"symbol\n{symbols}\n")
    paths = [str(project.folder / f"{name}.csv") for name in "ab"]
    said = project.python(
        "retrain", "-m", f"universe.path={','.join(paths)}", "compute=dask", *RIDGE
    ).stdout
    assert said.count("\njob ") == 2
    assert "settings" in said
    parent = project.newest("sweep")
    jobs = project.runs("retrain", f"tags.mlflow.parentRunId = '{parent.info.run_id}'")
    assert {run.info.status for run in jobs} == {"FINISHED"}
    for path in paths:
        project.python("retrain", f"universe.path={path}", *RIDGE)
        alone = project.newest("retrain")
        [job] = [
            run
            for run in jobs
            if run.data.tags["universe"] == alone.data.tags["universe"]
            and run.data.params["universe.path"] == path
        ]
        test = [name for name in alone.data.metrics if name.startswith("test/")]
        assert len(test) > 3
        assert all(job.data.metrics[name] == alone.data.metrics[name] for name in test)
