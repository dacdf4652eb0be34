"""How the house stands: figures of a checkout's structure, to compare two of them.

    python .ci/measures.py [CHECKOUT]

Read from the code as text; nothing of it is run. A deferred import counts as any other.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

Function = ast.FunctionDef | ast.AsyncFunctionDef


class Tree:
    """The modules of a checkout's package."""

    def __init__(self, root: Path) -> None:
        self.root = root
        paths = sorted((root / "pipeline").rglob("*.py"))
        self.modules = {self._name(path): ast.parse(path.read_text()) for path in paths}
        self.lines = {self._name(p): len(p.read_text().splitlines()) for p in paths}

    def _name(self, path: Path) -> str:
        parts = path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def functions(self) -> Iterator[tuple[str, Function]]:
        """Every function with the module it is in."""
        for name, tree in self.modules.items():
            for node in ast.walk(tree):
                if isinstance(node, Function):
                    yield name, node

    def imports(self, name: str) -> set[str]:
        """Modules of the package that a module imports."""
        found = set()
        for node in ast.walk(self.modules[name]):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module}
            elif isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
        return {other for other in found & self.modules.keys() if other != name}

    def circles(self) -> int:
        """Modules that import themselves by a detour."""
        below = {name: self.imports(name) for name in self.modules}
        reached = {name: set(own) for name, own in below.items()}
        for _ in self.modules:
            for _name, own in reached.items():
                own |= {far for near in list(own) for far in below[near]}
        return sum(name in own for name, own in reached.items())


def takes(function: Function, annotation: str) -> bool:
    """Whether a parameter is annotated so."""
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return any(a.annotation and ast.unparse(a.annotation) == annotation for a in arguments)


def hands_on(function: Function, name: str) -> bool:
    """Whether a parameter is only handed on: named in calls, none of its attributes read."""
    reads = any(
        isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == name
        for n in ast.walk(function)
    )
    return not reads


def main(root: Path) -> None:
    """Print the figures."""
    tree = Tree(root)
    with_settings = [(m, f) for m, f in tree.functions() if takes(f, "Settings")]
    outside = [name for name in tree.modules if not name.startswith("pipeline.config")]
    copies = sum(
        isinstance(n, ast.Attribute) and n.attr in ("model_copy", "model_dump")
        for name in outside
        for n in ast.walk(tree.modules[name])
    )
    private = [
        m for m in tree.modules if m.startswith("pipeline.stages._") and not m.endswith("._cli")
    ]
    mlflow = [
        name
        for name, module in tree.modules.items()
        if any(
            (isinstance(n, ast.Import) and any(a.name == "mlflow" for a in n.names))
            or (isinstance(n, ast.ImportFrom) and (n.module or "").split(".")[0] == "mlflow")
            for n in ast.walk(module)
        )
    ]
    figures = {
        "modules": len(tree.modules),
        "lines": sum(tree.lines.values()),
        "longest file": max(tree.lines.values()),
        "files over 300 lines": sum(lines > 300 for lines in tree.lines.values()),
        "functions": sum(1 for _ in tree.functions()),
        "functions that take Settings": len(with_settings),
        "... and only hand it on": sum(hands_on(f, "settings") for _, f in with_settings),
        "modules that name Settings": len({m for m, _ in with_settings}),
        "model_copy and model_dump outside config": copies,
        "private modules in stages, but the command line": len(private),
        "modules in an import circle": tree.circles(),
        "modules that import MLflow": len(mlflow),
    }
    for name, value in figures.items():
        print(f"{name:<50}{value:>8,}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve())
