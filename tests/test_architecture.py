"""The import rule: a row of data walks one way, and pure layers know nothing of the outside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
LAYERS = ("stages", "io", "market", "learning", "trading")
PURE = ("market", "learning", "trading")
MAY_IMPORT = {
    "errors": set(),
    "schemas": {"errors"},
    "settings": {"errors", "schemas"},
    "leaks": {"schemas"},
    "market": {"market", "leaks", "schemas", "errors"},
    "learning": {"learning", "leaks", "schemas", "errors"},
    "trading": {"trading", "schemas", "errors"},
    "io": {"io", "settings", "schemas", "errors"},
    "stages": {*LAYERS, "leaks", "settings", "schemas", "errors"},
}
OUTSIDE = {
    "mlflow", "hydra", "omegaconf", "sqlalchemy", "sqlite3", "os", "pathlib", "time", "requests",
    "socket", "subprocess", "yfinance", "shutil", "tempfile", "random", "importlib",
}  # fmt: skip


def layer(module: Path) -> str:
    inner = module.relative_to(ROOT / "pipeline")
    return inner.parts[0].removesuffix(".py")


def imported(module: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("module", MODULES, ids=lambda m: str(m.relative_to(ROOT)))
def test_imports_point_down(module: Path) -> None:
    allowed = MAY_IMPORT.get(layer(module), set())
    own = [name.split(".")[1] for name in imported(module) if name.startswith("pipeline.")]
    assert set(own) <= allowed, f"{module.name} imports {sorted(set(own) - allowed)}"


@pytest.mark.parametrize(
    "module", [m for m in MODULES if layer(m) in PURE], ids=lambda m: str(m.relative_to(ROOT))
)
def test_pure_layers_have_no_clock_disk_network_or_framework(module: Path) -> None:
    outside = {name.split(".")[0] for name in imported(module)} & OUTSIDE
    assert not outside
    calls = [
        ast.unparse(node.func)
        for node in ast.walk(ast.parse(module.read_text()))
        if isinstance(node, ast.Call)
    ]
    assert not {"open", "print", "input"} & set(calls)
    assert not [call for call in calls if call.endswith((".now", ".today", ".utcnow"))]


def test_only_the_runner_opens_hydra() -> None:
    doors = [m.name for m in MODULES if "@hydra.main" in m.read_text()]
    assert doors == ["_runner.py"]


def test_nothing_is_filled_backwards() -> None:
    for module in MODULES:
        calls = [
            node.func.attr
            for node in ast.walk(ast.parse(module.read_text()))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        ]
        assert not {"bfill", "backfill", "get_dummies"} & set(calls), module


def test_status_imports_no_learner() -> None:
    """It has to answer in about the time MLflow takes to import."""
    heavy = "sklearn lightgbm optuna talib matplotlib arch yfinance exchange_calendars"
    script = (
        "import sys, pipeline.stages.status;"
        f"print([name for name in '{heavy}'.split() if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, text=True, capture_output=True, check=True
    )
    assert done.stdout.strip() == "[]"
