"""Writes docs/settings.md from conf/ and docs/metrics.md from pipeline/contract/."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
CONF = ROOT / "conf"
CONTRACT = ROOT / "pipeline" / "contract"
MEANINGS = ROOT / ".ci" / "meanings.yaml"
MADE = "Made by `python .ci/reference.py` from {}; change those, not this page."

LEADS = {
    "Artifacts": (
        "A folder for each thing they are for. MLflow's UI lists folders before files, both by "
        "name: the digit puts the tear sheet first. Older releases had other names; "
        "`run_files.read_file` of `pipeline.io.tracking` finds both.",
        "",
    ),
    "Tables": (
        "Each is one file: a spreadsheet opens it, MLflow's UI shows it, and "
        "`run_files.read_table` reads it to the last bit of a number. What may be long, the "
        "ledger and the forecasts, is Parquet instead.",
        "",
    ),
}

GROUPS = (
    "data", "universe", "store", "features", "cv", "model", "hpo", "evaluation", "compute",
    "strategy", "backtest", "gates", "tracking", "experiment",
)  # fmt: skip


def settings() -> str:
    """The page of all settings."""
    lines = [
        "# Settings",
        "",
        MADE.format("the files of `conf/`"),
        "",
        "A group is chosen by `group=option`, a key changed by `group.key=value`. Each file tells "
        "in its first lines what it is and when to choose it; a comment behind a key describes "
        "it. `${...}` takes the value of another key.",
        "",
        "## Single stages",
        "",
        "`conf/config.yaml`: which option of each group is the default, and the settings of "
        "single stages.",
        "",
        *_block(CONF / "config.yaml"),
    ]
    for group in GROUPS:
        lines += [
            "",
            f"## {group}",
            "",
            "| option | what it is, and when to choose it |",
            "|---|---|",
        ]
        files = sorted((CONF / group).glob("*.yaml"))
        lines += [f"| `{group}={file.stem}` | {_head(file)} |" for file in files]
        for file in files:
            lines += ["", f'??? note "conf/{group}/{file.name}"', ""]
            lines += [f"    {line}".rstrip() for line in _block(file)]
    lines += [
        "",
        "## Learners",
        "",
        "Files of `conf/model/learner/`, which models are made of.",
        "",
    ]
    for file in sorted((CONF / "model" / "learner").glob("*.yaml")):
        lines += [f'??? note "{file.stem}: {_head(file).replace(chr(34), chr(39))}"', ""]
        lines += [f"    {line}".rstrip() for line in _block(file)] + [""]
    return "\n".join(lines).rstrip() + "\n"


def _head(file: Path) -> str:
    """The opening comment of a file, in one line."""
    words = []
    for line in file.read_text().splitlines():
        if "@package" in line:
            continue
        if not line.startswith("#"):
            break
        words.append(line.removeprefix("#").strip())
    return " ".join(words).replace("|", "\\|")


def _block(file: Path) -> list[str]:
    return ["```yaml", *file.read_text().rstrip().splitlines(), "```"]


def metrics() -> str:
    """The page of names that the outside reads."""
    classes = dict(_classes())
    meanings = yaml.safe_load(MEANINGS.read_text())
    lines = [
        "# Metrics, tags, artifacts",
        "",
        MADE.format("`pipeline/contract/` and `.ci/meanings.yaml`"),
        "",
        "Names are promises: a name changed is lost in every older run. One that ends in `/` or "
        "`_` is the start of several.",
        "",
        "## Metrics",
        "",
        "| metric | what it is |",
        "|---|---|",
    ]
    for name, words in [*classes["Metrics"], *classes["LifeMetrics"]]:
        lines.append(f"| `{name}` | {_cell(meanings['Metrics'].get(name) or words)} |")
    for title, of in (
        ("Tags of runs and versions", "Tags"), ("Values of the tag `verdict`", "Verdicts"),
        ("Aliases", "Aliases"), ("Artifacts", "Artifacts"), ("Tables", "Tables"),
    ):  # fmt: skip
        lines += ["", f"## {title}", "", *LEADS.get(of, ()), "| name | what it is |", "|---|---|"]
        listed = [*classes[of], *classes.get(f"Life{of}", ())]
        own = meanings[of]
        end = ".csv" if of == "Tables" else ""
        lines += [f"| `{name}{end}` | {_cell(words or own[name])} |" for name, words in listed]
    return "\n".join(lines) + "\n"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("``", "`").replace("|", "\\|")


def _classes() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Names and descriptions by class of the contract."""
    nodes = [n for file in sorted(CONTRACT.glob("*.py")) for n in ast.parse(file.read_text()).body]
    for node in nodes:
        if not isinstance(node, ast.ClassDef):
            continue
        found: list[tuple[str, str]] = []
        for part in node.body:
            if isinstance(part, ast.AnnAssign) and isinstance(part.value, ast.Constant):
                found.append((str(part.value.value), ""))
            elif isinstance(part, ast.Expr) and isinstance(part.value, ast.Constant) and found:
                found[-1] = (found[-1][0], str(part.value.value))
        yield node.name, found


PAGES = {"settings.md": settings, "metrics.md": metrics}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (ROOT / "docs" / name).write_text(page())
