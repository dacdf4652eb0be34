"""What an increment leaves behind equals a full rebuild, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import exchange_calendars
import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import selection
from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.io.tracking import runs
from pipeline.market import fingerprints
from pipeline.market.features import FEATURE_SETS
from pipeline.market.indicators import indicators as calculated
from pipeline.market.labels import labels as outcomes
from pipeline.recipe import feature_set as recipe_features
from pipeline.schemas import ROW, BarPanel
from pipeline.stages import features, indicators, labels, regimes
from pipeline.stages._cli import step
from pipeline.workspace import Workspace
from tests.workspaces import delivery

pytestmark = pytest.mark.usefixtures("mlflow_store")

SESSIONS = 130
SYMBOLS = tuple("ABCDEFGHIJKL")
STAGES = {
    "indicators": indicators.run,
    "regimes": regimes.run,
    "features": features.run,
    "labels": labels.run,
}


def history(seed: int, length: int = SESSIONS, names: Sequence[str] = SYMBOLS) -> pd.DataFrame:
    """Random bars with holes, long."""
    rng = np.random.default_rng(seed)
    calendar = exchange_calendars.get_calendar("XNYS", start="2015-01-02", end="2019-12-31")
    sessions = calendar.sessions[:length].as_unit("us")
    index = pd.MultiIndex.from_product([sessions, names], names=ROW)
    moves = rng.normal(0, 0.01, (length, len(names)))
    close = 50 * np.exp(moves.cumsum(axis=0)).ravel()
    opened = close * np.exp(rng.normal(0, 0.005, close.size))
    bars = pd.DataFrame(
        {
            "open": opened,
            "high": np.maximum(opened, close) * 1.01,
            "low": np.minimum(opened, close) * 0.99,
            "close": close,
            "volume": rng.integers(1_000, 9_000, close.size).astype(float),
            "final": True,
        },
        index=index,
    )
    return bars[rng.random(len(bars)) > 0.02]


def configured(folder: Path, *overrides: str) -> Settings:
    words = ["data.market_index=null", "regimes.volatility_window=20", *overrides]
    return check(compose(["features=classic", f"store.path={folder / 'sample.db'}", *words]))


def brought_up_to_date(folder: Path, steps: Sequence[pd.DataFrame]) -> None:
    """Write each part of a history, and run every stage after each."""
    chosen = configured(folder)
    for bars in steps:
        with Workspace.open(chosen, create=True) as workspace:
            store = workspace.store
            names = pd.Index(sorted(bars.index.unique("symbol")), name="symbol")
            listed = pd.DataFrame(index=names, columns=["exchange", "sector", "name"], dtype="str")
            store.write_symbols(listed.assign(sector="all", kind="stock"))
            store.write_bars(delivery(bars))
        for name, run in STAGES.items():
            step(name, run, chosen)


def results(folder: Path) -> dict[str, pd.DataFrame]:
    chosen = configured(folder)
    with Workspace.open(chosen) as workspace:
        found = dict(workspace.store.indicator_panel())
        found["regimes"] = workspace.store.regimes("UNIVERSE")
        found["labels"] = workspace.store.labels()
        found["snapshots"] = workspace.snapshot_store.read()
    return found


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10_000),
    cut=st.integers(60, SESSIONS - 2),
    newcomer=st.sampled_from(SYMBOLS),
    place=st.floats(0, 0.999),
)
@pytest.mark.soak
def test_new_sessions_a_new_symbol_and_a_changed_bar_equal_a_rebuild(
    tmp_path_factory: pytest.TempPathFactory, seed: int, cut: int, newcomer: str, place: float
) -> None:
    whole = history(seed)
    sessions, symbols = (whole.index.get_level_values(level) for level in ROW)
    early = sessions < whole.index.unique("session")[cut]
    known = symbols != newcomer
    changed = whole.iloc[[int(place * len(whole))]].copy()
    changed[["high", "close"]] *= 1.03
    final = whole.copy()
    final.loc[changed.index] = changed
    increments = [whole[early & known], whole[known], whole, changed]

    stepwise, at_once = (tmp_path_factory.mktemp(name) for name in ("stepwise", "at_once"))
    brought_up_to_date(stepwise, increments)
    brought_up_to_date(at_once, [final])

    ours, theirs = results(stepwise), results(at_once)
    for name, frame in theirs.items():
        pd.testing.assert_frame_equal(ours[name], frame, check_exact=True, obj=name)


def test_a_second_run_computes_nothing(tmp_path: Path) -> None:
    brought_up_to_date(tmp_path, [history(1)])
    before = results(tmp_path)
    brought_up_to_date(tmp_path, [history(1)])
    for name in STAGES:
        newest = runs.search(f"tags.stage = '{name}'", newest=1)[0]
        assert newest.data.metrics[f"{name}/rows"] == 0
    for name, frame in results(tmp_path).items():
        pd.testing.assert_frame_equal(before[name], frame, check_exact=True)


def test_blocks_of_sessions_here_and_on_a_cluster_leave_the_bits_of_a_whole_panel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = history(2, 800, SYMBOLS[:3])
    brought_up_to_date(tmp_path / "whole", [bars])
    monkeypatch.setattr(selection, "CELLS", 1)
    brought_up_to_date(tmp_path / "blocks", [bars])

    whole, in_blocks = results(tmp_path / "whole"), results(tmp_path / "blocks")
    for name, frame in whole.items():
        pd.testing.assert_frame_equal(in_blocks[name], frame, check_exact=True, obj=name)

    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as cluster:
        there = ("compute=dask", f"compute.address={cluster.scheduler_address}")
        again = configured(tmp_path / "blocks", "features.overwrite=true", *there)
        step("features", features.run, again)
    snapshots = results(tmp_path / "blocks")["snapshots"]
    pd.testing.assert_frame_equal(snapshots, whole["snapshots"], check_exact=True)


def other_indicators(bars: BarPanel, obv_start: pd.Series | None = None) -> dict[str, pd.DataFrame]:
    """As if the code had been changed."""
    values = calculated(bars, obv_start)
    return values | {"rsi_14": values["rsi_14"] / 2}


def forget_hashes() -> None:
    for known in (fingerprints._code, fingerprints.needed):
        known.cache_clear()
    for feature in FEATURE_SETS["classic"]:
        for name in ("hash", "reads"):
            vars(feature).pop(name, None)


@pytest.fixture
def change_code(monkeypatch: pytest.MonkeyPatch):
    """Code does not change within a process, so hashes are kept; here it does."""

    def change() -> None:
        monkeypatch.setattr(indicators, "indicators", other_indicators)
        monkeypatch.setitem(fingerprints.MAKERS, "indicators", (other_indicators,))
        forget_hashes()

    yield change
    monkeypatch.undo()
    forget_hashes()


def test_changed_code_behind_indicators_rebuilds_them_and_the_features_that_read_them(
    tmp_path: Path, change_code: Callable[[], None]
) -> None:
    brought_up_to_date(tmp_path, [history(1)])
    chosen = configured(tmp_path)
    before, version = results(tmp_path), build.feature_set(chosen).version
    hashes = build.feature_set(chosen).hashes

    change_code()
    brought_up_to_date(tmp_path, [history(1)])

    after = results(tmp_path)
    pd.testing.assert_frame_equal(after["rsi_14"], before["rsi_14"] / 2)
    pd.testing.assert_frame_equal(after["macd"], before["macd"], check_exact=True)
    assert build.feature_set(chosen).version != version
    changed = {n for n, h in build.feature_set(chosen).hashes.items() if h != hashes[n]}
    assert {"rsi", "macd", "atr"} <= changed
    assert "return_5" not in changed
    rsi = [(rows["snapshots"]["rsi"] + 1) for rows in (before, after)]
    np.testing.assert_allclose(rsi[1], rsi[0] / 2, rtol=1e-6)


def other_labels(bars: BarPanel, final: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """As if the code had been changed."""
    return {name: 2 * values for name, values in outcomes(bars, final).items()}


def test_changed_code_of_labels_makes_all_of_them_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought_up_to_date(tmp_path, [history(1)])
    chosen = configured(tmp_path)
    with Workspace.open(chosen) as workspace:
        before = workspace.store.labels()

    for module in (labels, recipe_features):
        monkeypatch.setattr(module, "labels", other_labels)
    step("labels", labels.run, chosen)

    with Workspace.open(chosen) as workspace:
        after = workspace.store.labels()
    pd.testing.assert_frame_equal(after, 2 * before, check_exact=True)


def test_other_limits_of_regimes_rebuild_them(tmp_path: Path) -> None:
    brought_up_to_date(tmp_path, [history(1)])
    chosen = configured(tmp_path, "regimes.trending_strength=0")
    step("regimes", regimes.run, chosen)

    with Workspace.open(chosen) as workspace:
        assert not workspace.store.regimes("UNIVERSE")["regime"].eq("RANGING").any()
    assert build.feature_set(chosen).version != build.feature_set(configured(tmp_path)).version
