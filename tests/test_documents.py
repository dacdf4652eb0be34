"""What README and docs/ show can be typed: every command composes, every name exists."""

from __future__ import annotations

import importlib.util
import re
from functools import cache

import pytest
from omegaconf import OmegaConf

from pipeline.config.compose import check, compose
from pipeline.contract import Artifacts, Metrics
from tests.documents import (
    ONLY_COMPOSED,
    PAGES,
    ROOT,
    SPAN,
    Shown,
    entry_points,
    everything,
    handbook,
)

COMMANDS = everything()
STAGES = [command for command in COMMANDS if command.stage]
OTHERS = [command for command in COMMANDS if not command.stage]
PLACEHOLDER = re.compile(r"^(N|mine|my\.csv|second_recipe|forest)$")
FILES_TO_WRITE = ("model=forest",)
"""Names of files that a page tells the reader to write."""


@cache
def composed(*overrides: str) -> object:
    return compose(list(overrides))


@cache
def composes(job: tuple[str, ...]) -> bool:
    return bool(check(compose(list(job))))


@pytest.mark.parametrize("command", STAGES, ids=str)
def test_a_command_of_a_stage_composes_into_checked_settings(command: Shown) -> None:
    entry = entry_points()[str(command.stage)]
    for name in command.parameters:
        known = name in entry["parameters"] or _holds(composed(), name)
        assert known, f"{command}: no parameter {name}"
    for job in command.jobs:
        typed = [word for word in job if word not in FILES_TO_WRITE]
        assert composes(tuple(word.replace("${universe.name}", "x") for word in typed))


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_another_command_names_a_program_a_file_or_a_module_that_is_there(command: Shown) -> None:
    program, *rest = command.words
    if program in ("pip", "uv", "python3", "rm", "source"):
        files = [word for word in rest if word.startswith("requirements")]
        assert all((ROOT / name).exists() for name in files)
    elif program == "mlflow":
        _accepts_mlflow(rest)
    elif program == "jupyter":
        assert rest[0] == "execute"
        assert (ROOT / rest[1]).exists()
    elif program == "mkdocs":
        assert rest in (["build", "--strict"], ["serve"])
    elif program == "python" and rest[0] == "-m":
        assert importlib.util.find_spec(rest[1])
    elif program == "python":
        assert (ROOT / rest[0]).exists()
    else:
        pytest.fail(f"{command}: what is {program}?")


def _accepts_mlflow(words: list[str]) -> None:
    from mlflow.cli import cli

    command = cli.commands[words[0]]
    command.make_context(words[0], list(words[1:]))  # raises on an option it does not have


def test_keys_between_the_words_of_a_page_are_settings() -> None:
    """`key=value` in the text: the key is there, whichever source of data is chosen."""
    configs = [composed(f"data={name}") for name in ("sample", "files", "yfinance")]
    missing = []
    for page in PAGES:
        for span in SPAN.findall(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)):
            found = re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)*)=(\S*)", span.replace('"', ""))
            if not found or found[1].startswith(("learner", "group")):
                continue
            key = found[1]
            group = (ROOT / "conf" / key).is_dir()
            if not group and not any(_holds(config, key) for config in configs):
                missing.append(f"{page.name}: {span}")
            if group and not PLACEHOLDER.match(found[2]):
                named = found[2].strip("<>").split(",")
                files = [ROOT / "conf" / key / f"{n}.yaml" for n in named if n and n != "..."]
                missing += [f"{page.name}: {span}" for file in files if not file.exists()]
    assert not missing


def _holds(config: object, key: str) -> bool:
    parent, _, last = key.rpartition(".")
    node = OmegaConf.select(config, parent) if parent else config
    return node is not None and last in node


def test_metrics_and_files_between_the_words_of_a_page_are_in_the_contract() -> None:
    known = {v for v in vars(Metrics).values() if isinstance(v, str)}
    starts = tuple(name for name in known if name.endswith(("/", "_")))
    groups = {name.split("/")[0] for name in known if "/" in name}
    for page in PAGES:
        for span in SPAN.findall(page.read_text()):
            if re.fullmatch(r"[a-z]+/[a-z0-9_]*\*?", span) and span.split("/")[0] in groups:
                name = span.rstrip("*")
                is_path = (ROOT / name).exists()
                assert is_path or name in known or name.startswith(starts), f"{page.name}: {span}"
    assert Artifacts.TEAR_SHEET in (ROOT / "docs" / "tutorial.md").read_text()


def test_generated_pages_are_what_the_code_says() -> None:
    spec = importlib.util.spec_from_file_location("reference", ROOT / ".ci" / "reference.py")
    assert spec
    assert spec.loader
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for name, page in script.PAGES.items():
        assert (ROOT / "docs" / name).read_text() == page(), "run python .ci/reference.py"


def test_pages_link_to_pages_and_pictures_that_are_there() -> None:
    """Those of docs/ are checked by `mkdocs build --strict` too; README is no page of the site."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[\w-]*)?\)", text):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_pages_link_to_headings_that_are_there() -> None:
    """As `mkdocs build --strict` of .ci/run does, but within the suite."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
        for target, anchor in re.findall(r"\]\(([\w./]*\.md)?#([\w-]+)\)", text):
            linked = (page.parent / target if target else page).read_text()
            heads = re.findall(r"^#+ (.+)$", linked, re.M)
            slugs = [re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads]
            assert anchor in slugs, f"{page.name}: {target}#{anchor}"


def test_the_old_handbook_names_a_command_and_its_exit_code_for_every_workflow() -> None:
    lines = handbook()
    assert len(lines) >= 25
    assert {code for _, code in lines} == {0, 1}


@pytest.mark.parametrize(("part", "why"), ONLY_COMPOSED.items(), ids=list(ONLY_COMPOSED))
def test_what_is_only_composed_is_shown_and_its_reason_names_tests_that_are_there(
    part: str, why: str
) -> None:
    assert any(part in " ".join(command.words) for command in COMMANDS)
    assert all((ROOT / name).exists() for name in re.findall(r"tests/[\w/]+\.py", why))
