"""The old handbook's workflows by today's commands, and the notebooks, on a part of the sample."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path

import mlflow
import nbformat
import pytest
from mlflow import MlflowClient
from mlflow.entities import Metric
from nbclient import NotebookClient
from nbclient.client import KernelManager

from pipeline.errors import PipelineError
from pipeline.io.tracking import registered
from pipeline.schemas import MODEL_NAME
from pipeline.stages import _cli
from tests.documents import handbook

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SYMBOLS = "AAPL,IBM,MSFT,GE,XOM,KO,PEP,WMT,JNJ,PG,CVX,T,MCD,DIS,HD,BA,CAT,MMM,PFE,MRK"
SMALL = ("features=classic", "model=ridge", "hpo=none", "backtest.capacity=[]",
         "retrain.refresh=false")  # fmt: skip
CHEAP = ("ingest", "indicators", "regimes", "features", "labels", "signals", "status", "promote")
"""Stages that take a second or two here; the others are called in tests/soak."""

LINES = handbook()


def called(folder: Path, stage: str, *words: str) -> int:
    """A stage called as by `python -m pipeline.stages.<stage>`, and its exit code."""
    part = (f"symbols=[{SYMBOLS}]",) if stage == "ingest" else ()
    own = [w for w in (*SMALL, *part) if f"{w.partition('=')[0]}=" not in " ".join(words)]
    typed = [*words, *own, f"store.path={folder / 'sample.db'}"]
    try:
        _cli._called(stage, import_module(f"pipeline.stages.{stage}").run, typed, True)
    except PipelineError as error:
        return error.exit_code
    return 0


@pytest.fixture(scope="module")
def handled(mlflow_store: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a store with twenty symbols of the sample, and a registered model."""
    folder = tmp_path_factory.mktemp("handbook")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["daytrade"])
        for stage in (*_cli.DATA_STAGES, "retrain"):
            assert called(folder, stage) == 0
        yield folder
    registered.select(MODEL_NAME, "")


@pytest.mark.parametrize(
    ("words", "code"), [line for line in LINES if line[0][0] in CHEAP], ids=lambda value: str(value)
)
def test_a_line_of_the_handbook_ends_with_its_exit_code(
    handled: Path, words: Sequence[str], code: int
) -> None:
    assert called(handled, *words) == code


@pytest.fixture(scope="module")
def kernel(handled: Path) -> Iterator[KernelManager]:
    """One kernel for all: most of a notebook's time is its imports."""
    manager = KernelManager(kernel_name="python3")
    client = NotebookClient(nbformat.v4.new_notebook(), km=manager)
    uri = mlflow.get_tracking_uri()
    client.start_new_kernel(
        env=os.environ | {"MLFLOW_TRACKING_URI": uri}, cwd=str(ROOT / "notebooks")
    )
    yield manager
    manager.shutdown_kernel(now=True)


def executed(path: Path, kernel: KernelManager, **changes: str) -> list[str]:
    """Text that its cells show, with these lines in place of those that assign the same names."""
    book = nbformat.read(path, as_version=4)
    for cell in book.cells:
        for name, value in changes.items():
            cell.source = re.sub(rf"^{name} = .*$", f"{name} = {value}", cell.source, flags=re.M)
    book.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
    NotebookClient(book, km=kernel, timeout=300).execute(reset_kc=False)
    outputs = [output for cell in book.cells for output in cell.get("outputs", ())]
    return [str(output.get("text") or output["data"].get("text/plain")) for output in outputs]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_its_first_cell_to_its_last(
    path: Path, handled: Path, kernel: KernelManager
) -> None:
    shown = executed(
        path, kernel,
        overrides=repr([*SMALL, f"store.path={handled / 'sample.db'}"]),
        alias="'challenger'", snapshots=f'Path("{handled / "snapshots"}")',
    )  # fmt: skip
    assert len(shown) >= 2
    assert not [text for text in shown if "Warning" in text]
    assert any("Figure" in text for text in shown) or path.stem == "06_champion_in_own_code"


LONG = "retrain ranked, ranked, 90d, until 2010-08-20 (hpo.n_trials=200,"
"""A name tells what was overridden at its end."""


def test_a_notebook_that_compares_is_readable_with_thirty_runs(
    handled: Path, kernel: KernelManager
) -> None:
    client = MlflowClient()
    [known] = client.search_runs(["0"], "tags.stage = 'retrain'")
    gates = mlflow.artifacts.load_text(f"{known.info.artifact_uri}/gates/gates.csv")
    metrics = [Metric(name, value, 0, 0) for name, value in known.data.metrics.items()]
    for n in range(30):
        run = client.create_run("0", tags=known.data.tags | {"mlflow.runName": f"{LONG} run {n})"})
        client.log_batch(run.info.run_id, metrics=metrics)
        client.log_text(run.info.run_id, gates, "gates/gates.csv")
        client.set_terminated(run.info.run_id)
    table = "\n".join(executed(ROOT / "notebooks" / "01_compare_runs.ipynb", kernel))
    assert set(re.findall(r"run \d+", table)) == {f"run {n}" for n in range(30)}


def test_notebooks_are_kept_without_outputs() -> None:
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            assert not cell.get("outputs"), path.name
            assert cell.get("execution_count") is None
