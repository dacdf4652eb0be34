"""Everything a user sees of the runs in a tracking store, as text to compare with `diff`.

    python .ci/user_view.py sqlite:////path/to/mlflow.db > before.txt

Names and values of metrics, parameters and tags, names of artifacts and of registry aliases; left
out is what differs between two runs of the same code: times, ids, process numbers, places.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Run

CHANGING = ("time/", "search/seconds", "mlflow.", "process.", "git.", "environment", "parameters.")
NESTED = ("trial", "sweep child")
"""Stages whose runs start side by side."""

OF_THE_PLACE = ("store.", "duration_seconds", "reproduces", "resumed_from", "model_uri")


def lines_of(client: MlflowClient, run: Run) -> Iterator[str]:
    """One line a fact."""
    data = run.data
    for kind, values in (("metric", data.metrics), ("param", data.params), ("tag", data.tags)):
        for name in sorted(values):
            if not name.startswith((*CHANGING, *OF_THE_PLACE)):
                yield f"  {kind} {name} = {values[name]!r}"
    yield from (f"  artifact {path}" for path in sorted(artifacts(client, run.info.run_id, "")))


def artifacts(client: MlflowClient, run_id: str, folder: str) -> Iterator[str]:
    """Paths of all files of a run."""
    for item in client.list_artifacts(run_id, folder):
        if item.is_dir:
            yield from artifacts(client, run_id, item.path)
        else:
            yield item.path


def main(uri: str) -> None:
    """Print the runs of stages oldest first, then their trials in an order of their own."""
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    found = client.search_runs(["0"], order_by=["attributes.start_time ASC"], max_results=5000)
    blocks: dict[bool, list[str]] = {True: [], False: []}
    for run in found:
        stage = str(run.data.tags.get("stage"))
        lines = [f"{stage} {run.info.status}", *lines_of(client, run)]
        blocks[stage in NESTED].append("\n".join(lines))
    print("\n".join([*blocks[False], *sorted(blocks[True])]))
    for model in client.search_registered_models():
        print(f"model {model.name}", {alias: int(v) for alias, v in model.aliases.items()})


if __name__ == "__main__":
    main(sys.argv[1])
