"""Names of the files and tables of runs: a folder for each thing they are for.

MLflow's UI lists folders before files, both by name: the digit puts the tear sheet's folder first.
"""

from __future__ import annotations

from typing import Final


class Artifacts:
    """Files of runs."""

    TEAR_SHEET: Final = "1_tear_sheet/tear_sheet.html"
    REPORT: Final = "report.md"
    LEDGER: Final = "backtest/ledger.parquet"
    CAPACITY_PICTURE: Final = "backtest/capacity.png"
    SWEEP_PICTURE: Final = "backtest/sweep.png"
    CONFIG: Final = "config/config.yaml"
    RECIPE: Final = "config/recipe.json"
    IDENTITY: Final = "data/identity.json"
    QUALITY_PAGE: Final = "data/quality.html"
    SET_ASIDE: Final = "data/set_aside.json"
    PREDICTIONS: Final = "forecasts/out_of_sample.parquet"
    LOOKS: Final = "gates/looks.json"
    MODEL: Final = "model"
    FEATURES: Final = "model/features.json"
    CHOSEN: Final = "model/chosen_parameters.json"
    CHECK_INPUTS: Final = "model/check_inputs.parquet"
    CHECK_PREDICTIONS: Final = "model/check_predictions.parquet"
    TEAR_SHEET_PICTURES: Final = "pictures"
    SEARCHES: Final = "search"
    """Folder of a walk-forward's searches: picture and study of each, by its last session."""
    SEARCH_PICTURE: Final = "search/search.png"
    STUDY: Final = "search/search.log"
    """The search as a journal that optuna-dashboard opens, a study for each learner."""
    OUT_OF_FOLD_RETURNS: Final = "search/out_of_fold_returns.csv"


class Tables:
    """Tables of runs, each a ``.csv``: a spreadsheet opens it, and MLflow's UI shows it."""

    CAPACITY: Final = "backtest/capacity"
    SWEEP: Final = "backtest/sweep"
    COMPARISON: Final = "comparison"
    AUDIT: Final = "audit"
    ACTIONS: Final = "data/actions"
    """Splits and dividends that the source reported with the bars of this run."""
    EARNINGS: Final = "data/earnings"
    QUALITY: Final = "data/quality"
    STALE_SYMBOLS: Final = "data/stale_symbols"
    BY_REGIME: Final = "diagnosis/by_regime"
    BY_YEAR: Final = "diagnosis/by_year"
    DRIVERS: Final = "diagnosis/drivers"
    """Features by how much of the model's forecasts they move; rank IC lost without each."""
    LEARNING_CURVE: Final = "diagnosis/learning_curve"
    DOUBTS_BY_ERROR: Final = "diagnosis/doubts_by_error"
    DOUBTS_BY_ERROR_AND_YEAR: Final = "diagnosis/doubts_by_error_and_year"
    DOUBTS_BY_PART: Final = "diagnosis/doubts_by_part"
    STEPS: Final = "forecasts/steps"
    GATES: Final = "gates/gates"
    MORNING_ORDERS: Final = "orders/orders"
    SIGNALS: Final = "orders/signals"
    WATCH_LIST: Final = "orders/watch_list"
    LEFT_OUT: Final = "orders/left_out"
    CONTRIBUTIONS: Final = "orders/contributions"
    """Parts of each order's forecast by feature; a row adds up to it."""
    SEARCHES: Final = "search/searches"
    TRIALS: Final = "search/trials"


RENAMED: Final = {
    Artifacts.IDENTITY: "data_identity.json",
    Artifacts.PREDICTIONS: "predictions/out_of_sample.parquet",
    Artifacts.CHECK_INPUTS: "check/inputs.parquet",
    Artifacts.CHECK_PREDICTIONS: "check/predictions.parquet",
}
"""What older releases called files that are read back; all others by the part behind the folder."""


def names_of(path: str) -> tuple[str, ...]:
    """Names that a file of a run may have: today's, and the one older releases gave.

    >>> names_of("gates/gates.csv"), names_of("forecasts/out_of_sample.parquet")
    (('gates/gates.csv', 'gates.csv'), ('forecasts/out_of_sample.parquet', \
'predictions/out_of_sample.parquet'))
    """
    return tuple(dict.fromkeys([path, RENAMED.get(path, path.rpartition("/")[2])]))
