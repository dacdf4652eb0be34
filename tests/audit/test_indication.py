"""Planted leaks of a decision on the indicated open are found by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.audit.checks import CheckResult
from pipeline.audit.indication import indication_checks
from pipeline.recipe.decision import Indicated, IndicatedOpen
from pipeline.schemas import ROW
from tests.market.test_indication import BARS, evening_of

DECISION = IndicatedOpen(name="indicated_open", error_bps=25.0, common_share=0.2)
SESSIONS = BARS.sessions[-30:]
EVENING = evening_of(BARS, BARS.sessions).at(SESSIONS)
HONEST = Indicated.of_prints(EVENING, BARS.open.loc[SESSIONS], DECISION, 7)
ROWS = pd.MultiIndex.from_product([SESSIONS, BARS.symbols], names=ROW)


def found(stored: pd.DataFrame, seen: Indicated = HONEST) -> dict[str, CheckResult]:
    printed = BARS.open.loc[SESSIONS].stack()

    def missed() -> pd.Series:
        prices = seen.prices(ROWS)
        return prices / printed.reindex(prices.index) - 1.0

    def honest() -> pd.DataFrame:
        return HONEST.columns(ROWS)

    checks = indication_checks(stored, honest, honest, missed, DECISION.error_bps)
    return {name: check() for name, check in checks.items()}


def leaking(results: dict[str, CheckResult]) -> set[str]:
    return {column for r in results.values() if r.leaks for column in r.listed["column"]}


def test_an_honest_indication_passes() -> None:
    results = found(HONEST.columns(ROWS))
    assert leaking(results) == set()
    assert all(result.checked > 100 for result in results.values())


def test_the_printed_open_without_error_is_found() -> None:
    exact = DECISION.changed(error_bps=0.0)
    printed = Indicated.of_prints(EVENING, BARS.open.loc[SESSIONS], exact, 7)
    assert "printed open" in leaking(found(printed.columns(ROWS), printed))


def test_a_rank_of_printed_gaps_is_found() -> None:
    gaps = BARS.open.loc[SESSIONS] / BARS.close.shift().loc[SESSIONS] - 1.0
    ranked = gaps.rank(axis=1, pct=True).stack().reindex(ROWS).to_numpy()
    planted = HONEST.columns(ROWS).assign(indicated_gap=np.float32(ranked))
    assert leaking(found(planted)) == {"indicated_gap"}


def test_a_market_gap_with_the_session_s_own_close_is_found() -> None:
    day = (BARS.close / BARS.close.shift() - 1.0).loc[SESSIONS].mean(axis=1)
    honest = HONEST.columns(ROWS)
    moved = honest["indicated_over_market"] - day.reindex(ROWS.get_level_values(0)).to_numpy()
    planted = honest.assign(indicated_over_market=moved.astype("float32"))
    assert leaking(found(planted)) == {"indicated_over_market"}


@pytest.mark.parametrize("error", [0.0, 10.0])
def test_a_smaller_error_than_configured_is_found(error: float) -> None:
    other = DECISION.changed(error_bps=error)
    seen = Indicated.of_prints(EVENING, BARS.open.loc[SESSIONS], other, 7)
    assert found(HONEST.columns(ROWS), seen)["indication_error"].leaks == 1
