"""Regimes as a stage: what they are measured on, and when they are made again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.config.compose import check, compose
from pipeline.stages import regimes
from tests.indices import SESSIONS, store_of


def run(folder: Path, market: str) -> None:
    words = ["data=files", f"data.market_index={market}", f"store.path={folder / 's.db'}"]
    regimes.run(check(compose([*words, "regimes.volatility_window=20"])))


@pytest.mark.parametrize("market", ["UNIVERSE", '"^IXIC"'])
def test_the_level_of_vix_is_known_whatever_the_market_is(
    tmp_path, metrics, caplog, market
) -> None:
    """The sessions of the store are days of a made-up exchange; the level is that of t-1."""
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS, VIX=SESSIONS)
    run(tmp_path, market)
    level = store.regimes(market.strip('"'))["vix_level"]
    assert level.iloc[1:3].tolist() == [20.0, 20.0 * (1 + 0.01 * np.sin(1))]
    assert "no VIX" not in caplog.text


def test_another_index_counts_as_a_change_of_every_session(tmp_path, metrics) -> None:
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS)
    run(tmp_path, "null")
    run(tmp_path, "UNIVERSE")
    before = store.revision()
    run(tmp_path, "null")  # the states of ^IXIC stand in the store as they were
    change = store.changes(since_revision=before).iloc[-1]
    assert (change["kind"], change["first_session"]) == ("regimes", SESSIONS[0])
    after = store.revision()
    assert after != before
    run(tmp_path, "null")
    assert store.revision() == after
