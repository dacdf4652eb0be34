"""What is done with snapshots follows from what was known: the join, each refit, the orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
import pytest

from pipeline.audit.decisions import (
    few_symbols,
    joined_alike,
    ordered_alike,
    predicted_alike,
    with_corrupted_bars,
)
from pipeline.learning.dataset import Dataset, join
from pipeline.learning.windows import Step
from pipeline.schemas import BAR_FIELDS, SESSION, SYMBOL, TARGET, BarPanel
from tests.learning.conftest import rows_of


@pytest.fixture
def tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Snapshots and labels of 60 sessions and 20 symbols."""
    random, index = np.random.default_rng(1), rows_of(60, 20)
    rows = pd.DataFrame(random.normal(size=(len(index), 2)), index, ["a", "b"], dtype="float32")
    rows["sector"] = "Energy"
    return rows, pd.DataFrame({TARGET: random.normal(0.0, 0.02, len(index))}, index)


def without_outliers(rows: pd.DataFrame, labels: pd.DataFrame) -> Dataset:
    return join(rows, labels[labels[TARGET].abs() < 0.05])


def off_by_one(rows: pd.DataFrame, labels: pd.DataFrame) -> Dataset:
    return join(rows, labels.groupby(level=SYMBOL).shift(-1))


@pytest.mark.parametrize(
    ("way", "named"), [(join, set()), (without_outliers, {"row"}), (off_by_one, {TARGET})]
)
def test_a_join_that_looks_at_labels_or_is_off_is_named(tables, way, named) -> None:
    result = joined_alike(way, *tables, seed=1)

    assert set(result.listed["column"]) == named
    assert bool(result.leaks) == bool(named)
    if named:
        assert (result.listed[SESSION] != "").all()


def test_a_missing_label_leaves_the_same_row_out_twice(tables) -> None:
    rows, labels = tables
    labels.iloc[7] = np.nan

    assert joined_alike(join, rows, labels, seed=1).leaks == 0


Fit = Callable[[Dataset, Step], pd.Series]


def walked(forecast: Fit) -> Callable[[Dataset, Sequence[Step]], pd.DataFrame]:
    def predict(dataset: Dataset, steps: Sequence[Step]) -> pd.DataFrame:
        parts = [forecast(dataset, step) for step in steps]
        return pd.concat(parts).to_frame("prediction")

    return predict


def honest(dataset: Dataset, step: Step) -> pd.Series:
    """Least squares on development."""
    known, asked = dataset.at(step.development), dataset.at(step.predicted).features
    slopes = np.linalg.lstsq(known.features[["a", "b"]], known.returns, rcond=None)[0]
    return pd.Series(asked[["a", "b"]].to_numpy() @ slopes, asked.index)


def calibrated_on_the_test_part(dataset: Dataset, step: Step) -> pd.Series:
    made, test = honest(dataset, step), dataset.at(step.predicted).returns
    return made * float((made * test).sum() / (made**2).sum())


def fitted_into_the_gap(dataset: Dataset, step: Step) -> pd.Series:
    until = dataset.sessions[dataset.sessions < step.predicted[0]]
    return honest(dataset, Step(until, step.predicted))


def centred_on_all(dataset: Dataset, step: Step) -> pd.Series:
    made = honest(dataset, step)
    return made - made.mean()


def nothing_found(dataset: Dataset, step: Step) -> pd.Series:
    """Forecasts 0 but where the development shows skill; then it looks at the test part."""
    known = dataset.at(step.development)
    fitted = honest(dataset, Step(step.development, step.development))
    has_skill = float((fitted * known.returns).mean() / known.returns.var()) > 0.1
    return calibrated_on_the_test_part(dataset, step) if has_skill else 0.0 * honest(dataset, step)


@pytest.mark.parametrize(
    ("forecast", "leaks"),
    [
        (honest, False),
        (calibrated_on_the_test_part, True),
        (fitted_into_the_gap, True),
        (centred_on_all, True),
        (nothing_found, True),
    ],
)
def test_a_refit_that_sees_what_it_predicts_is_named(tables, forecast: Fit, leaks: bool) -> None:
    dataset = join(*tables)
    days = dataset.sessions
    steps = [Step(days[:38], days[40:50]), Step(days[:48], days[50:], search=False)]

    result = predicted_alike(walked(forecast), dataset, steps, gap_sessions=2)

    assert (result.leaks > 0) == leaks
    if leaks:
        assert set(result.listed["column"]) == {"prediction"}
        assert result.listed[SESSION].iloc[0] == f"{days[40]:%Y-%m-%d}"


def test_few_symbols_keep_all_their_sessions(tables) -> None:
    few = few_symbols(join(*tables), 300, seed=3)

    assert len(few.returns) == 300
    assert few.features.index.unique(SYMBOL).size == 5


def ordered(column: str, lag: int) -> Callable[..., pd.DataFrame]:
    """Orders at a price of so many sessions before."""

    def order(bars: BarPanel, session: pd.Timestamp) -> pd.DataFrame:
        prices = getattr(bars, column).shift(lag).loc[[session]].stack()
        return prices.to_frame("reference_price")

    return order


@pytest.mark.parametrize(("column", "lag", "leaks"), [
    ("close", 1, 0), ("volume", 1, 0), ("open", 0, 12), ("close", 0, 12), ("volume", 0, 12),
])  # fmt: skip
def test_an_order_that_knows_its_own_session_is_named(make_bars, column, lag, leaks) -> None:
    bars = make_bars(1, sessions=30, symbols=4)
    order = ordered(column, lag)
    sessions = bars.sessions[[10, 20, 29]]

    result = ordered_alike(lambda alter, day: order(alter(bars), day), sessions, seed=1)

    assert (result.leaks, result.checked) == (leaks, 12)


def test_bars_are_corrupted_from_the_session_on_and_stay_bars(make_bars) -> None:
    bars = make_bars(1, sessions=30, symbols=4)
    since = bars.sessions[12]

    corrupted = with_corrupted_bars(bars, since, seed=1)

    for name in BAR_FIELDS:
        before, after = getattr(bars, name), getattr(corrupted, name)
        pd.testing.assert_frame_equal(before.iloc[:12], after.iloc[:12], check_exact=True)
        assert (before.iloc[12:] != after.iloc[12:]).all(axis=None)
    assert (corrupted.high >= corrupted.low).all(axis=None)
    moves, others = (each.close / each.open for each in (bars, corrupted))
    assert ((moves - others).abs().iloc[12:] > 1e-6).all(axis=None)
