"""How good a recipe is: search objectives, metrics of the run contract, baselines.

Series are indexed by ``schemas.ROW``; returns and predictions are fractions on the same rows.
Every metric is known once the last session's final bars exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from pipeline.learning.dataset import Dataset
from pipeline.learning.models import fit, predictions, preparation
from pipeline.learning.scores import (
    hit_rate,
    mae,
    newey_west_t,
    r2,
    r2_relative,
    rank_ic,
    rmse,
    session_losses,
    session_mean,
    sharpe,
)
from pipeline.learning.targets import Target, market_relative
from pipeline.schemas import SESSION

StrategyReturns = Callable[[pd.Series], pd.Series]
"""Predictions of whole sessions -> the strategy's net return of each session."""

MIN_SPA_SESSIONS = 60


@dataclass(frozen=True)
class Objective:
    """What a search optimises.

    Attributes
    ----------
    metric
        Name of the fold metric; a trial's value is its mean over the folds.
    direction
        ``"minimize"`` or ``"maximize"``.
    by_session
        (returns, predictions, strategy's net returns) -> score of each session, higher is
        better; what CSCV (``cv/pbo``) splits.
    """

    metric: str
    direction: Literal["minimize", "maximize"]
    by_session: Callable[[pd.Series, pd.Series, pd.Series | None], pd.Series]

    @property
    def worst(self) -> float:
        """Value of a trial without a score, such as a Sharpe ratio without trades."""
        return np.inf if self.direction == "minimize" else -np.inf


def _strategy_returns(_: pd.Series, __: pd.Series, net: pd.Series | None) -> pd.Series:
    if net is None:
        raise ValueError("the objective sharpe_net needs the function strategy_returns")
    return net


OBJECTIVES: Mapping[str, Objective] = {
    "mae": Objective("mae", "minimize", lambda y, p, _: -session_mean((y - p).abs())),
    "mae_relative": Objective(
        "mae_relative",
        "minimize",
        lambda y, p, _: -session_mean((market_relative(y) - market_relative(p)).abs()),
    ),
    "rank_ic": Objective("rank_ic", "maximize", lambda y, p, _: rank_ic(y, p)),
    "sharpe_net": Objective("sharpe_net", "maximize", _strategy_returns),
}


def fold_metrics(
    returns: pd.Series, predictions: pd.Series, net_returns: pd.Series | None = None
) -> dict[str, float]:
    """Metrics of one fold; ``sharpe_net`` where the strategy's net returns are given."""
    metrics = {
        "r2": r2(returns, predictions),
        "r2_relative": r2_relative(returns, predictions),
        "mae": mae(returns, predictions),
        "mae_relative": mae(market_relative(returns), market_relative(predictions)),
        "rank_ic": float(rank_ic(returns, predictions).mean()),
    }
    return metrics if net_returns is None else {**metrics, "sharpe_net": sharpe(net_returns)}


def mean_and_std(folds: list[dict[str, float]]) -> dict[str, float]:
    """``<metric>_mean`` and ``<metric>_std`` (ddof 1) over folds; NaN if a fold has none."""
    table = pd.DataFrame(folds, dtype="float64")
    means = table.mean(skipna=False).add_suffix("_mean").to_dict()
    spreads = table.std(skipna=False).add_suffix("_std").to_dict()
    return {str(name): float(value) for name, value in (means | spreads).items()}


def cv_metrics(
    returns: pd.Series,
    predictions: pd.Series,
    fold_of_row: np.ndarray,
    ordered: pd.Series | None = None,
) -> dict[str, float]:
    """The run contract's ``cv/*`` of the ensemble's out-of-fold predictions.

    Parameters
    ----------
    predictions
        As `weights.calibrated` gives them.
    ordered
        The same with weights that are never all 0, for the rank IC: a fold without any weight
        would have no order.
    """
    ranked = predictions if ordered is None else ordered
    folds = []
    for number in np.unique(fold_of_row):
        own = fold_of_row == number
        order = float(rank_ic(returns[own], ranked[own]).mean())
        folds.append({**fold_metrics(returns[own], predictions[own]), "rank_ic": order})
    wanted = ("r2", "r2_relative", "mae", "rank_ic")
    return {f"cv/{k}": v for k, v in mean_and_std(folds).items() if k.rsplit("_", 1)[0] in wanted}


def out_of_sample_metrics(
    returns: pd.Series, predictions: pd.Series, baselines: pd.DataFrame, *, seed: int
) -> dict[str, float]:
    """The run contract's ``test/*`` and ``baseline/*`` of out-of-sample predictions.

    Parameters
    ----------
    baselines
        Columns zero, mean and ridge, see ``baselines``; rows as in ``returns``.
    """
    ic = rank_ic(returns, predictions)
    metrics = {
        "test/r2": r2(returns, predictions),
        "test/r2_vs_train_mean": r2(returns, predictions, baselines["mean"]),
        "test/r2_relative": r2_relative(returns, predictions),
        "test/mae": mae(returns, predictions),
        "test/rmse": rmse(returns, predictions),
        "test/rank_ic": float(ic.mean()),
        "test/rank_ic_ir": float(ic.mean() / ic.std()) if ic.std() > 0 else np.nan,
        "test/rank_ic_t": newey_west_t(ic),
        "test/hit_rate": hit_rate(returns, predictions),
        "test/spa_pvalue": spa_pvalue(returns, predictions, baselines, seed=seed),
        "baseline/ridge_rank_ic": float(rank_ic(returns, baselines["ridge"]).mean()),
    }
    for name in baselines:
        metrics[f"baseline/{name}_r2"] = r2(returns, baselines[name])
        metrics[f"baseline/{name}_mae"] = mae(returns, baselines[name])
    return metrics


def by_group(returns: pd.Series, predictions: pd.Series, groups: pd.Series) -> pd.DataFrame:
    """Skill by group of sessions, such as years or regimes.

    Parameters
    ----------
    groups
        Group of each session.

    Returns
    -------
    DataFrame
        One row a group: sessions, rows, rank_ic, rank_ic_t, r2, mae.
    """
    ic = rank_ic(returns, predictions)
    of_row = groups.reindex(returns.index.get_level_values(SESSION)).to_numpy()
    rows = {}
    for group in sorted(groups.dropna().unique()):
        own, days = of_row == group, groups.index[groups == group]
        scores = ic.reindex(days).dropna()
        rows[group] = {
            "sessions": len(scores),
            "rows": int(own.sum()),
            "rank_ic": float(scores.mean()),
            "rank_ic_t": newey_west_t(scores),
            "r2": r2(returns[own], predictions[own]),
            "mae": mae(returns[own], predictions[own]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def baselines(train: Dataset, features: pd.DataFrame, target: Target) -> pd.DataFrame:
    """Forecasts any model has to beat: zero, the training mean, and ridge.

    Ridge sees the same preparation and a return as its target, whatever the model's is; its
    penalty is the number of training rows, which at least halves every standardised coefficient.
    """
    as_return = replace(target, ranked=False)
    ridge = Pipeline(
        [
            ("preparation", preparation(train.numeric, train.categorical)),
            ("scale", StandardScaler(copy=False)),  # of what the preparation made, years of rows
            ("ridge", Ridge(alpha=float(len(train.returns)), solver="cholesky", copy_X=False)),
        ]
    )
    return pd.DataFrame(
        {
            "zero": 0.0,
            "mean": float(train.returns.mean()),
            "ridge": predictions(fit(ridge, train, as_return), features),
        },
        index=features.index,
    )


def spa_pvalue(
    returns: pd.Series, predictions: pd.Series, baselines: pd.DataFrame, *, seed: int
) -> float:
    """p-value that the model beats every baseline, by squared error a session.

    The largest of Hansen's (2005) SPA p-values against one baseline each: small only if all
    of them are beaten. Never below that of Student's t-test, since the bootstrap finds too much in
    few sessions; NaN under ``MIN_SPA_SESSIONS``.
    """
    losses = session_losses(returns, predictions)
    if len(losses) < MIN_SPA_SESSIONS:
        return np.nan
    rivals = [session_losses(returns, baselines[name]) for name in baselines]
    return max(_spa(rival.to_numpy(), losses.to_numpy(), seed) for rival in rivals)


def _spa(baseline: np.ndarray, model: np.ndarray, seed: int) -> float:
    from arch.bootstrap import SPA, optimal_block_length
    from scipy.stats import ttest_1samp

    gain = baseline - model
    if np.ptp(gain) == 0:
        return 1.0  # nothing to test: the model is the baseline
    block = max(1, round(float(optimal_block_length(gain)["stationary"].iloc[0])))
    test = SPA(baseline, model[:, None], block_size=block, reps=1000, seed=seed)
    test.compute()
    students = ttest_1samp(gain, 0.0, alternative="greater").pvalue
    return float(max(test.pvalues["consistent"], students))
