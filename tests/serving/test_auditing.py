"""The windows that an audit of a recipe looks at."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import cast

from pipeline.io.store.store import Store
from pipeline.serving.auditing import Limits, _windows
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
