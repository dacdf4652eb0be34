"""Evidence counts for data that extends its own, and for no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.gates.identity import (
    MIN_AGREEMENT,
    DataIdentity,
    Witness,
    agreement,
    bars_digest,
    differences,
    rows_of,
    witness_rows,
    witnesses,
)

SYMBOLS = [f"S{n:02d}" for n in range(40)]


def cells(seed: int, sessions: int = 60, symbols: list[str] = SYMBOLS) -> pd.DataFrame:
    """Bars and labels of a random panel, as a store gives them."""
    random = np.random.default_rng(seed)
    days = pd.bdate_range("2024-01-01", periods=sessions, name="session").as_unit("us")
    rows = pd.MultiIndex.from_product([days, pd.Index(symbols, name="symbol")])
    moves = random.normal(0.0, 0.02, len(rows))
    opened = random.uniform(20.0, 200.0, len(rows))
    closed = opened * (1.0 + moves)
    wick = 1.0 + 0.01 * random.random(len(rows))
    return pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, closed) * wick,
            "low": np.minimum(opened, closed) / wick,
            "close": closed,
            "volume": 1e6,
            "intraday_return": moves,
        },
        rows,
    )


def witnessed(panel: pd.DataFrame) -> tuple[Witness, ...]:
    return witnesses(panel.loc[witness_rows(panel.index)])


def identity(**changes: Any) -> DataIdentity:
    content = {
        "source": "files",
        "calendar": "XNYS",
        "symbols": dict.fromkeys(SYMBOLS, "2020-01-02"),
        "first": "2024-01-01",
        "last": "2024-03-22",
        "digest": "d",
        "witnesses": witnessed(cells(1)),
        "learned": witnessed(cells(1)),
    }
    return DataIdentity.model_validate(content | changes)


def test_data_confirms_itself_and_later_sessions_change_nothing():
    panel = cells(1)
    assert agreement(witnessed(panel.loc[:"2024-02-20"]), panel) == 1.0


def test_an_unrelated_panel_of_the_same_symbols_and_sessions_confirms_nothing():
    assert agreement(witnessed(cells(1)), cells(2)) == 0.0


def test_prices_scaled_by_an_adjustment_are_the_same_data():
    panel = cells(1)
    scaled = panel.assign(
        **{name: (panel[name] * 0.5).round(4) for name in ("open", "high", "low")}
    )
    assert agreement(witnessed(panel), scaled) == 1.0


@pytest.mark.parametrize("column", ["intraday_return", "high"])
def test_changed_labels_and_changed_bars_are_seen(column):
    panel = cells(1)
    half = panel.index.get_level_values("symbol") < "S20"
    panel_later = panel.copy()
    panel_later.loc[half, column] *= 1.1
    assert agreement(witnessed(panel), panel_later) < MIN_AGREEMENT


def test_cells_that_are_gone_confirm_nothing():
    panel = cells(1)
    left = panel[panel.index.get_level_values("symbol") >= "S20"]
    assert 0.3 < agreement(witnessed(panel), left) < 0.7


def test_witnesses_are_of_the_rows_and_not_of_their_order():
    panel = cells(1)
    shuffled = panel.sample(frac=1.0, random_state=3)
    assert witness_rows(panel.index, 24).equals(witness_rows(shuffled.index, 24))
    assert len(set(rows_of(witnessed(panel)))) == 256
    assert panel.index.isin(witness_rows(panel.index)).sum() == 256


def test_witnesses_lie_in_all_parts_of_the_data():
    rows = witness_rows(cells(1).index)
    assert rows.get_level_values("symbol").nunique() == len(SYMBOLS)
    assert rows.get_level_values("session").nunique() > 50


def test_a_version_on_the_same_data_extends_it():
    assert differences(identity(), identity(last="2024-06-28")) == []


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"source": "sample"}, "source is sample"),
        ({"last": "2024-03-21"}, "its data ends on 2024-03-21, the evidence's on 2024-03-22"),
        ({"calendar": "XLON"}, "calendar is XLON"),
        ({"symbols": dict.fromkeys(SYMBOLS[:20], "2020-01-02")}, "20 symbols joined, left"),
        ({"symbols": dict.fromkeys([*SYMBOLS, "A", "B", "C"], "2020-01-02")}, "3 symbols joined"),
        ({"symbols": dict.fromkeys(SYMBOLS, "2023-01-02")}, "40 symbols joined, left or lost"),
    ],
)
def test_other_data_is_no_extension(changes, said):
    assert said in " ".join(differences(identity(), identity(**changes)))


@pytest.mark.parametrize(
    "symbols",
    [
        dict.fromkeys(SYMBOLS, "2015-01-02"),  # more history before
        dict.fromkeys(SYMBOLS, "2020-01-02") | dict.fromkeys(["N1", "N2", "N3"], "2024-03-25"),
        dict.fromkeys([*SYMBOLS[2:], "N1"], "2020-01-02") | {"S01": "2020-01-02"},  # two of forty
    ],
)
def test_more_history_new_listings_and_few_members_that_change_are_an_extension(symbols):
    assert differences(identity(), identity(symbols=symbols)) == []


def test_digest_is_of_every_bit_in_any_order():
    panel = cells(1)
    changed = panel.copy()
    changed.iloc[5, 0] += 1e-9
    assert bars_digest(panel) == bars_digest(panel.iloc[::-1])
    assert bars_digest(panel) != bars_digest(changed)
    assert bars_digest(panel) != bars_digest(panel.iloc[:-1])


def test_an_identity_without_witnesses_is_none():
    with pytest.raises(ValueError, match="witnesses"):
        identity(witnesses=())
