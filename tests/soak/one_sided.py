"""Conditions of the pipeline of which the tests saw one answer only, or none.

``python -m tests.soak.one_sided run FOLDER [pytest's words]`` runs tests, as often as there are
pieces to cut them into, and keeps in FOLDER what they saw, processes that they start included;
``python -m tests.soak.one_sided list FOLDER [path]`` prints the numbers by room, and each such
condition below a path.

Conditions are those of ``if``, ``while``, ``a if b else c``, comprehensions, each part of ``and``
and ``or`` but the last, and each ``except``: half of them are expressions within a line, which
coverage.py, a tool for lines, does not see.
"""

from __future__ import annotations

import ast
import atexit
import builtins
import json
import os
import sys
from collections import Counter
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "pipeline"
FOLDER = "ONE_SIDED"
"""The variable that says where processes keep what they saw."""

TRUE, FALSE = 1, 2
SIDES = {0: "never evaluated", TRUE: "never false", FALSE: "never true"}
NAME = "_one_sided_evaluated"


class Asking(ast.NodeTransformer):
    """Has each condition noted when it is evaluated, and lists them by their place."""

    def __init__(self, path: Path) -> None:
        self.path = path.relative_to(ROOT).as_posix()
        self.texts: dict[str, str] = {}

    def _noted(self, node: ast.expr, what: str, text: str = "") -> ast.expr:
        if isinstance(node, ast.Name) and node.id == "TYPE_CHECKING":
            return node
        place = f"{self.path}:{node.lineno}:{node.col_offset}:{node.end_col_offset}"
        self.texts[place] = f"{what} {text or ast.unparse(node)}"
        inner = self.visit(node)
        call = ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(place), inner], [])
        return ast.copy_location(call, node)

    def visit_If(self, node: ast.If) -> ast.AST:
        if ast.unparse(node.test) == "__name__ == '__main__'":
            return node
        return self._tested(node, "if")

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return self._tested(node, "if")

    def visit_While(self, node: ast.While) -> ast.AST:
        return self._tested(node, "while")

    def _tested(self, node: Any, what: str) -> ast.AST:
        test = node.test
        node.test = ast.Constant(value=None)
        self.generic_visit(node)
        is_constant = isinstance(test, ast.Constant)
        node.test = test if is_constant else self._noted(test, what)
        return node  # type: ignore[no-any-return]

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.target, node.iter = self.visit(node.target), self.visit(node.iter)
        node.ifs = [self._noted(test, "for ... if") for test in node.ifs]
        return node

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        word = "and" if isinstance(node.op, ast.And) else "or"
        texts = [f"{ast.unparse(value)} {word} ..." for value in node.values]
        first = zip(node.values[:-1], texts, strict=False)
        noted = [self._noted(value, word, text) for value, text in first]
        node.values = [*noted, self.visit(node.values[-1])]
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        self.generic_visit(node)
        kind = ast.unparse(node.type) if node.type else ""
        place = f"{self.path}:{node.lineno}:{node.col_offset}:0"
        self.texts[place] = f"except {kind}"
        call = ast.Call(ast.Name(NAME, ast.Load()), [ast.Constant(place), ast.Constant(None)], [])
        node.body.insert(0, ast.copy_location(ast.Expr(call), node))
        return node


class Loader(SourceFileLoader):
    """Of a module whose conditions are noted."""

    def get_code(self, fullname: str) -> CodeType:
        """Never what was compiled before."""
        path = self.get_filename(fullname)
        tree = Asking(Path(path)).visit(ast.parse(self.get_data(path)))
        return compile(ast.fix_missing_locations(tree), path, "exec", dont_inherit=True)


class Finder(PathFinder):
    """Finds the modules of the pipeline alone."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] != "pipeline":
            return None
        spec = super().find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = Loader(spec.loader.name, spec.loader.path)
        return spec


def install() -> None:
    """Note what this process and those that it forks see, where the variable names a folder."""
    if FOLDER not in os.environ:
        return
    folder, seen = Path(os.environ[FOLDER]), {}  # type: Path, dict[str, int]

    def evaluated(place: str, answer: Any) -> Any:
        side = (
            TRUE | FALSE if answer is None and place.endswith(":0") else TRUE if answer else FALSE
        )
        seen[place] = seen.get(place, 0) | side
        return answer

    def keep() -> None:
        (folder / f"{os.getpid()}-{os.urandom(4).hex()}.json").write_text(json.dumps(seen))

    setattr(builtins, NAME, evaluated)
    sys.meta_path.insert(0, Finder)
    atexit.register(keep)


def run(folder: Path, words: list[str]) -> None:
    """Tests in this process, which is started anew with what notes the conditions."""
    start = folder / "start"
    start.mkdir(parents=True, exist_ok=True)
    text = f"import sys; sys.path.append({str(ROOT)!r})\nfrom tests.soak import one_sided\n"
    (start / "sitecustomize.py").write_text(f"{text}one_sided.install()\n")
    known = [path for path in (os.environ.get("PYTHONPATH"), str(ROOT)) if path]
    paths = os.pathsep.join([str(start), *known])
    environment = os.environ | {FOLDER: str(folder.resolve()), "PYTHONPATH": paths}
    os.execve(sys.executable, [sys.executable, "-m", "pytest", "-n0", *words], environment)


def listed(folder: Path, below: str) -> None:
    """The numbers by room, and each condition below a path that had one answer."""
    seen: Counter[str] = Counter()
    for file in folder.glob("*.json"):
        for place, sides in json.loads(file.read_text()).items():
            seen[place] |= sides
    rooms: dict[str, Counter[str]] = {}
    for path in sorted(PIPELINE.rglob("*.py")):
        asking = Asking(path)
        asking.visit(ast.parse(path.read_text()))
        room = rooms.setdefault(path.relative_to(PIPELINE).parts[0], Counter())
        for place, text in asking.texts.items():
            said = SIDES.get(seen[place], "both")
            room[said] += 1
            if below and asking.path.startswith(below) and said != "both":
                print(f"{place.rsplit(':', 2)[0]}: {said}: {text[:110]}")
    print(f"{'room':16}{'conditions':>12}{'both':>8}" + "".join(f"{s:>14}" for s in SIDES.values()))
    total: Counter[str] = Counter()
    for name, counts in (*rooms.items(), ("all", total)):
        total.update(counts if counts is not total else {})
        words = "".join(f"{counts[side]:>14,}" for side in SIDES.values())
        print(f"{name:16}{counts.total():>12,}{counts['both']:>8,}{words}")


def main() -> None:
    word, folder, *words = sys.argv[1:]
    if word == "run":
        run(Path(folder), words)
    listed(Path(folder), words[0] if words else "")


if __name__ == "__main__":
    main()
