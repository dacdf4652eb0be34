"""The market's index on a tear sheet: from its real open to its close, or named and left out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.store.store import Store
from pipeline.io.tracking.books import index_returns
from pipeline.schemas import BAR_FIELDS, ROW, BarPanel
from pipeline.trading.benchmarks import REAL_WINDOW
from pipeline.workspace import Workspace
from tests.workspaces import delivery, listed, workspace


def bars(gap: float) -> pd.DataFrame:
    """60 sessions of an index that closes 1 % up and opens ``gap`` above the previous close."""
    days = pd.bdate_range("2021-03-01", periods=60, name="session", unit="us")
    close = 100.0 * 1.01 ** np.arange(60)
    keys = pd.MultiIndex.from_product([days, ["^IXIC"]], names=ROW)
    rows = pd.DataFrame(dict.fromkeys(BAR_FIELDS, close), keys)
    return rows.assign(open=close / 1.01 * (1.0 + gap), final=True)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "s.db")
    opened.write_symbols(listed(["^IXIC"], "index", sector="Index"))
    yield opened
    opened.close()


def shown(space: Workspace) -> tuple[pd.Series, str, pd.DatetimeIndex]:
    sessions = space.store.sessions("index")[-20:]
    return *index_returns(space.index_bars(sessions, REAL_WINDOW), sessions), sessions


def test_the_index_is_compared_from_its_real_open_to_its_close(store: Store) -> None:
    store.write_bars(delivery(bars(gap=0.002)))
    index, note, sessions = shown(workspace(store, configured_index="^IXIC"))
    assert (index.name, note) == ("^IXIC", "")
    assert index.index.equals(sessions)
    assert index.to_numpy() == pytest.approx(1.01 / 1.002 - 1.0)


def test_an_index_whose_open_is_the_previous_close_is_named_but_not_shown(store: Store) -> None:
    store.write_bars(delivery(bars(gap=0.0)))
    index, note, _ = shown(workspace(store, configured_index="^IXIC"))
    assert index.empty
    assert note == (
        "^IXIC is not shown: on 100% of its sessions its open is a copy of the previous close."
    )


def test_an_index_without_an_open_on_these_sessions_is_named(store: Store) -> None:
    store.write_bars(delivery(bars(gap=0.002)))
    panel = store.bar_panel(kind="index")
    closed = BarPanel(*(getattr(panel, f) * (np.nan if f == "open" else 1) for f in BAR_FIELDS))
    index, note = index_returns(closed, panel.sessions[-20:])
    assert index.empty
    assert note == "^IXIC is not shown: it has no open on these sessions."


def test_the_mean_of_the_universe_is_no_line_of_its_own(store: Store) -> None:
    index, note, _ = shown(workspace(store, configured_index="UNIVERSE"))
    assert (index.empty, note) == (True, "")
