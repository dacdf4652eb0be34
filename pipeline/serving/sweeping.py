"""Every combination of a sweep traded on one version's predictions; each is a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pandas as pd

from pipeline.contract import Tags
from pipeline.gates.looks import strategy_digest
from pipeline.io.tracking import looks
from pipeline.io.tracking.sweep import record_sweep
from pipeline.io.tracking.values import ModelVersion
from pipeline.recipe.sweep import Combination, hedged_with, swept_books
from pipeline.report.sweep import Grid
from pipeline.trading.market import Market
from pipeline.trading.performance import equal_weight_benchmark
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace


@dataclass(frozen=True)
class TradedVersion:
    """A version's out-of-sample predictions, and the market they are traded on.

    Attributes
    ----------
    predicted
        Open-to-close return, a fraction, by (session, symbol).
    rules
        That the market was made for.
    """

    workspace: Workspace
    version: ModelVersion
    predicted: pd.Series
    market: Market
    rules: Rules

    def sweep(self, combinations: Sequence[Combination], grid: Grid) -> tuple[pd.DataFrame, str]:
        """Trade every combination, keep each as a look before it is seen, log it as nested run.

        Returns
        -------
        tuple
            Of ``tracking.sweep.record_sweep``.
        """
        swept = swept_books(
            [(each.rules, each.bankroll) for each in combinations],
            self.predicted,
            self.market,
            hedged_with(self.rules),
            self._market_for,
        )
        market = self.market
        benchmark = equal_weight_benchmark(market.open, market.close, self.predicted)
        recipe = self.version.tags.get(Tags.RECIPE, "")
        base = looks.look(
            self.workspace, "", recipe, self.predicted, self.rules, combinations[0].bankroll
        )

        def shown(number: int, run_id: str) -> dict[str, str]:
            each = combinations[number]
            strategy = strategy_digest(each.rules, each.bankroll)
            look = replace(base, run_id=run_id, strategy=strategy)
            looks.keep_look(self.workspace, look)
            return looks.look_tags(look)

        return record_sweep([each.changes for each in combinations], swept, benchmark, grid, shown)

    def _market_for(self, rules: Rules) -> Market:
        """The same sessions for rules that hedge otherwise."""
        market = self.workspace.market(self.market.sessions, rules)
        return replace(market, indication=self.market.indication)
