"""Which index the market is, by config or by rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from mlflow.entities.model_registry import ModelVersion, ModelVersionTag

from pipeline.errors import Refused
from pipeline.io.providers import Delivery
from pipeline.io.store import Store
from pipeline.schemas import BAR_FIELDS, ROW
from pipeline.stages import _predictions, regimes
from pipeline.stages._index import market_index
from pipeline.stages._runner import check, compose

SESSIONS = pd.bdate_range("2021-01-04", periods=40, name="session", unit="us")
NOTHING = pd.DataFrame(columns=[*ROW, "reason", *BAR_FIELDS])


def bars(symbol: str, sessions: pd.DatetimeIndex, level: float) -> Delivery:
    close = level * (1 + 0.01 * np.sin(np.arange(len(sessions))))
    rows = pd.DataFrame({"open": close, "high": close * 1.01, "low": close * 0.99, "close": close})
    keys = pd.MultiIndex.from_product([sessions, [symbol]], names=ROW)
    held = rows.assign(volume=100.0, final=True).set_axis(keys)
    return Delivery(held, NOTHING, NOTHING[[*ROW, "reason"]])


def store_of(path: Path, **indices: pd.DatetimeIndex) -> Store:
    """A stock on every session, and indices (without their caret) on some."""
    store = Store.open(path)
    held = {"A": ("stock", SESSIONS)} | {f"^{n}": ("index", days) for n, days in indices.items()}
    described = {"exchange": "X", "sector": "S", "name": "N"}
    kinds = {name: described | {"kind": kind} for name, (kind, _) in held.items()}
    store.write_symbols(pd.DataFrame(kinds).T.rename_axis("symbol"))
    for name, (_, days) in held.items():
        store.write_bars(bars(name, days, 20.0))
    return store


def chosen(store: Store, market: str = "null") -> tuple[str, str]:
    found = market_index(
        check(compose(["data=files", "features=classic", f"data.market_index={market}"])), store
    )
    return found.symbol, found.why


@pytest.mark.parametrize(
    ("held", "expected"),
    [
        (("GSPC", "IXIC", "VIX"), "^IXIC"),
        (("GSPC", "VIX"), "^GSPC"),
        (("VIX",), "UNIVERSE"),
        (("N225",), "UNIVERSE"),
        ((), "UNIVERSE"),
    ],
)
def test_the_first_broad_index_of_the_list_is_the_market(tmp_path, held, expected) -> None:
    store = store_of(tmp_path / "s.db", **dict.fromkeys(held, SESSIONS))
    assert chosen(store)[0] == expected


def test_an_index_that_lacks_more_than_a_twentieth_of_the_sessions_is_passed_over(tmp_path) -> None:
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS[3:], GSPC=SESSIONS[2:])
    symbol, why = chosen(store)
    assert symbol == "^GSPC"
    assert "it has 95.0%" in why
    few = store_of(tmp_path / "few.db", IXIC=SESSIONS[:30])
    assert chosen(few) == (
        "UNIVERSE",
        "too little of an index in the store: ^IXIC has bars on 75.0%; "
        "the stocks' equal-weight mean",
    )


def test_config_wins_over_the_rule_and_a_name_without_bars_is_said(tmp_path) -> None:
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS, NDX=SESSIONS[:5])
    assert chosen(store, '"^NDX"')[0] == "^NDX"
    assert chosen(store, "UNIVERSE")[0] == "UNIVERSE"
    assert chosen(store, '"^DAX"') == ("UNIVERSE", "data.market_index=^DAX is not in the store")


@pytest.mark.parametrize("market", ["UNIVERSE", '"^IXIC"'])
def test_the_level_of_vix_is_known_whatever_the_market_is(
    tmp_path, metrics, caplog, market
) -> None:
    """The sessions of the store are days of a made-up exchange; the level is that of t-1."""
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS, VIX=SESSIONS)
    words = ["data=files", f"data.market_index={market}", f"store.path={tmp_path / 's.db'}"]
    regimes.run(check(compose([*words, "regimes.volatility_window=20"])))
    level = store.regimes(market.strip('"'))["vix_level"]
    assert level.iloc[1:3].tolist() == [20.0, 20.0 * (1 + 0.01 * np.sin(1))]
    assert "no VIX" not in caplog.text


def test_another_index_counts_as_a_change_of_every_session(tmp_path, metrics) -> None:
    store = store_of(tmp_path / "s.db", IXIC=SESSIONS)

    def run(market: str) -> None:
        words = ["data=files", f"data.market_index={market}", f"store.path={tmp_path / 's.db'}"]
        regimes.run(check(compose([*words, "regimes.volatility_window=20"])))

    run("null")
    run("UNIVERSE")
    before = store.revision()
    run("null")  # the states of ^IXIC stand in the store as they were
    change = store.changes(since_revision=before).iloc[-1]
    assert (change["kind"], change["first_session"]) == ("regimes", SESSIONS[0])
    run("null")
    assert store.revision() == before + 1


@pytest.mark.parametrize(
    ("trained_on", "used", "served"),
    [
        ("^IXIC", "relative_market_5", True),
        ("^GSPC", "relative_market_5", False),
        ("^GSPC", "vix_level", False),
        ("^GSPC", "return_5", True),
        (None, "relative_market_5", True),  # registered before versions said it
    ],
)
def test_a_model_trained_against_another_market_is_not_served(
    tmp_path, trained_on, used, served
) -> None:
    store_of(tmp_path / "s.db", IXIC=SESSIONS).close()
    settings = check(compose(["data=files", "features=classic", f"store.path={tmp_path / 's.db'}"]))
    tags = [ModelVersionTag("market_index", trained_on)] if trained_on else []
    version = ModelVersion("intraday_return", "3", 0, tags=tags)

    if served:
        _predictions._check_index(settings, version, "signals", [used])
        return
    with pytest.raises(Refused, match=r"trained against \^GSPC, the market is now \^IXIC"):
        _predictions._check_index(settings, version, "signals", [used])
