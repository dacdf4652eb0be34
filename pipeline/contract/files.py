"""Names of the files and tables of runs."""

from __future__ import annotations

from typing import Final


class Artifacts:
    """Files of runs."""

    CONFIG: Final = "config.yaml"
    RECIPE: Final = "recipe.json"
    FEATURES: Final = "features.json"
    CHOSEN: Final = "chosen_parameters.json"
    MODEL: Final = "model"
    PREDICTIONS: Final = "predictions/out_of_sample.parquet"
    CHECK_INPUTS: Final = "check/inputs.parquet"
    CHECK_PREDICTIONS: Final = "check/predictions.parquet"
    LEDGER: Final = "ledger.parquet"
    LOOKS: Final = "looks.json"
    IDENTITY: Final = "data_identity.json"
    REPORT: Final = "report.md"
    TEAR_SHEET: Final = "tear_sheet.html"
    TEAR_SHEET_PICTURES: Final = "tear_sheet"
    SEARCH_PICTURE: Final = "search.png"
    STUDY: Final = "search.log"
    """The search as a journal that optuna-dashboard opens, a study for each learner."""
    SWEEP_PICTURE: Final = "sweep.png"
    CAPACITY_PICTURE: Final = "capacity.png"
    OUT_OF_FOLD_RETURNS: Final = "out_of_fold_returns.csv"
    SET_ASIDE: Final = "set_aside.json"


class Tables:
    """Tables of runs, each a ``.csv`` to download and a ``.json`` that MLflow's UI shows."""

    GATES: Final = "gates"
    TRIALS: Final = "trials"
    LEDGER: Final = "ledger"
    SIGNALS: Final = "signals"
    WATCH_LIST: Final = "watch_list"
    MORNING_ORDERS: Final = "orders"
    LEFT_OUT: Final = "left_out"
    STALE_SYMBOLS: Final = "stale_symbols"
    CONTRIBUTIONS: Final = "contributions"
    """Parts of each order's forecast by feature; a row adds up to it."""
    DRIVERS: Final = "drivers"
    """Features by how much of the model's forecasts they move; rank IC lost without each."""
    STEPS: Final = "steps"
    SEARCHES: Final = "searches"
    LEARNING_CURVE: Final = "learning_curve"
    COMPARISON: Final = "comparison"
    AUDIT: Final = "audit"
    CAPACITY: Final = "capacity"
    SWEEP: Final = "sweep"
    QUALITY: Final = "quality"
    ACTIONS: Final = "actions"
    """Splits and dividends that the source reported with the bars of this run."""
    EARNINGS: Final = "earnings"
