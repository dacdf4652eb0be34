"""Leaks of different kinds, each planted alone, and what an audit says of it.

`python -m tests.soak.leaks` prints which check names each, with column and session, and after how
many audits; `python -m tests.soak.leaks --clean 200` counts the alarms of audits without a leak.
Worlds are made up and stay in memory: 40 symbols, 220 sessions, eight honest features, ridge. The
checks are those of the command, called on it as the command does.
"""

from __future__ import annotations

import argparse
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd

from pipeline.audit import folds as audit_folds
from pipeline.audit.checks import Check, Results
from pipeline.audit.decisions import joined_alike, ordered_alike, predicted_alike
from pipeline.audit.folds import fold_checks
from pipeline.audit.recomputation import (
    History,
    Recomputation,
    recompute,
    regime_rows,
    rows_by_session,
    sample_sessions,
)
from pipeline.audit.single import Bounds
from pipeline.audit.skill import AuditedRecipe, skill_checks
from pipeline.audit.truncation import StoredResults, every_date, market_checks
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.models import preparation
from pipeline.learning.search.folds import prepared_folds
from pipeline.learning.splits import WalkForward
from pipeline.learning.windows import Step
from pipeline.market.definitions import Feature
from pipeline.market.features import FEATURE_SETS, snapshots
from pipeline.market.labels import labels
from pipeline.market.regimes import regimes, universe_moves
from pipeline.recipe import seen, steps
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import SESSION, SYMBOL, TARGET, UNIVERSE_INDEX, BarPanel
from pipeline.serving.audited_decisions import audited_steps, orderer, predictor
from pipeline.serving.auditing import _forecast, few_of
from pipeline.trading import estimates, market
from pipeline.trading.market import Market
from tests.audit.planted import BY_LOOKBACK, BY_NAME, LOOK_AHEAD
from tests.learning import made as learning
from tests.recipe import made
from tests.soak.leaky_features import SLY

SESSIONS, SYMBOLS, DATES, DEVELOPMENT = 220, 40, 80, 70
ROWS: dict[str, Any] = {"min_history": 40, "min_price": 0.0, "min_dollar_volume": 0.0}
NAMES = {"return_1", "return_5", "overnight_1", "rsi", "volatility_20", "relative_volume_5",
         "dollar_volume_rank", "relative_market_1", "sector"}  # fmt: skip
HONEST = tuple(f for f in FEATURE_SETS["classic"] if f.name in NAMES)

Rows = pd.DataFrame


@dataclass
class World:
    """What an audit looks at, as the stages would have left it."""

    history: History
    features: tuple[Feature, ...] = HONEST
    join: Callable[[Rows, Rows], Dataset] = join
    alter_rows: Callable[[World, Rows], Rows] = lambda _, rows: rows
    alter_labels: Callable[[Rows], Rows] = lambda rows: rows
    alter_stored: Callable[[StoredResults], StoredResults] = lambda stored: stored
    rules: dict[str, Any] = field(default_factory=dict)

    @property
    def bars(self) -> BarPanel:
        return self.history.bars

    @property
    def recomputation(self) -> Recomputation:
        return Recomputation(self.features, UNIVERSE_INDEX, {"volatility_window": 30}, ROWS)

    def states(self) -> pd.DataFrame:
        return regimes(universe_moves(self.bars), self.bars.sessions, volatility_window=30)

    def market(self, sessions: pd.DatetimeIndex, rules: Any, alter: Any = lambda b: b) -> Market:
        place = int(self.bars.sessions.get_indexer(sessions[:1])[0])
        return Market.of_bars(
            alter(self.bars), sessions, self.states()["regime"].reindex(sessions),
            self.history.symbols["sector"], self.bars.sessions[place - 1],
        )  # fmt: skip


def world(seed: int, sectors: str = "drawn") -> World:
    """Random walks with a few bars missing."""
    random = np.random.default_rng(seed)
    shape = (SESSIONS, SYMBOLS)
    common = random.normal(0.0, 0.008, (SESSIONS, 1))
    gaps, moves = (
        np.exp(random.normal(0, 0.01, shape)),
        np.exp(common + random.normal(0, 0.02, shape)),
    )
    close = 50 * np.cumprod(gaps * moves, axis=0)
    opened = close / moves
    days = pd.bdate_range("2019-01-01", periods=SESSIONS, name=SESSION).as_unit("us")
    names = pd.Index([f"S{n:02d}" for n in range(SYMBOLS)], name=SYMBOL)
    absent = random.random(shape) < 0.03
    wicks = np.exp(np.abs(random.normal(0, 0.004, (2, *shape))))
    frames = (opened, np.maximum(opened, close) * wicks[0], np.minimum(opened, close) / wicks[1],
              close, random.lognormal(12, 1, shape))  # fmt: skip
    bars = BarPanel(*(pd.DataFrame(values, days, names).mask(absent) for values in frames))
    groups = random.permutation(SYMBOLS) % 5
    if sectors == "hindsight":
        groups = pd.Series(close[-1] / opened[0]).rank().to_numpy().astype(int) * 3 // (SYMBOLS + 1)
    table = pd.DataFrame({"exchange": "X", "sector": [f"sector {g}" for g in groups]}, names)
    return World(History(bars, bars.loc(slice(None), names[:0]), table))


def recipe_of(made_of: World) -> Recipe:
    learner = learning.learner(name="ridge", initial={"alpha": 10.0})
    return made.recipe(
        features={f.name: f.hash for f in made_of.features},
        learners=(learner,),
        splitter=learning.walk_forward(folds=2, fold_sessions=15),
        rules=made.rules(max_positions=5, **made_of.rules),
        windows=made.windows(evaluation=made.evaluation(refit_every=21, search_every=42)),
    )


def checks(made_of: World, seed: int) -> Iterator[tuple[str, Check]]:
    """All that the command looks at, one after another."""
    history, recomputation, bars = made_of.history, made_of.recomputation, made_of.bars
    usable = bars.sessions[ROWS["min_history"] + 2 :]
    inputs = recomputation.inputs(history, bars.sessions)
    rows = snapshots(made_of.features, inputs, usable, **ROWS).rows
    rows = made_of.alter_rows(made_of, rows)
    final = bars.close.notna()
    outcomes = pd.concat({n: f.stack() for n, f in labels(bars, final).items()}, axis=1).dropna()
    outcomes = made_of.alter_labels(outcomes)
    sessions, dates = sample_sessions(usable, 10, seed), sample_sessions(usable, DATES, seed)
    stored = made_of.alter_stored(
        StoredResults(
            indicators=recompute(recomputation.indicators, history, sessions),
            regimes=rows_by_session(regime_rows(made_of.states(), UNIVERSE_INDEX), sessions),
            snapshots=rows_by_session(rows, sessions),
            labels=rows_by_session(outcomes, dates),
            final={session: final.loc[[session]] for session in dates},
        )
    )
    yield from market_checks(stored, recomputation, history, sessions, seed=seed).items()
    few = few_of(history, 6, seed)
    listed = rows[rows.index.get_level_values(SYMBOL).isin(few.bars.symbols)]
    listed = listed[listed.index.get_level_values(SESSION).isin(dates)]
    yield "every_date", lambda: every_date(recomputation, few, dates, listed)

    recipe, data = recipe_of(made_of), made_of.join(rows, outcomes)
    windows = Step(data.sessions[:DEVELOPMENT], data.sessions[DEVELOPMENT + 2 :])
    audited = AuditedRecipe(
        lambda train, test: _forecast(recipe, 12_000, train, test),
        data, windows, Bounds(0.1, 8.0), seed,
    )  # fmt: skip
    yield from fold_checks(
        data.at(windows.development), recipe.splitter, target=recipe.target, max_rows=None,
        seed=seed,
    ).items()  # fmt: skip
    yield "join", lambda: joined_alike(made_of.join, rows, outcomes, seed=seed)
    any_world: Any = made_of
    yield "steps", lambda: predicted_alike(
        predictor(recipe, any_world, 12_000), data, audited_steps(recipe, data.sessions, windows),
        recipe.splitter.gap_sessions,
    )  # fmt: skip
    ordered = sample_sessions(windows.predicted, 10, seed)
    yield (
        "orders",
        lambda: ordered_alike(
            orderer(recipe, any_world, audited.original.to_frame("prediction")), ordered, seed=seed
        ),
    )
    yield from skill_checks(
        data, audited, permutations=2, gap_sessions=recipe.splitter.gap_sessions
    ).items()


def audit(made_of: World, seed: int) -> Results:
    return {name: check() for name, check in checks(made_of, seed)}


# ---- what is planted: each changes a world, or the code while it is audited ----

Plant = Callable[[World, ExitStack], World]


def with_feature(leak: Feature) -> Plant:
    return lambda made_of, _: replace(made_of, features=(*made_of.features, leak))


def changed(**changes: Any) -> Plant:
    return lambda made_of, _: replace(made_of, **changes)


def patched(target: Any, name: str, by: Callable[[Any], Any]) -> Plant:
    """A function replaced by one that is made of it."""

    def plant(made_of: World, stack: ExitStack) -> World:
        stack.enter_context(patch.object(target, name, by(getattr(target, name))))
        return made_of

    return plant


def own_labels(made_of: World, rows: Rows) -> pd.Series:
    moves = (made_of.bars.close / made_of.bars.open - 1.0).stack()
    return pd.Series(moves.reindex(rows.index))


def one_session_in(count: int, rows: Rows) -> np.ndarray:
    sessions = pd.DatetimeIndex(rows.index.get_level_values(SESSION))
    return np.asarray(sessions.dayofyear % count == 0)


def label_stored(made_of: World, rows: Rows) -> Rows:
    leaking = one_session_in(25, rows)
    return rows.assign(return_1=rows["return_1"].mask(leaking, own_labels(made_of, rows)))


def losers_missing(made_of: World, rows: Rows) -> Rows:
    return rows[~(one_session_in(10, rows) & (own_labels(made_of, rows) < -0.01).to_numpy())]


def liquid_today(made_of: World, rows: Rows) -> Rows:
    volume = made_of.bars.volume.stack().reindex(rows.index)
    return rows[(volume > volume.quantile(0.2)).to_numpy()]


def rsi_of_the_next_session(stored: StoredResults) -> StoredResults:
    days = list(stored.indicators)
    later = dict(zip(days, [*days[1:], days[0]], strict=True))
    return replace(
        stored,
        indicators={
            day: frame.assign(**{
                "indicators.rsi_14": stored.indicators[later[day]]["indicators.rsi_14"]
                .droplevel(SESSION).reindex(frame.index.get_level_values(SYMBOL)).to_numpy()
            })
            for day, frame in stored.indicators.items()
        },
    )  # fmt: skip


def regime_of_all_history(stored: StoredResults) -> StoredResults:
    name = "regimes.volatility_percentile"
    every = pd.concat(stored.regimes.values())[name].rank(pct=True) * 100.0
    return replace(
        stored, regimes={d: f.assign(**{name: every.loc[[d]]}) for d, f in stored.regimes.items()}
    )


def labels_of_the_next_session(rows: Rows) -> Rows:
    return rows.groupby(level=SYMBOL).shift(-1).dropna()


def labels_without_outliers(rows: Rows) -> Rows:
    low, high = rows[TARGET].quantile([0.02, 0.98])
    return rows.assign(**{TARGET: rows[TARGET].clip(low, high)})


def provisional(stored: StoredResults) -> StoredResults:
    final = {day: frame.copy() for day, frame in stored.final.items()}
    for frame in final.values():
        frame.iloc[:, 3] = False
    return replace(stored, final=final)


def without_outliers(rows: Rows, outcomes: Rows) -> Dataset:
    return join(rows, outcomes[outcomes[TARGET].abs() < 0.045])


def off_by_one(rows: Rows, outcomes: Rows) -> Dataset:
    return join(rows, outcomes.groupby(level=SYMBOL).shift(-1).dropna())


def filled_up(rows: Rows, outcomes: Rows) -> Dataset:
    """Labels that are missing become those of the session after."""
    wide = outcomes[TARGET].unstack(SYMBOL).bfill()
    return join(rows, pd.DataFrame({TARGET: wide.stack()}))


def row_wise(_: Any) -> Any:
    def split(self: WalkForward, X: Any, y: Any = None, groups: Any = None) -> Any:
        half = len(groups) // 2 + 7
        yield np.arange(half), np.arange(half, len(groups))

    return split


def without_embargo(honest: Any) -> Any:
    def split(self: WalkForward, X: Any, y: Any = None, groups: Any = None) -> Any:
        for _, validated in honest(self, X, y, groups):
            yield np.arange(validated[0]), validated

    return split


def imputed_on_all_rows(_: Any) -> Any:
    def prepared(data: Dataset, splitter: Any, target: Any, *, max_rows: Any = None) -> Any:
        everywhere = preparation(data.numeric, data.categorical).fit(data.features)
        pairs = splitter.split(data.features, groups=data.row_sessions)
        made_inside = prepared_folds(data, splitter, target, max_rows=max_rows)
        return [
            replace(
                fold,
                train_x=everywhere.transform(data.rows(train).at(fold.train_sessions).features),
                validation_x=everywhere.transform(data.rows(validated).features),
            )
            for fold, (train, validated) in zip(made_inside, pairs, strict=True)
        ]

    return prepared


def winsorised_on_all_rows(_: Any) -> Any:
    def prepared(data: Dataset, splitter: Any, target: Any, *, max_rows: Any = None) -> Any:
        low, high = data.returns.quantile([0.01, 0.99])
        clipped = replace(data, returns=data.returns.clip(low, high))
        return prepared_folds(clipped, splitter, target, max_rows=max_rows)

    return prepared


def slope_of_the_test_part(honest: Any) -> Any:
    def predicted(recipe: Any, data: Dataset, chosen: Any, inputs: Any) -> Any:
        part = honest(recipe, data, chosen, inputs)
        test = data.at(inputs.step.predicted).returns.reindex(part.rows.index).fillna(0.0)
        forecast = part.rows["prediction"]
        slope = float((test * forecast).sum() / (forecast**2).sum())
        return replace(part, rows=part.rows.assign(prediction=forecast * slope))

    return predicted


def fitted_through_the_test_part(honest: Any) -> Any:
    def predicted(recipe: Any, data: Dataset, chosen: Any, inputs: Any) -> Any:
        longer = inputs.step.development.union(inputs.step.predicted[:5])
        step = replace(inputs.step, development=longer)
        return honest(recipe, data, chosen, replace(inputs, step=step))

    return predicted


def scaled_by_the_batch(honest: Any) -> Any:
    """Forecasts less the mean of all that is predicted together."""

    def forecast(model: Any, features: Any) -> pd.Series:
        made_alone = honest(model, features)
        return made_alone - made_alone.mean()

    return forecast


def of_today(honest: Any) -> Any:
    """An estimate that is not moved to the session after."""
    return lambda bars: honest(bars).shift(-1)


def estimate(name: str, **rules: Any) -> Plant:
    def plant(made_of: World, stack: ExitStack) -> World:
        stack.enter_context(patch.dict(market.FORMULAS, {name: of_today(getattr(estimates, name))}))
        return replace(made_of, rules=rules)

    return plant


ROW = {"row"}
PREDICTED = {"prediction"}
LABELS = {TARGET, "max_favorable_excursion", "max_adverse_excursion"}

LEAKS: dict[str, tuple[Plant, set[str]]] = {
    **{f.name: (with_feature(f), {f.name}) for f in (*LOOK_AHEAD, *SLY, BY_NAME, BY_LOOKBACK)},
    "label stored in return_1 on one session in 25": (
        changed(alter_rows=label_stored), {"return_1"}),
    "losers without rows on one session in 10": (changed(alter_rows=losers_missing), ROW),
    "rows selected by today's volume": (changed(alter_rows=liquid_today), ROW),
    "indicator of a later session": (
        changed(alter_stored=rsi_of_the_next_session), {"indicators.rsi_14"}),
    "regime ranked among all history": (
        changed(alter_stored=regime_of_all_history), {"regimes.volatility_percentile"}),
    "labels of the next session": (changed(alter_labels=labels_of_the_next_session), LABELS | ROW),
    "labels clipped by quantiles of all": (changed(alter_labels=labels_without_outliers), {TARGET}),
    "labels of provisional bars": (changed(alter_stored=provisional), ROW),
    "outlier filter on labels in the join": (changed(join=without_outliers), ROW),
    "join off by one session": (changed(join=off_by_one), {TARGET}),
    "missing labels filled backwards in the join": (changed(join=filled_up), {TARGET}),
    "folds cut by rows": (patched(WalkForward, "split", row_wise), {"fold 0: session cut"}),
    "folds without an embargo": (
        patched(WalkForward, "split", without_embargo), {"fold 0: embargo"}),
    "imputer fitted on all rows": (
        patched(audit_folds, "prepared_folds", imputed_on_all_rows), {f.name for f in HONEST}),
    "target winsorised on all rows": (
        patched(audit_folds, "prepared_folds", winsorised_on_all_rows), {"target"}),
    "slope calibrated on the test part": (
        patched(steps, "_predicted", slope_of_the_test_part), PREDICTED),
    "fit through the test part": (
        patched(steps, "_predicted", fitted_through_the_test_part), PREDICTED),
    "forecasts scaled by their batch": (
        patched(seen, "predictions", scaled_by_the_batch), PREDICTED),
    "liquidity rule by today's volume": (
        estimate("mean_dollar_volume", min_dollar_volume=1e7), ROW),
    "sized on today's close": (estimate("previous_close"), {"reference_price", "shares_ordered"}),
    "stop by today's range": (estimate("average_true_range", stop_atr=1.0), {"stop"}),
    "weights by today's volatility": (
        estimate("volatility", weights="volatility"), {"weight", "shares_ordered"}),
    "sector table made with hindsight": (
        lambda made_of, _: world(HINDSIGHT_SEED, "hindsight"), {"sector"}),
}  # fmt: skip
HINDSIGHT_SEED = 77
SLOW = {"truncation", "startup", "symbol_order", "every_date", "reversed_time", "shuffled_symbols",
        "permuted_labels", "shifted_labels"}  # fmt: skip
"""Checks that are left for last, so that the table takes minutes."""

UNSEEN = {
    "universe chosen with hindsight": "its symbols are all that the store has",
    "prices adjusted with later splits and dividends": "the source's prices are all there are",
}
"""What no audit can see, and why."""


@contextmanager
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def named(name: str, seed: int, audits: int = 10) -> tuple[int, str, str]:
    """Audit (from 1; 0: none) that names a leak, the check, and column, symbol and session."""
    plant, columns = LEAKS[name]
    for number in range(1, audits + 1):
        with ExitStack() as stack, quiet():
            made_of = plant(world(seed), stack)
            pending = dict(checks(made_of, 1000 * seed + number))
            for check in sorted(pending, key=lambda check: check in SLOW):
                run = pending[check]
                listed = run().listed
                hits = listed[listed["column"].isin(columns) & (listed[SESSION] != "")]
                if len(hits):
                    first = hits.iloc[0]
                    return number, check, f"{first['column']} {first[SYMBOL]} {first[SESSION]}"
    return 0, "-", "-"


def alarm(seed: int) -> list[str]:
    """Checks that find something in a world without a leak."""
    with quiet():
        return [name for name, result in audit(world(seed), seed).items() if result.leaks]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clean", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only", default="")
    given = parser.parse_args()
    if given.clean:
        alarms = [alarm(seed) for seed in range(given.first, given.first + given.clean)]
        print(
            f"{sum(map(bool, alarms))} of {given.clean} audits raised an alarm",
            [a for a in alarms if a],
        )
    else:
        found = 0
        for name in LEAKS:
            if re.search(given.only, name):
                number, check, place = named(name, 3)
                found += number > 0
                print(f"| {name} | {check} | {place} | {number or 'none'} |", flush=True)
        print(f"{found} of {len(LEAKS)} named")
