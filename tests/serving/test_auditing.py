"""The windows that an audit of a recipe looks at, and what it needs before it looks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from pipeline import commands
from pipeline.commands import Command
from pipeline.errors import NotReady
from pipeline.io.store.store import Store
from pipeline.serving.auditing import Limits, _current_sessions, _windows
from tests.learning import made as learning
from tests.recipe import made
from tests.serving.test_freshness import DAYS, bars
from tests.workspaces import listed, workspace


def test_the_gap_of_an_audit_holds_the_purge_beside_the_embargo(tmp_path: Path) -> None:
    limits = cast("Limits", SimpleNamespace(window_days=30, holdout_days=1, first=None, last=None))
    with Store.open(tmp_path / "s.db") as store:
        store.write_symbols(listed("A"))
        store.write_bars(bars({"A": 5}))
        for label_sessions, learned in ((1, 3), (2, 2), (3, 1)):
            splitter = learning.walk_forward(
                folds=2, fold_sessions=1, embargo_sessions=1, label_sessions=label_sessions
            )
            recipe = made.recipe(splitter=splitter)
            step = _windows(workspace(store), recipe, limits, None)
            assert step.development.equals(DAYS[:learned])
            assert step.predicted.equals(DAYS[4:])


def test_what_an_audit_lacks_is_told_with_the_command_that_makes_it(tmp_path: Path) -> None:
    """On the data and the feature set that were typed."""
    commands.use_overrides(["features=classic", "features.name=mine", "audit.permutations=2"])
    with Store.open(tmp_path / "s.db") as store:
        space = workspace(store)
        store.write_symbols(listed("A"))
        store.write_bars(bars({"A": 5}))
        for stage in ("indicators", "regimes", "labels"):
            with pytest.raises(NotReady, match=f"bars changed since {stage}") as lacks:
                _current_sessions(space)
            assert lacks.value.next == Command(stage)
            store.mark_built(stage, store.revision())
        with pytest.raises(NotReady, match="no snapshots") as lacks:
            _current_sessions(space)
        expected = Command("features", "features=classic", "features.name=mine")
        assert lacks.value.next_command == str(expected)
    commands.use_overrides([])
