"""What gaps are measured by in a universe whose members change: S00 leaves, S05 joins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.io.store.store import Store
from pipeline.market.indication import Evening, indicated_columns
from pipeline.opens import evening_before, printed_opens
from tests.trading.markets import random_bars
from tests.workspaces import delivered, listed

BARS = random_bars(5, sessions=160, symbols=6)
SESSIONS = BARS.sessions[-6:]
ALL = [str(name) for name in BARS.symbols]
LEAVER, JOINER = ALL[0], ALL[-1]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    folder: Path = tmp_path_factory.mktemp("opens")
    with Store.open(folder / "s.db") as opened:
        opened.write_symbols(listed(ALL, sector="X"))
        opened.write_bars(delivered(BARS))
        yield opened


@pytest.fixture
def members() -> pd.DataFrame:
    """On the last six sessions: the leaver until the third of them, the joiner from the fifth."""
    table = pd.DataFrame(True, SESSIONS, BARS.symbols)
    table.loc[SESSIONS[3:], LEAVER] = False
    table.loc[SESSIONS[:4], JOINER] = False
    return table


def columns(store: Store, members: pd.DataFrame | list[str]) -> dict[str, pd.DataFrame]:
    known = evening_before(store, "UNIVERSE", members, SESSIONS)
    price = printed_opens(store, ALL, SESSIONS).reindex(columns=known.symbols)
    made = indicated_columns(known, price.to_numpy())
    return {name: pd.DataFrame(values, SESSIONS, known.symbols) for name, values in made.items()}


def test_gaps_are_those_among_the_members_of_each_session(store, members):
    whole = columns(store, members)
    for session in SESSIONS:
        names = [str(name) for name in members.columns[members.loc[session]]]
        alone = columns(store, names)
        for name, values in whole.items():
            assert values.loc[session].drop(names).isna().all(), name
            np.testing.assert_array_equal(values.loc[session, names], alone[name].loc[session])
    everybody = columns(store, ALL)
    other = [name for name in whole if (everybody[name][ALL[2]] != whole[name][ALL[2]]).any()]
    assert any(name.endswith("over_market") for name in other), "the others are others"


def test_what_happens_to_the_members_later_changes_no_gap(store, members):
    later = members.copy()
    later.iloc[4:] = ~later.iloc[4:]
    before, after = columns(store, members), columns(store, later)
    for name, values in before.items():
        pd.testing.assert_frame_equal(values[:4], after[name][:4])


def test_members_throughout_change_nothing(store):
    always = pd.DataFrame(True, SESSIONS, BARS.symbols)
    plain = evening_before(store, "UNIVERSE", ALL, SESSIONS)
    dated: Evening = evening_before(store, "UNIVERSE", always, SESSIONS)
    for name, values in vars(plain).items():
        ours = vars(dated)[name]
        for one, other in (
            zip(values.values(), ours.values(), strict=True)
            if isinstance(values, dict)
            else [(values, ours)]
        ):
            np.testing.assert_array_equal(one, other, err_msg=name)
