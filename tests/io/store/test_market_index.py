"""Which index the market is, by config or by rule."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from pipeline.io.store.market_index import market_index
from tests.indices import SESSIONS, store_of


def chosen(path: Path, configured: str | None = None, **indices: pd.DatetimeIndex) -> tuple:
    """Symbol and reason of the index of a store that has these."""
    store = store_of(path / "s.db", **indices)
    found = market_index(store, configured)
    store.close()
    return found.symbol, found.why


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (("GSPC", "IXIC", "VIX"), "^IXIC"),
        (("GSPC", "VIX"), "^GSPC"),
        (("VIX",), "UNIVERSE"),
        (("N225",), "^N225"),
        (("N225", "GSPC"), "^GSPC"),
        (("VSTOXX", "INDIAVIX"), "UNIVERSE"),
        ((), "UNIVERSE"),
    ],
)
def test_the_first_broad_index_of_the_list_is_the_market(
    tmp_path: Path, held: tuple[str, ...], expected: str
) -> None:
    assert chosen(tmp_path, **dict.fromkeys(held, SESSIONS))[0] == expected


def test_an_index_that_lacks_more_than_a_twentieth_of_the_sessions_is_passed_over(
    tmp_path: Path,
) -> None:
    symbol, why = chosen(tmp_path, IXIC=SESSIONS[3:], GSPC=SESSIONS[2:])
    assert symbol == "^GSPC"
    assert "it has 95.0%" in why


def test_too_little_of_every_index_is_answered_by_the_mean_and_said(tmp_path: Path) -> None:
    assert chosen(tmp_path, IXIC=SESSIONS[:30]) == (
        "UNIVERSE",
        "too little of an index in the store: ^IXIC has bars on 75.0%; "
        "the stocks' equal-weight mean",
    )


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("^NDX", ("^NDX", "as data.market_index says")),
        ("UNIVERSE", ("UNIVERSE", "as data.market_index says")),
        ("^DAX", ("UNIVERSE", "data.market_index=^DAX is not in the store")),
    ],
)
def test_config_wins_over_the_rule_and_a_name_without_bars_is_said(
    tmp_path: Path, configured: str, expected: tuple[str, str]
) -> None:
    assert chosen(tmp_path, configured, IXIC=SESSIONS, NDX=SESSIONS[:5]) == expected
