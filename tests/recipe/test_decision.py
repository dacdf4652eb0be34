"""When it is decided is part of a recipe, and what orders need of an indication is kept."""

from __future__ import annotations

from typing import cast

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.errors import InvalidSettings
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import assemble, fit
from pipeline.recipe.decision import (
    DROPS,
    EVENING,
    FOLLOWED,
    Indicated,
    IndicatedOpen,
    decision_of,
    forecast_columns,
    with_indication,
)
from pipeline.recipe.recipe import Recipe
from pipeline.schemas import ROW
from pipeline.trading.indication import WORSE_BPS
from tests.learning import made
from tests.market.test_indication import BARS, evening_of
from tests.trading.markets import random_case

DECISION = IndicatedOpen(name="indicated_open", error_bps=25.0, common_share=0.2)
SESSIONS = BARS.sessions[-60:]
EVENING_OF_ALL = evening_of(BARS, BARS.sessions).at(SESSIONS)


def recipe(*overrides: str) -> Recipe:
    return build.recipe(check(compose(list(overrides))))


def test_the_evening_is_the_recipe_it_was() -> None:
    assert recipe().decision == EVENING
    assert "decision" not in recipe().content
    assert recipe("decision=evening").hash == recipe().hash


def test_the_time_of_the_decision_its_error_and_its_code_are_in_the_hash() -> None:
    changes = ("decision.error_bps=10", "decision.common_share=0.5")
    at_open = "decision=indicated_open"
    hashes = {recipe(at_open, *words).hash for words in ((), changes[:1], changes[1:])}
    assert len(hashes | {recipe().hash}) == 4
    assert len(recipe(at_open).content["decision"]["code"]) == 12


def test_what_a_recipe_recorded_is_the_decision_it_had() -> None:
    assert decision_of(recipe("decision=indicated_open").content) == DECISION
    assert decision_of(recipe().content) == EVENING
    assert decision_of({}) == EVENING


def test_an_error_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidSettings, match=r"decision\.error_bps"):
        check(compose(["decision=indicated_open", "decision.error_bps=-1"]))


def drawn(error_bps: float = 25.0) -> Indicated:
    changed = DECISION.changed(error_bps=error_bps)
    return Indicated.of_prints(EVENING_OF_ALL, BARS.open.loc[SESSIONS], changed, 7)


def test_a_jump_is_no_indication() -> None:
    opened = BARS.open.loc[SESSIONS].copy()
    opened.iloc[3, 2] = 2.0 * float(EVENING_OF_ALL.previous_close[3, 2])
    seen = Indicated.of_prints(EVENING_OF_ALL, opened, DECISION, 7)
    assert np.isnan(seen.price.iloc[3, 2])
    assert seen.price.notna().sum().sum() > 300


def test_a_model_that_is_scored_falls_with_the_own_open_and_its_forecasts_follow() -> None:
    rows = pd.MultiIndex.from_product([SESSIONS, BARS.symbols], names=ROW)
    rng = np.random.default_rng(4)
    evening = pd.DataFrame({"signal": rng.normal(size=len(rows)).astype("float32")}, rows)
    seen = drawn()
    features = seen.joined(evening)
    # Returns that rise with the gap: what no fit may learn.
    returns = (
        0.01 * features["indicated_gap"].fillna(0.0).astype("float64") + 0.001 * evening["signal"]
    )
    dataset = Dataset(features, returns.rename("intraday_return"))
    learner = made.learner(name="ridge", initial={"alpha": 1.0})
    pipeline = assemble(
        {"ridge": learner.unfitted()}, {"ridge": 1.0},
        numeric=dataset.numeric, categorical=dataset.categorical,
    )  # fmt: skip
    model = fit(pipeline, dataset, made.target(), [learner])
    told = seen.forecasts(model, evening)
    assert list(told) == ["prediction", "indicated_price", *(f"worse_{b:g}" for b in WORSE_BPS)]
    known = told.dropna()
    assert len(known) > 300
    side = np.where(known["prediction"] > 0.0, 1.0, -1.0)
    along = known.drop(columns="indicated_price").to_numpy()
    assert (np.diff(along, axis=1) * side[:, None] <= 1e-12).all()
    assert len(BARS.symbols) <= FOLLOWED


class Falling:
    """Forecasts that fall with the own gap, by another amount for every symbol."""

    def predict(self, features: pd.DataFrame) -> np.ndarray:
        return features["signal"].to_numpy() - 0.05 * features["indicated_gap"].to_numpy()


def test_the_price_to_buy_below_is_the_first_on_the_way_down_that_meets_the_hurdle() -> None:
    session = pd.MultiIndex.from_product([SESSIONS[-1:], BARS.symbols], names=ROW)
    one = EVENING_OF_ALL.at(SESSIONS[-1:])
    close = pd.DataFrame(one.previous_close, SESSIONS[-1:], BARS.symbols)
    signal = np.linspace(-0.09, 0.02, len(session))
    evening = pd.DataFrame({"signal": signal}, session)
    seen, model, hurdle = Indicated.of(one, close), cast(Pipeline, Falling()), 0.002
    told = seen.buy_below(model, evening, hurdle)
    edges = np.array([
        model.predict(pd.concat(
            [evening, seen.columns(session, np.full(len(session), 1.0 - drop))], axis=1
        ))
        for drop in DROPS
    ])  # fmt: skip
    meets = edges > hurdle
    first = np.where(meets.any(axis=0), meets.argmax(axis=0), len(DROPS))
    expected = close.iloc[0].to_numpy() * (1.0 - np.append(DROPS, np.nan)[first])
    np.testing.assert_array_equal(told.to_numpy(), expected)
    assert {0, len(DROPS)} < set(first)


def test_the_market_takes_its_indications_and_stays_without_any() -> None:
    case = random_case(2)
    plain = case.predictions.stack().to_frame("prediction")
    assert with_indication(case.market, plain) is case.market
    full = plain.assign(indicated_price=10.0, **{f"worse_{b:g}": 0.0 for b in WORSE_BPS})
    market = with_indication(case.market, forecast_columns(full.assign(other=1.0)))
    assert market.indication is not None
    assert (market.reference.stack() == 10.0).all()
    assert set(market.indication.worse) == set(WORSE_BPS)
