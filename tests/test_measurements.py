"""Every number of README and docs/ has a line in the one command that makes them again."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from pipeline.commands import translate
from pipeline.config.compose import check, compose
from tests.benchmarks import everything
from tests.documents import Shown, reason_not_run
from tests.documents import everything as shown_commands

ROOT = Path(__file__).resolve().parents[1]
DECLARED = everything.declared()
COMMANDS = [
    Shown("everything.yaml", tuple(shlex.split(command)))
    for each in DECLARED
    for command in each.commands
]
MEASURES = re.compile(r"tests[./](soak|benchmarks)[./](\w+)|\.ci/figures\.py")
ITSELF = "tests.benchmarks.everything"


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.stage], ids=str)
def test_a_measurement_by_a_stage_composes_into_checked_settings(command: Shown) -> None:
    assert check(compose(translate(command.typed)))


def module_of(command: Shown) -> Path:
    """The file that a measurement runs."""
    program, *rest = command.words
    assert program == "python", command
    if rest[:2] == ["-m", "pytest"]:
        return ROOT / next(word for word in rest if word.endswith(".py"))
    if rest[0] == "-m":
        found = importlib.util.find_spec(rest[1])
        assert found is not None, command
        return Path(str(found.origin))
    return ROOT / rest[0]


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.stage], ids=str)
def test_another_measurement_names_a_script_and_options_that_it_has(command: Shown) -> None:
    source = module_of(command).read_text()
    assert "__main__" in source or "soak" in command.words
    for word in command.words[3:]:
        if word.startswith("--"):
            assert f'"{word}"' in source, f"{command}: {word}"
    chosen = [word for word in command.words if "=" in word]
    assert check(compose(chosen))


def test_every_measurement_that_a_page_shows_is_made_by_the_one_command() -> None:
    modules = {found[0] for each in COMMANDS for found in [MEASURES.search(str(each))] if found}
    stages = {(each.stage, frozenset(translate(each.typed))) for each in COMMANDS if each.stage}
    for command in shown_commands():
        found = MEASURES.search(str(command))
        if found and ITSELF not in str(command):
            assert found[0] in modules, command
        elif command.stage and "PRICES" in str(command):
            assert (command.stage, frozenset(translate(command.typed))) in stages, command
        assert found or command.stage or "measurement" not in str(reason_not_run(command))


def test_a_measurement_belongs_to_a_heading_that_is_there() -> None:
    for each in DECLARED:
        page, _, anchor = each.where.partition("#")
        heads = re.findall(r"^#+ (.+)$", (ROOT / "docs" / page).read_text(), re.M)
        assert anchor in {everything._anchor(head) for head in heads}, each.where


def test_the_page_of_measurements_is_what_is_declared() -> None:
    text = everything.PAGE.read_text()
    assert text == everything.rendered(DECLARED, everything.kept(text))
    assert set(everything.kept(text)) <= {each.what for each in DECLARED}


def test_what_needs_files_that_are_not_given_is_named_and_left_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = everything.PAGE.read_text()
    assert everything.main(["500 large", "calendars", "PRICES=prices.csv"]) == 0
    told = capsys.readouterr().out
    assert "left out, needs INDICES, TABLE" in told
    assert "left out, needs PYTHON" in told
    assert everything.PAGE.read_text() == before


def test_what_a_command_prints_is_kept_with_day_commit_machine_and_time(tmp_path: Path) -> None:
    one = everything.Measurement("one", "results.md#results", ["python -c print(6*7)"], None, True)
    text, well = everything.run(one, {}, tmp_path)
    assert well
    assert everything.MEASURED.match(text)
    assert "\n42\n" in text
    page = everything.rendered([one], {"one": text})
    assert everything.rendered([one], everything.kept(page)) == page
