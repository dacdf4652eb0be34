"""One room of names: no name twice, and none in the code that it does not know."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from pipeline import contract
from pipeline.io.tracking.values import FinishedRun

ROOT = Path(__file__).resolve().parents[1]
MODULES = [m for m in sorted((ROOT / "pipeline").rglob("*.py")) if m.parent.name != "contract"]
GROUPS = [v for v in vars(contract).values() if isinstance(v, type)]


def values(group: type) -> list[str]:
    return [value for name, value in vars(group).items() if name.isupper()]


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.__name__)
def test_no_name_stands_twice(group: type) -> None:
    assert len(set(values(group))) == len(values(group))


FILES = [*values(contract.Artifacts), *(f"{name}.csv" for name in values(contract.Tables))]
ALONE = {
    contract.Artifacts.REPORT,
    f"{contract.Tables.AUDIT}.csv",
    f"{contract.Tables.COMPARISON}.csv",
}
"""Files beside the folders: the words of a run, the one table of an audit and of a comparison."""


def test_files_of_runs_lie_in_folders_of_which_the_tear_sheets_is_listed_first() -> None:
    folders = {
        contract.Artifacts.TEAR_SHEET_PICTURES,
        contract.Artifacts.MODEL,
        contract.Artifacts.SEARCHES,
    }
    assert {name for name in FILES if "/" not in name} - folders == ALONE
    first = min(name.split("/")[0] for name in FILES if "/" in name)
    assert contract.Artifacts.TEAR_SHEET.startswith(f"{first}/")


def texts(module: Path) -> set[str]:
    """Whole texts of a module; of one with parts filled in, none."""
    tree = ast.parse(module.read_text())
    inside = {id(p) for n in ast.walk(tree) if isinstance(n, ast.JoinedStr) for p in n.values}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in inside
    }


METRICS = {*values(contract.Metrics), *values(contract.LifeMetrics)}
FIRST_PARTS = {name.split("/")[0] for name in METRICS}


def test_every_metric_of_the_code_is_in_the_contract() -> None:
    used = {text for module in MODULES for text in texts(module)}
    metrics = {t for t in used if re.fullmatch(r"[a-z]+/[a-z0-9_]+", t)}
    metrics = {t for t in metrics if t.split("/")[0] in FIRST_PARTS}
    assert metrics <= METRICS


TAGS = re.compile(r"\btags(\.get)?$|\.set_(\w+_)?tags?$")


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_a_tag_is_written_and_read_by_its_name_in_the_contract(module: Path) -> None:
    """MLflow's own tags and its search filters stand as they are."""
    found: list[ast.expr | None] = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Subscript) and TAGS.search(ast.unparse(node.value)):
            found.append(node.slice)
        elif isinstance(node, ast.Call) and TAGS.search(ast.unparse(node.func)):
            is_read = ast.unparse(node.func).endswith(".get")
            found += node.args[:1] if is_read or len(node.args) == 1 else node.args[:-1]
        elif isinstance(node, ast.keyword) and node.arg == "tags":
            found.append(node.value)
    found += [key for node in found if isinstance(node, ast.Dict) for key in node.keys]
    literals = {n.value for n in found if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    assert not {text for text in literals if not text.startswith("mlflow.")}


def test_every_file_that_is_logged_is_in_the_contract() -> None:
    logged = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if (
                isinstance(node, ast.Call)
                and re.search(r"\.log_(text|dict|figure|frame)$", ast.unparse(node.func))
                and (names := [a.value for a in node.args if isinstance(a, ast.Constant)])
            ):
                logged += names
    assert {name for name in logged if "." in str(name)} <= set(values(contract.Artifacts))


def test_names_of_older_runs_are_read_as_todays() -> None:
    told = {"search/trials_told": 4.0, "search/seconds": 1.0}
    data = SimpleNamespace(metrics=told, tags={"search.told_trials": "{ridge: 4}"})
    run = FinishedRun.of(SimpleNamespace(info=SimpleNamespace(run_id="1"), data=data))

    assert run.metrics == {"search/trials_finished": 4.0, "search/seconds": 1.0}
    assert run.tags == {"search.recorded_trials": "{ridge: 4}"}
