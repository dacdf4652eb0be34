from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOM = Path(__file__).resolve().parents[3] / "pipeline" / "io" / "store"


@pytest.mark.parametrize("module", sorted(ROOM.glob("*.py")), ids=lambda path: path.stem)
def test_the_store_takes_values_and_knows_neither_settings_nor_mlflow(module: Path) -> None:
    tree = ast.parse(module.read_text())
    imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)} | {
        alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names
    }
    outside = (
        "mlflow",
        "hydra",
        "omegaconf",
        "pipeline.settings",
        "pipeline.config",
        "pipeline.stages",
    )
    assert not [name for name in imported if name and name.startswith(outside)]
