"""What `signals` lists before a session is what `backtest` trades on it: the real commands."""

from __future__ import annotations

import contextlib
import io

import pandas as pd
import pytest
from mlflow.artifacts import load_text

from pipeline.contract import Artifacts, Tables
from pipeline.io.store.store import Store
from pipeline.io.store.tables import SIGNAL_FLOATS
from tests.stages.conftest import Project

TRAINED_UNTIL = "2010-07-30"
BEFORE = "2010-08-11"
SESSIONS = ("2010-08-12", "2010-08-13")
RULES = ("strategy=stops", "strategy.min_edge_bps=0", "strategy.sides=long_short")
UNPROVEN = "signals.unproven_rules=say"
SAME = [
    "rank", "symbol", "side", "prediction", "weight", "shares", "reference_price", "limit", "stop",
    "target",
]  # fmt: skip


def table(project: Project, stage: str, name: str) -> pd.DataFrame:
    """A table of the newest run of a stage."""
    return pd.read_csv(io.StringIO(load_text(f"{project.newest(stage).info.artifact_uri}/{name}")))


def ledger_of(project: Project) -> pd.DataFrame:
    """That of the newest backtest."""
    return pd.read_parquet(f"{project.newest('backtest').info.artifact_uri}/{Artifacts.LEDGER}")


@pytest.mark.parametrize("sessions", [SESSIONS[:1], pytest.param(SESSIONS, marks=pytest.mark.soak)])
def test_signals_on_a_store_cut_before_a_session_are_the_orders_of_the_backtest(
    with_sample: Project, sessions: tuple[str, ...]
) -> None:
    project = with_sample
    window = ("retrain.start=2010-04-01", f"retrain.end={TRAINED_UNTIL}")
    project.python("retrain", "experiment=quick", "model=ridge", *window)
    project.python("promote", "promote.force=true", "promote.reason=parity")
    project.python("backtest", *RULES, "start_date=2010-08-02", f"end_date={sessions[-1]}")
    ledger = ledger_of(project)
    cut = f"store.path={project.folder / 'cut' / 's.db'}"
    until = BEFORE
    for session in sessions:
        project.python("ingest", cut, f"end_date={until}")
        for stage in ("indicators", "regimes", "features"):
            project.python(stage, cut)
        traded = ledger[ledger["session"] == session].reset_index(drop=True)
        equity = traded["equity_before"].iloc[0]
        project.python("signals", cut, *RULES, UNPROVEN, f"signals.bankroll={equity}")
        listed = table(project, "signals", f"{Tables.SIGNALS}.csv")
        expected = traded.rename(columns={"shares_ordered": "shares"})
        listed["shares"] = listed["shares"].astype("float64")  # read back as whole ones
        pd.testing.assert_frame_equal(listed[SAME], expected[SAME], check_exact=True)
        assert (listed["shares"] > 0.0).sum() >= 8
        assert set(listed["side"]) == {"long", "short"}
        assert (listed["data_age"] == 0).all()
        with contextlib.closing(Store.open(project.folder / "cut" / "s.db")) as store:
            kept = store.signals(session)[list(SIGNAL_FLOATS)]
        pd.testing.assert_frame_equal(kept, listed[list(SIGNAL_FLOATS)], check_exact=True)
        assert project.newest("signals").data.tags["data_until"] == until
        until = session
