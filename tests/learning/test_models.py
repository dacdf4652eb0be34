from __future__ import annotations

import pickle
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.utils import all_estimators

from pipeline.errors import InvalidSettings
from pipeline.learning.dataset import Dataset
from pipeline.learning.models import (
    WEIGHT_SPREAD,
    Learner,
    Target,
    assemble,
    calibrated,
    calibration_slope,
    fit,
    market_relative,
    member_weights,
    predictions,
    session_ranks,
)

TREES = Learner("trees", ExtraTreesRegressor, {"n_estimators": 5, "max_depth": 3})
RIDGE = Learner("ridge", Ridge, {"alpha": 1.0}, scale=True)
RAW = Target(winsorise=0.0, relative="none")


def model(dataset: Dataset, trees: float, ridge: float) -> Pipeline:
    members = {learner.name: learner.estimator(seed=1) for learner in (TREES, RIDGE)}
    columns = {"numeric": dataset.numeric, "categorical": dataset.categorical}
    return assemble(members, {"trees": trees, "ridge": ridge}, **columns)


def by_session(*sessions: list[float]) -> pd.Series:
    days = pd.date_range("2024-01-01", periods=len(sessions))
    rows = [(day, f"S{n}") for day, s in zip(days, sessions, strict=True) for n in range(len(s))]
    index = pd.MultiIndex.from_tuples(rows, names=["session", "symbol"])
    return pd.Series([value for session in sessions for value in session], index)


def of(returns: pd.Series, **features: list) -> Dataset:
    return Dataset(pd.DataFrame({"x": 0.0, **features}, index=returns.index), returns)


def test_a_trial_overrides_initial_parameters_and_gets_the_seed():
    estimator = TREES.estimator({"max_depth": 2}, seed=7)

    assert estimator.get_params()["n_estimators"] == 5
    assert estimator.get_params()["max_depth"] == 2
    assert estimator.get_params()["random_state"] == 7


def test_fixed_parameters_of_the_builder_stay():
    learner = Learner("trees", partial(ExtraTreesRegressor, bootstrap=True), {"n_estimators": 5})

    assert learner.estimator().get_params()["bootstrap"] is True


def test_a_scaled_learner_does_not_care_about_units(make_dataset):
    x = make_dataset().features[["signal", "noise"]].to_numpy()
    y = make_dataset().returns.to_numpy()

    plain = RIDGE.estimator().fit(x, y).predict(x)
    scaled = RIDGE.estimator().fit(x * [100, 0.01], y).predict(x * [100, 0.01])

    np.testing.assert_allclose(scaled, plain, atol=1e-6)


def test_a_searched_parameter_needs_an_initial_value():
    with pytest.raises(InvalidSettings, match="alpha"):
        Learner("ridge", Ridge, {}, {"alpha": {"type": "float", "low": 1, "high": 2}})


def test_relative_returns_lose_the_mean_of_their_own_session():
    returns = by_session([0.01, 0.03], [-0.02, 0.0, 0.02])

    relative = market_relative(returns)

    np.testing.assert_allclose(relative, [-0.01, 0.01, -0.02, 0.0, 0.02], atol=1e-15)


def test_winsorising_clips_at_pooled_quantiles_after_the_market_is_taken_out():
    returns = by_session([1.0, 2.0, 3.0, 4.0, 10.0], [101.0, 102.0, 103.0, 104.0, 110.0])

    treated = Target(winsorise=0.25).treated(of(returns))

    # relative values -3 -2 -1 0 6, twice: quartiles -2 and 0
    assert list(treated) == [-2, -2, -1, 0, 0] * 2
    assert list(Target(0.25).scored(returns)) == [-3, -2, -1, 0, 6] * 2


def test_sector_relative_returns_lose_the_mean_of_their_sector():
    returns = by_session([1.0, 3.0, 10.0], [0.0, 2.0, 7.0])
    dataset = of(returns, sector=["A", "A", "B"] * 2)

    treated = Target(winsorise=0.0, relative="sector").treated(dataset)

    np.testing.assert_allclose(treated, [-1, 1, 0] * 2, atol=1e-12)


def test_what_a_beta_explains_of_a_session_is_taken_out():
    # 0.5 + 2 beta, and a rest that neither a constant nor the beta explains
    returns = by_session([0.5 - 2 + 1, 0.5 - 2, 0.5 + 2 - 1, 0.5 + 4], [1.0, 2.0, 3.0, 4.0])
    beta = [-1.0, 0.0, 1.0, 2.0]
    dataset = of(returns, beta=beta * 2)

    treated = Target(winsorise=0.0, against=("beta",)).treated(dataset).to_numpy()

    assert abs(treated[:4] @ beta) < 1e-12
    assert abs(treated[:4].sum()) < 1e-12
    np.testing.assert_allclose(treated[4:], 0, atol=1e-12)  # a straight line in beta
    assert np.abs(treated[:4]).max() > 0.1


def test_an_unknown_beta_counts_as_the_mean_of_its_session():
    returns = by_session([1.0, 2.0, 3.0])

    treated = Target(winsorise=0.0, against=("beta",)).treated(of(returns, beta=[0, np.nan, 2]))

    np.testing.assert_allclose(treated, 0, atol=1e-12)


def test_ranks_are_centred_and_ties_share_their_place():
    ranks = session_ranks(by_session([0.5, -0.1, 0.2, 0.2], [3.0, 4.0]))

    np.testing.assert_allclose(ranks, [0.375, -0.375, 0, 0, -0.25, 0.25])


def test_the_unit_of_a_rank_is_a_return():
    returns = by_session([-0.03, -0.01, 0.01, 0.03])
    target = Target(ranked=True)

    treated = target.treated(of(returns))

    np.testing.assert_allclose(treated, [-0.375, -0.125, 0.125, 0.375])
    assert target.unit(of(returns)) == pytest.approx(0.02 / 0.25)
    assert Target().unit(of(returns)) == 1.0


@given(st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_ranked_targets_of_a_session_do_not_depend_on_other_sessions(kept, seed):
    random = np.random.default_rng(seed)
    returns = by_session(*random.normal(size=(5, 12)).tolist())
    dataset = of(returns, beta=random.normal(size=60), sector=list("ABC") * 20)
    target = Target(relative="sector", against=("beta",), ranked=True)

    together = target.treated(dataset).iloc[: 12 * kept]
    alone = target.treated(dataset.rows(np.arange(12 * kept)))

    pd.testing.assert_series_equal(together, alone)


def test_what_no_column_is_there_for_stays_in_the_target():
    returns = by_session([0.03, -0.01, 0.02], [0.01, 0.0, -0.02])
    target = Target(winsorise=0.0, against=("beta",))

    assert target.missing(["other"]) == ["beta"]
    pd.testing.assert_series_equal(
        target.treated(of(returns, other=[1.0, 5.0, 2.0] * 2)), market_relative(returns)
    )


@given(st.floats(0.01, 0.4), st.integers(1, 4), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_what_a_row_is_scored_on_does_not_depend_on_other_sessions(winsorise, kept, seed):
    returns = by_session(*np.random.default_rng(seed).normal(size=(5, 6)).tolist())
    target = Target(winsorise)

    together = target.scored(returns).iloc[: 6 * kept]
    alone = target.scored(returns.iloc[: 6 * kept])

    pd.testing.assert_series_equal(together, alone)
    low, high = target.treated(of(returns)).agg(["min", "max"])
    assert (low, high) == tuple(target.scored(returns).quantile([winsorise, 1 - winsorise]))


@pytest.mark.parametrize(("trees", "ridge"), [(0.0, 0.0), (0.5, 0.5), (0.1, 0.3), (0.9, 0.8)])
def test_the_forecast_is_the_weighted_sum_of_the_learners(make_dataset, trees, ridge):
    dataset = make_dataset()
    pipeline = fit(model(dataset, trees, ridge), dataset, RAW)

    prepared = pipeline["preparation"].transform(dataset.features)
    by_trees, by_ridge, nothing = pipeline["ensemble"].transform(prepared).T

    expected = trees * by_trees + ridge * by_ridge
    assert (nothing == 0).all()
    np.testing.assert_allclose(predictions(pipeline, dataset.features), expected, atol=1e-7)


@pytest.mark.parametrize("weight", [-0.1, np.inf, np.nan])
def test_a_weight_that_is_negative_or_no_number_is_refused(make_dataset, weight):
    with pytest.raises(ValueError, match="weights"):
        model(make_dataset(), 0.5, weight)


def test_a_learner_of_recent_sessions_is_fitted_on_those_and_the_others_on_all(make_dataset):
    dataset = make_dataset(sessions=20)
    recent = replace(RIDGE, recent_sessions=5)

    both = fit(model(dataset, 1.0, 1.0), dataset, RAW, [TREES, recent])
    whole = fit(model(dataset, 1.0, 1.0), dataset, RAW)

    prepared = both["preparation"].transform(dataset.features)
    own = dataset.ages < 5
    ridge = RIDGE.estimator(seed=1).fit(prepared[own], dataset.returns[own])
    by_trees, by_ridge, _ = both["ensemble"].transform(prepared).T
    np.testing.assert_allclose(by_ridge, ridge.predict(prepared), atol=1e-12)
    np.testing.assert_array_equal(by_trees, whole["ensemble"].transform(prepared)[:, 0])


def test_a_model_of_recent_sessions_is_loaded_as_it_was(make_dataset):
    dataset = make_dataset(sessions=20)
    fitted = fit(model(dataset, 0.5, 0.5), dataset, RAW, [replace(RIDGE, recent_sessions=5)])

    again = pickle.loads(pickle.dumps(fitted))

    pd.testing.assert_series_equal(
        predictions(again, dataset.features), predictions(fitted, dataset.features)
    )


def test_the_model_holds_third_party_classes_only(make_dataset):
    pipeline = fit(model(make_dataset(), 0.25, 0.25), make_dataset(), Target())
    known = {kind for _, kind in all_estimators()}

    parts = [pipeline["preparation"], pipeline["ensemble"], *pipeline["ensemble"].estimators_]

    assert {type(part) for part in parts} <= known | {Pipeline}


def test_an_unseen_category_is_none_of_the_known_ones(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)
    rows = dataset.features.iloc[:1]

    encoded = pipeline["preparation"].transform(rows.assign(sector="Space"))

    assert list(encoded[0, 2:]) == [0.0, 0.0]
    assert np.isfinite(predictions(pipeline, rows.assign(sector=None))).all()


def test_one_row_is_forecast_as_it_is_among_others(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    together = predictions(pipeline, dataset.features)
    alone = pd.concat([predictions(pipeline, dataset.features.iloc[[n]]) for n in range(8)])

    np.testing.assert_allclose(alone, together.iloc[:8], atol=1e-15)


def test_a_column_missing_at_serving_is_an_error(make_dataset):
    dataset = make_dataset()
    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    with pytest.raises(ValueError, match="noise"):
        predictions(pipeline, dataset.features.drop(columns="noise"))


def test_a_feature_without_any_value_is_kept_as_zero(make_dataset):
    dataset = make_dataset()
    dataset.features["noise"] = np.float32(np.nan)

    pipeline = fit(model(dataset, 0.5, 0.5), dataset, RAW)

    assert (pipeline["preparation"].transform(dataset.features)[:, 1] == 0).all()


def test_the_same_seed_fits_the_same_model(make_dataset):
    dataset = make_dataset()

    first, second = (
        predictions(fit(model(dataset, 0.25, 0.25), dataset, Target()), dataset.features)
        for _ in range(2)
    )

    pd.testing.assert_series_equal(first, second, check_exact=True)


@pytest.mark.parametrize(
    ("returns", "forecast", "slope"),
    [
        ([0.01, 0.01], [0.02, 0.02], 0.5),
        ([0.03, 0.03], [0.01, 0.01], 1.0),  # 3, clipped
        ([-0.01, 0.0], [0.02, 0.02], 0.0),  # negative, clipped
        ([0.01, 0.02], [0.0, 0.0], 0.0),
        ([0.01, 0.02], [np.nan, np.nan], 0.0),
    ],
)
def test_the_slope_is_a_regression_through_the_origin_clipped(returns, forecast, slope):
    assert calibration_slope(pd.Series(returns), pd.Series(forecast)) == pytest.approx(slope)


def test_a_forecast_without_skill_keeps_the_least():
    returns, forecast = pd.Series([-0.01, 0.02]), pd.Series([0.02, -0.02])

    assert calibration_slope(returns, forecast, least=0.02) == 0.02
    assert calibration_slope(-returns, forecast, least=0.02) == pytest.approx(0.75)


def alone(forecast: pd.Series) -> pd.DataFrame:
    return forecast.to_frame("own")


@pytest.mark.parametrize(("slope", "least"), [(0.4, 0.0), (0.01, 0.02), (-3.0, 0.1), (1.0, 0.0)])
def test_a_learner_alone_weighs_its_slope_within_bounds(slope, least):
    forecast = pd.Series(np.random.default_rng(0).normal(size=100))

    weights = member_weights(slope * forecast, alone(forecast), least)

    assert weights == {"own": pytest.approx(max(slope, least))}


def test_a_slope_above_1_is_believed_as_far_as_the_evidence_goes():
    forecast = pd.Series([1.0, -1.0] * 50)
    noise = pd.Series([20.0, 20.0, -20.0, -20.0] * 25)
    returns = 3.0 * forecast + noise

    weight = member_weights(returns, alone(forecast))["own"]

    belief = returns.var() / WEIGHT_SPREAD**2  # of as many squares of the forecast
    assert weight == pytest.approx((300.0 + belief) / (100.0 + belief))
    assert 1.0 < weight < 1.4


def learners_that_know(*strengths: float, noise: float, rows: int = 4000) -> tuple:
    random = np.random.default_rng(4)
    members = pd.DataFrame(random.normal(size=(rows, len(strengths)))).rename(columns=str)
    truth = members.to_numpy() @ np.array(strengths)
    return pd.Series(truth + noise * random.normal(size=rows)), members


def test_much_evidence_finds_the_learner_that_knows_and_drops_the_one_that_errs():
    returns, members = learners_that_know(0.8, 0.0, -0.5, noise=1.0)

    knows, idle, errs = member_weights(returns, members).values()

    assert knows == pytest.approx(0.8, abs=0.05)
    assert idle < 0.05
    assert errs == 0.0


def test_little_evidence_leaves_equal_weights():
    returns, members = learners_that_know(0.0, 0.0, 0.0, noise=1000.0, rows=300)

    weights = list(member_weights(returns, members, least=0.3).values())

    np.testing.assert_allclose(weights, np.mean(weights), rtol=0, atol=0.05)
    assert sum(weights) >= 0.3 - 1e-12


@given(
    st.lists(st.floats(-2, 2), min_size=1, max_size=4),
    st.floats(0, 1),
    st.floats(1e-3, 1e3),
    st.integers(0, 99),
)
@settings(max_examples=50, deadline=None)
def test_weights_are_never_negative_and_know_no_unit(strengths, least, unit, seed):
    random = np.random.default_rng(seed)
    members = pd.DataFrame(random.normal(size=(60, len(strengths)))).rename(columns=str)
    returns = pd.Series(members.to_numpy() @ np.array(strengths) + random.normal(size=60))

    weights = member_weights(returns, members, least)
    scaled = member_weights(unit * returns, unit * members, least)

    assert min(weights.values()) >= 0
    assert sum(weights.values()) >= least - 1e-12
    assert scaled == pytest.approx(weights, rel=1e-6, abs=1e-9)


def test_learners_without_a_forecast_share_the_least():
    returns = pd.Series([0.01, -0.02, 0.03])

    assert member_weights(returns, pd.DataFrame(0.0, returns.index, ["a", "b"]), 0.5) == {
        "a": pytest.approx(0.25),
        "b": pytest.approx(0.25),
    }


def test_a_fold_is_weighted_by_the_others():
    forecast = by_session([0.02, 0.02], [0.02, 0.02])
    returns = by_session([0.01, 0.01], [0.005, 0.005])

    shrunk = calibrated(returns, alone(forecast), np.array([0, 0, 1, 1]))

    assert list(shrunk) == pytest.approx([0.005, 0.005, 0.01, 0.01])
