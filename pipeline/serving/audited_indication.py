"""What an audit looks at of a decision on the indicated open: its columns, and what orders see."""

from __future__ import annotations

from typing import Any, cast

import pandas as pd
from sklearn.pipeline import Pipeline

from pipeline.audit.checks import Check
from pipeline.audit.decisions import with_corrupted_bars
from pipeline.audit.indication import indication_checks
from pipeline.audit.recomputation import sample_sessions
from pipeline.io.store.store import Store
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import predictions
from pipeline.market.indication import simulated
from pipeline.opens import evening_before
from pipeline.recipe.decision import Indicated, IndicatedOpen
from pipeline.recipe.recipe import Recipe
from pipeline.recipe.steps import PREDICTION
from pipeline.schemas import INDICATED, SESSION, BarPanel
from pipeline.workspace import Workspace


def holdout_forecasts(
    recipe: Recipe, workspace: Workspace, model: Pipeline, rows: Dataset
) -> pd.DataFrame:
    """Forecasts of these rows, and at worse opens where it is decided on the indicated one.

    Returns
    -------
    DataFrame
        ``prediction``, or the columns of ``recipe.decision.Indicated.forecasts``: of the drawn
        indications, which orders and their limits may know.
    """
    if not isinstance(recipe.decision, IndicatedOpen):
        return predictions(model, rows.features).to_frame(PREDICTION)
    drawn = Indicated.drawn(workspace, rows.sessions, recipe.decision, recipe.seed)
    return drawn.forecasts(model, rows.features.drop(columns=_indicated(rows.features)))


def checks_of_indication(
    workspace: Workspace, recipe: Recipe, dataset: Dataset, count: int, seed: int
) -> dict[str, Check]:
    """Whether what a decision on the indicated open sees is the indication, and no more.

    Parameters
    ----------
    count
        Sessions that are made again.
    """
    decision = recipe.decision
    if not isinstance(decision, IndicatedOpen):
        return {}
    sessions = sample_sessions(dataset.sessions, count, seed)
    part = dataset.at(sessions).features

    def drawn() -> list[Indicated]:
        """Each session by itself: nothing of it or after it is read but its opens."""
        return [
            Indicated.drawn(workspace, pd.DatetimeIndex([session]), decision, recipe.seed)
            for session in sessions
        ]

    def rows_of(session: pd.Timestamp) -> pd.Index:
        return part.index[part.index.get_level_values(SESSION) == session]

    def recomputed() -> pd.DataFrame:
        pairs = zip(sessions, drawn(), strict=True)
        return pd.concat([one.columns(rows_of(session)) for session, one in pairs])

    def held() -> pd.DataFrame:
        made = [_of_other_prints(workspace, session, decision, recipe.seed) for session in sessions]
        return pd.concat(
            [one.columns(rows_of(session)) for session, one in zip(sessions, made, strict=True)]
        )

    def missed() -> pd.Series:
        pairs = zip(sessions, drawn(), strict=True)
        seen = pd.concat([one.prices(rows_of(session)) for session, one in pairs])
        printed = workspace.printed_opens(dataset.sessions).stack()
        return seen / printed.reindex(seen.index) - 1.0

    return indication_checks(part[_indicated(part)], recomputed, held, missed, decision.error_bps)


class _Corrupted:
    """The store, every bar of it corrupted from a session on."""

    def __init__(self, store: Store, since: pd.Timestamp, seed: int) -> None:
        self._store, self._since, self._seed = store, since, seed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def bar_panel(self, *args: Any, **kwargs: Any) -> BarPanel:
        return with_corrupted_bars(self._store.bar_panel(*args, **kwargs), self._since, self._seed)


def _of_other_prints(
    workspace: Workspace, session: pd.Timestamp, decision: IndicatedOpen, seed: int
) -> Indicated:
    """The indications of a session as they are, from other prints and other bars of it."""
    day, other = pd.DatetimeIndex([session]), seed + 1
    corrupted = cast(Store, _Corrupted(workspace.store, session, seed))
    known = evening_before(corrupted, workspace.index.symbol, workspace.listed(day), day)
    printed = workspace.printed_opens(day)
    ones = printed.notna().astype("float64")
    errors = [simulated(ones, decision.error_bps, decision.common_share, n) for n in (seed, other)]
    return Indicated.of_prints(known, printed * errors[0] / errors[1], decision, other)


def _indicated(features: pd.DataFrame) -> list[str]:
    return [str(name) for name in features if str(name).startswith(INDICATED)]
