"""The console command: `daytrade retrain model=ridge` is `python -m pipeline.stages.retrain ...`.

Made by `pip install -e .`; the stages are those of MLproject.
"""

from __future__ import annotations

import ast
import difflib
import os
import runpy
import sys

import yaml

from pipeline.commands import CONSOLE_NAME
from pipeline.paths import ROOT


def stages() -> list[str]:
    """Names of the entry points."""
    return list(yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"])


def main() -> None:
    """Run the stage named first; without one, or with an unknown one, say which there are."""
    named = sys.argv[1] if len(sys.argv) > 1 else ""
    known = stages()
    if named not in known:
        print(_usage(named, known), file=sys.stderr)
        sys.exit(0 if named in ("-h", "--help") else 1)
    os.environ[CONSOLE_NAME] = "1"
    del sys.argv[1]
    runpy.run_module(f"pipeline.stages.{named}", run_name="__main__", alter_sys=True)


def _usage(named: str, known: list[str]) -> str:
    lines = [] if named in ("", "-h", "--help") else [f"daytrade: no stage {named!r}"]
    if near := difflib.get_close_matches(named, known, 1):
        lines.append(f"  nearest: daytrade {near[0]}")
    lines += ["usage: daytrade STAGE [key=value ...]", ""]
    lines += [f"  {name:<11} {_sentence(name)}" for name in known]
    lines += ["", "daytrade STAGE --help names the choices; docs/settings.md describes every key."]
    return "\n".join(lines)


def _sentence(stage: str) -> str:
    """What a stage does, from the first line of its module."""
    text = (ROOT / "pipeline" / "stages" / f"{stage}.py").read_text()
    line = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
    return line.partition(": ")[2] or line


if __name__ == "__main__":
    main()
