"""Every line of the old handbook and of the tutorial, as processes, on the whole sample."""

from __future__ import annotations

import pytest

from tests.documents import ROOT, Shown, handbook, shown
from tests.stages.conftest import Project

pytestmark = pytest.mark.soak

TUTORIAL = [c for c in shown(ROOT / "docs" / "tutorial.md") if c.stage and c.stage != "ui"]
REFUSED = ("promote", "signals", "rollback")
"""What may answer no: `rollback` where only one version was ever champion."""


@pytest.fixture(scope="module")
def lived_in(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("handbook"))


@pytest.mark.parametrize("command", TUTORIAL, ids=str)
def test_the_tutorial_can_be_followed(lived_in: Project, command: Shown) -> None:
    """Each with its own words, in their order."""
    done = lived_in.python(str(command.stage), *command.typed, code=None)
    assert done.returncode == 0 or command.stage in REFUSED, done.stdout + done.stderr


@pytest.mark.parametrize(("words", "code"), handbook(), ids=lambda value: str(value))
def test_a_line_of_the_handbook_ends_with_its_exit_code(
    handled: Project, words: list[str], code: int
) -> None:
    done = handled.python(*words, code=None)
    assert done.returncode == code, done.stdout + done.stderr


@pytest.fixture(scope="module")
def handled(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project after `retrain`."""
    made = Project(tmp_path_factory.mktemp("handled"))
    made.python("retrain")
    return made
