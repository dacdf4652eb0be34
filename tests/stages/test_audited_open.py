"""An audit of a recipe that decides on the indicated open names what only the session could tell.

The leaks are planted in the code that makes columns, indications and orders, so that whatever is
made again by it is wrong in the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline import opens, workspace
from pipeline.audit.checks import CheckResult
from pipeline.config import build
from pipeline.market.indication import Evening
from pipeline.recipe import decision
from pipeline.recipe.decision import Indicated, IndicatedOpen
from pipeline.schemas import SESSION, SYMBOL
from pipeline.serving import audited_indication
from pipeline.serving.auditing import checks_of_recipe
from pipeline.trading import strategy
from pipeline.trading.estimates import Values
from pipeline.workspace import Workspace
from tests.stages.stocked import configured

pytestmark = pytest.mark.usefixtures("mlflow_store")

OPEN = ("decision=indicated_open", "strategy=auctions", "strategy.min_dollar_volume=0",
        "strategy.min_edge_bps=0", "strategy.sides=long_short", "audit.sessions=4",
        "audit.holdout_days=60")  # fmt: skip
CHECKS = ("indicated_columns", "indication_error", "orders")


@pytest.fixture
def audited(stocked: Path) -> Iterator[dict[str, CheckResult]]:
    """Answers of the checks that concern the time of the decision, worked out when asked for."""
    settings = configured(stocked, *OPEN)
    with Workspace.open(settings) as opened:
        recipe = build.recipe(settings)

        class Answers(dict[str, CheckResult]):
            def __missing__(self, name: str) -> CheckResult:
                made = checks_of_recipe(opened, recipe, settings.audit, None, 7)[name]()
                return self.setdefault(name, made)

        yield Answers()


def named(result: CheckResult) -> set[str]:
    """Columns, once every listed leak has its session."""
    listed = result.listed
    assert (listed[SESSION] != "").all() or set(listed["column"]) == {"printed open"}
    return set(listed["column"])


def test_an_honest_decision_passes(audited: dict[str, CheckResult]) -> None:
    assert {name: named(audited[name]) for name in CHECKS} == {name: set() for name in CHECKS}
    assert audited["orders"].checked > 100
    assert audited["indicated_columns"].checked > 5_000


def test_the_printed_open_without_error_is_named(
    audited: dict[str, CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decision, "simulated", lambda opened, *_: opened)
    assert "printed open" in named(audited["indication_error"])


@dataclass(frozen=True)
class WithPrints(Indicated):
    """Indications whose first column is the rank of the printed gap."""

    printed: pd.DataFrame | None = None

    @classmethod
    def of_prints(
        cls, evening: Evening, printed: pd.DataFrame, chosen: IndicatedOpen, seed: int
    ) -> Indicated:
        """Keep the prints."""
        honest = OF_PRINTS(evening, printed, chosen, seed)
        return cls(honest.evening, honest.price, printed)

    def columns(self, rows: pd.Index, factor: np.ndarray | None = None) -> pd.DataFrame:
        """The honest ones but for the first."""
        made = super().columns(rows, factor)
        assert self.printed is not None
        gaps = self.printed.reindex(columns=self.evening.symbols) / self.evening.previous_close
        ranked = gaps.rank(axis=1, pct=True).stack().reindex(rows)
        return made.assign(indicated_gap=ranked.to_numpy("float32"))


OF_PRINTS = Indicated.of_prints


def test_a_rank_of_printed_gaps_is_named(
    audited: dict[str, CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Indicated, "of_prints", WithPrints.of_prints)
    assert named(audited["indicated_columns"]) == {"indicated_gap"}


def test_a_market_gap_with_the_session_s_own_close_is_named(
    audited: dict[str, CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = opens.evening_before

    def leaking(store, index, members, sessions) -> Evening:
        known = honest(store, index, members, sessions)
        day = store.bar_panel(sessions[0], sessions[-1], members)
        moves = (day.close / day.open - 1.0).mean(axis=1).reindex(sessions).to_numpy()
        return replace(known, previous_close=known.previous_close * (1.0 + moves[:, None]))

    monkeypatch.setattr(opens, "evening_before", leaking)
    monkeypatch.setattr(audited_indication, "evening_before", leaking)
    assert workspace.opens is opens
    assert "indicated_over_market" in named(audited["indicated_columns"])


def test_a_limit_set_after_the_fact_is_named(
    audited: dict[str, CheckResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = strategy._Plan._limit

    def filled_whatever_opens(self: strategy._Plan, *known: Values) -> Values:
        opened = self._of(self.forecasts.values(self.forecasts.market.open))
        limit = honest(self, *known)
        return np.where(self.side > 0.0, np.fmax(limit, opened), np.fmin(limit, opened))

    monkeypatch.setattr(strategy._Plan, "_limit", filled_whatever_opens)
    assert "limit" in named(audited["orders"])
    assert SYMBOL in audited["orders"].listed
