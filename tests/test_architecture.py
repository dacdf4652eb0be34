"""The house: which room may use which, and what no room does."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))

BASE = {"cells", "errors", "commands", "contract", "schemas", "secrets", "values"}
PURE = {*BASE, "stats", "market", "learning", "trading", "recipe", "gates", "audit", "monitor",
        "report"}  # fmt: skip
ROOMS: dict[str, set[str]] = {
    # a room: the rooms it may import, beside itself
    "contract": set(),
    "commands": {"secrets"},
    "values": set(),
    "aliases": set(),
    "secrets": set(),
    "cells": set(),
    "paths": {"secrets"},
    "errors": {"commands", "secrets"},
    "schemas": {"errors"},
    "selection": {"commands", "errors", "schemas"},
    "stats": BASE,
    "market": BASE,
    "learning": {*BASE, "stats"},
    "trading": {*BASE, "stats"},
    "recipe": {*BASE, "stats", "market", "learning", "trading"},
    "gates": {*BASE, "stats", "learning", "trading", "recipe"},
    "audit": {*BASE, "stats", "market", "learning", "gates"},
    "monitor": {*BASE, "stats", "learning", "trading", "recipe"},
    "report": {*BASE, "stats", "learning", "trading", "gates", "monitor"},
    "io": {*BASE, "paths", "selection", "learning", "monitor"},
    "config": {*BASE, "aliases", "paths", "selection", "io", "stats", "market", "learning",
               "trading", "recipe", "gates", "monitor"},
    "opens": {*BASE, "selection", "io", "market"},
    "workspace": {*BASE, "paths", "selection", "io", "opens", "config", "market", "learning",
                  "trading", "recipe"},
    "tracking": {*PURE, "paths", "io", "workspace"},
    "serving": {*PURE, "selection", "io", "opens", "workspace", "tracking"},
    "stages": {*PURE, "aliases", "paths", "selection", "io", "config", "workspace", "tracking",
               "serving"},
}  # fmt: skip
"""``tracking`` is ``io/tracking``: all that knows MLflow but for the stages themselves."""

KNOW_MLFLOW = {"tracking", "stages"}
KNOW_SETTINGS = {"config", "workspace", "stages"}
MAX_LINES = 300
MAX_LINES_OF_A_STAGE = 120
MAX_LINES_OF_A_RUN = 60
MAX_TAKERS_OF_SETTINGS = 40
MAX_BY_PLACE = 8
"""Arguments by place that a function takes."""

OUTSIDE = {
    "mlflow", "hydra", "omegaconf", "sqlalchemy", "sqlite3", "os", "pathlib", "time", "requests",
    "socket", "subprocess", "yfinance", "shutil", "tempfile", "random", "importlib", "rich",
}  # fmt: skip
LOOKS_AT_THE_MACHINE = {"commands"}
"""How a process was started decides the form of the commands it prints."""

each_module = pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))


def room(module: Path) -> str:
    parts = module.relative_to(ROOT / "pipeline").parts
    return "tracking" if parts[:2] == ("io", "tracking") else parts[0].removesuffix(".py")


def room_of(name: str) -> str:
    parts = name.split(".")
    return "tracking" if parts[1:3] == ["io", "tracking"] else parts[1]


@cache
def tree(module: Path) -> ast.Module:
    return ast.parse(module.read_text())


@cache
def imported(module: Path) -> tuple[str, ...]:
    """Full names of what a module imports, deferred imports and those for types included."""
    names = []
    for node in ast.walk(tree(module)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def imported_modules(module: Path) -> set[str]:
    """Modules of the project that a module imports."""
    known = {dotted(other) for other in MODULES}
    names = [name for name in imported(module) if name.startswith("pipeline.")]
    return {name if name in known else name.rpartition(".")[0] for name in names} & known


def dotted(module: Path) -> str:
    parts = module.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@each_module
def test_a_room_imports_only_the_rooms_below_it(module: Path) -> None:
    own = room(module)
    if own == "__init__":
        return
    used = {room_of(name) for name in imported(module) if name.startswith("pipeline.")}
    assert used <= {*ROOMS[own], own}


def test_the_rooms_themselves_make_no_circle() -> None:
    assert not circle({name: below - {name} for name, below in ROOMS.items()})


def test_no_module_imports_itself_by_a_detour() -> None:
    """Deferred imports count: a circle that they hide is one."""
    assert not circle({dotted(module): imported_modules(module) for module in MODULES})


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Names that import one another in a ring; empty where there is none."""
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return []
        for below in sorted(edges.get(name, ())):
            if found := walk(below, [*path, name]):
                return found
        done.add(name)
        return []

    return next((found for name in edges if (found := walk(name, []))), [])


def test_a_circle_is_found() -> None:
    ring = circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": set()})
    assert set(ring) == {"a", "b", "c"}
    assert set(pairwise(ring)) == {("a", "b"), ("b", "c"), ("c", "a")}
    assert circle({"a": {"b", "c"}, "b": {"c"}}) == []


@each_module
def test_mlflow_is_known_in_tracking_and_stages_alone(module: Path) -> None:
    if room(module) not in KNOW_MLFLOW:
        assert not [name for name in imported(module) if name.split(".")[0] == "mlflow"]


TELL_RUNS = {"notes.py", "later.py", "runs.py"}
"""The door to a run's tags and figures; figures outside a stage; the last word on a failed run."""


@each_module
def test_a_run_is_told_by_one_door_which_keeps_the_order_and_waits_for_no_server(
    module: Path,
) -> None:
    names = "set_tag set_tags log_metric log_metrics log_param log_params log_input log_text"
    fluent = {f"mlflow.{name}" for name in (names + " log_dict log_figure").split()}
    calls = {ast.unparse(n.func) for n in ast.walk(tree(module)) if isinstance(n, ast.Call)}
    assert module.name in TELL_RUNS or not fluent & calls


@each_module
def test_settings_are_known_in_config_workspace_and_stages_alone(module: Path) -> None:
    if room(module) not in KNOW_SETTINGS:
        assert not [name for name in imported(module) if name.startswith("pipeline.config")]


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room(m) in PURE], ids=lambda m: str(m.relative_to(ROOT))
)
def test_pure_rooms_have_no_clock_disk_network_or_framework(module: Path) -> None:
    outside = {name.split(".")[0] for name in imported(module)} & OUTSIDE
    assert outside <= ({"pathlib"} if room(module) in LOOKS_AT_THE_MACHINE else set())
    nodes = ast.walk(tree(module))
    calls = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
    assert not {"open", "print", "input"} & set(calls)
    assert not [call for call in calls if call.endswith((".now", ".today", ".utcnow"))]


@each_module
def test_only_config_copies_and_dumps_settings(module: Path) -> None:
    if room(module) not in ("config", "values"):
        calls = {n.attr for n in ast.walk(tree(module)) if isinstance(n, ast.Attribute)}
        assert not {"model_copy", "model_dump"} & calls


def test_stages_are_entry_points_and_the_command_line() -> None:
    private = [m.name for m in MODULES if room(m) == "stages" and m.name.startswith("_")]
    assert private == ["__init__.py", "_cli.py"]


def test_few_functions_take_all_settings() -> None:
    """What takes a part of them, or a value, can be used and read alone."""
    takers = [
        f"{module}:{function.lineno}"
        for module in MODULES
        for function in ast.walk(ast.parse(module.read_text()))
        if isinstance(function, ast.FunctionDef)
        and any(
            argument.annotation and ast.unparse(argument.annotation) == "Settings"
            for argument in (*function.args.args, *function.args.kwonlyargs)
        )
    ]
    assert len(takers) <= MAX_TAKERS_OF_SETTINGS, takers


@each_module
def test_a_file_is_short_enough_to_read(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    "module", [m for m in MODULES if room(m) == "stages" and m.name != "_cli.py"],
    ids=lambda m: m.stem,
)  # fmt: skip
def test_an_entry_point_is_read_in_one_screen(module: Path) -> None:
    assert len(module.read_text().splitlines()) <= MAX_LINES_OF_A_STAGE
    for run in tree(module).body:
        if isinstance(run, ast.FunctionDef) and run.name == "run":
            assert (run.end_lineno or 0) - run.lineno < MAX_LINES_OF_A_RUN


def test_only_the_command_line_opens_hydra() -> None:
    doors = [m.name for m in MODULES if "@hydra.main" in m.read_text()]
    assert doors == ["_cli.py"]


@each_module
def test_what_belongs_together_is_given_as_one_value(module: Path) -> None:
    functions = [n for n in ast.walk(tree(module)) if isinstance(n, ast.FunctionDef)]
    by_place = {n.name: [a for a in n.args.args if a.arg not in ("self", "cls")] for n in functions}
    assert {name: len(a) for name, a in by_place.items() if len(a) > MAX_BY_PLACE} == {}


@each_module
def test_nothing_is_filled_backwards(module: Path) -> None:
    called = {
        node.func.attr
        for node in ast.walk(tree(module))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not {"bfill", "backfill", "get_dummies"} & called


WRITE_CSV = {"cells.py", "universe.py"}
"""The one door, whose texts are no formulas; and the digest of a list of members, no file."""


@each_module
def test_a_table_for_people_is_written_by_one_door(module: Path) -> None:
    called = {n.attr for n in ast.walk(tree(module)) if isinstance(n, ast.Attribute)}
    assert module.name in WRITE_CSV or not {"to_csv", "to_excel"} & called


ALL_AT_ONCE = re.compile(r"mlflow\.log_(artifacts?|text|dict|figure|table|image)")
"""What writes a file of the open run itself, one request after another where a server keeps it."""


@each_module
def test_a_file_of_the_open_run_is_written_by_one_door(module: Path) -> None:
    called = {ast.unparse(n.func) for n in ast.walk(tree(module)) if isinstance(n, ast.Call)}
    assert not set(filter(ALL_AT_ONCE.fullmatch, called)), "by io/tracking/uploads.py"


@each_module
def test_what_is_known_beside_a_table_is_a_value_of_its_own(module: Path) -> None:
    used = {n.attr for n in ast.walk(tree(module)) if isinstance(n, ast.Attribute)}
    assert "attrs" not in used


HEAVY = "sklearn lightgbm optuna talib matplotlib arch yfinance exchange_calendars"


def test_status_imports_no_learner() -> None:
    """It has to answer in about the time MLflow takes to import."""
    assert loaded(HEAVY, "import pipeline.stages.status") == "[]"


def test_what_data_stages_open_with_imports_no_calendar_and_no_statistics() -> None:
    stages = ("ingest", "indicators", "labels")
    imported = "".join(f"import pipeline.stages.{stage};" for stage in stages)
    opened = (
        "from pipeline.config.compose import check, compose;"
        "from pipeline.config.build import feature_set; feature_set(check(compose([]))).version"
    )
    assert loaded(f"{HEAVY} scipy.special", imported + opened) == "[]"


def loaded(names: str, script: str) -> str:
    """Those of the packages that a process has imported after a script."""
    script += f";import sys; print([name for name in '{names}'.split() if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, text=True, capture_output=True, check=True
    )
    return done.stdout.strip()
