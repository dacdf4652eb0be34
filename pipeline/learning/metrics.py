"""How good forecasts are: by session, in all, and under the names of the run contract.

Series are indexed by ``schemas.ROW``; returns and predictions are fractions on the same rows.
Every metric is known once the last session's final bars exist.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from pipeline.learning.targets import market_relative
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stats.inference import newey_west_t, spa_pvalue
from pipeline.stats.returns import sharpe


def r2(returns: pd.Series, predictions: pd.Series, baseline: pd.Series | float = 0.0) -> float:
    """1 - sum (y - p)² / sum (y - baseline)², pooled over all rows; NaN if the latter is 0.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
    baseline
        A forecast for the same rows, or one for all of them.

    Examples
    --------
    >>> r2(pd.Series([0.02, -0.02]), pd.Series([0.01, 0.0]))
    0.375
    """
    total = float(((returns - baseline) ** 2).sum())
    return 1.0 - float(((returns - predictions) ** 2).sum()) / total if total > 0 else np.nan


def r2_relative(returns: pd.Series, predictions: pd.Series) -> float:
    """R² against zero after both sides lose their session's mean: skill across symbols."""
    return r2(market_relative(returns), market_relative(predictions))


def mae(returns: pd.Series, predictions: pd.Series) -> float:
    """Mean absolute error."""
    return float((returns - predictions).abs().mean())


def rmse(returns: pd.Series, predictions: pd.Series) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(((returns - predictions) ** 2).mean()))


def hit_rate(returns: pd.Series, predictions: pd.Series) -> float:
    """Share of rows whose sign was forecast, of those where neither side is 0.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
    """
    product = np.sign(returns * predictions)
    moved = product[product != 0]
    return float((moved > 0).mean()) if len(moved) else np.nan


def session_losses(returns: pd.Series, predictions: pd.Series) -> pd.Series:
    """Mean squared error of each session: the series paired tests compare.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).

    Returns
    -------
    Series
        Squared fractions by session, known after its close.
    """
    return session_mean((returns - predictions) ** 2).rename("squared_error")


def rank_ic(returns: pd.Series, predictions: pd.Series) -> pd.Series:
    """Spearman correlation across symbols of each session (ties: average ranks).

    NaN where either side does not vary, as with a constant forecast.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).

    Returns
    -------
    Series
        From -1 to 1 by session, known after its close.
    """
    sides = pd.DataFrame({"returns": returns, "predictions": predictions})
    ranks = sides.groupby(level=SESSION).rank()
    centred = market_relative(ranks)
    products = pd.DataFrame(
        {
            "both": centred["returns"] * centred["predictions"],
            "returns": centred["returns"] ** 2,
            "predictions": centred["predictions"] ** 2,
        }
    )
    sums = products.groupby(level=SESSION).sum()
    scale = (sums["returns"] * sums["predictions"]) ** 0.5
    correlations: pd.Series = sums["both"] / scale.where(scale > 0)
    return correlations.rename("rank_ic")


def aged(predictions: pd.Series, sessions: int) -> pd.Series:
    """Each symbol's forecast of that many of its own predicted sessions before."""
    shifted = predictions.unstack(SYMBOL).shift(sessions).stack()
    return pd.Series(shifted.reindex(predictions.index), name="prediction")


def rank_ic_aged(returns: pd.Series, predictions: pd.Series, sessions: int) -> float:
    """Mean rank IC of forecasts that many sessions old: how fast the skill decays.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
    """
    old = aged(predictions, sessions).reindex(returns.index).dropna()
    return float(rank_ic(returns[old.index], old).mean()) if len(old) else np.nan


def top_return(returns: pd.Series, predictions: pd.Series, count: int) -> float:
    """Mean return of a session's ``count`` best forecasts over the mean of all, before costs.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
    """
    best = predictions.groupby(level=SESSION).rank(ascending=False, method="first") <= count
    return float(session_mean(market_relative(returns)[best]).mean())


def session_mean(values: pd.Series) -> pd.Series:
    """Mean of each session's rows."""
    return values.groupby(level=SESSION).mean()


def fold_metrics(
    returns: pd.Series,
    predictions: pd.Series,
    net_returns: pd.Series | None = None,
    by_session: pd.Series | None = None,
) -> dict[str, float]:
    """Metrics of one fold; ``sharpe_net`` where the strategy's net returns are given.

    Parameters
    ----------
    by_session
        `rank_ic` of these forecasts, where it is known already.
    """
    order = rank_ic(returns, predictions) if by_session is None else by_session
    metrics = {
        "r2": r2(returns, predictions),
        "r2_relative": r2_relative(returns, predictions),
        "mae": mae(returns, predictions),
        "mae_relative": mae(market_relative(returns), market_relative(predictions)),
        "rank_ic": float(order.mean()),
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
    returns
        Fractions by (session, symbol), of all validated rows.
    fold_of_row
        Number of the fold that validated each row.
    predictions
        As `weights.calibrated` gives them.
    ordered
        The same with weights that are never all 0, for the rank IC: a fold without any weight
        would have no order.
    """
    ranked = predictions if ordered is None else ordered
    folds = []
    for number in np.unique(fold_of_row):
        is_in_fold = fold_of_row == number
        order = float(rank_ic(returns[is_in_fold], ranked[is_in_fold]).mean())
        folds.append(
            {**fold_metrics(returns[is_in_fold], predictions[is_in_fold]), "rank_ic": order}
        )
    averaged = ("r2", "r2_relative", "mae", "rank_ic")
    return {f"cv/{k}": v for k, v in mean_and_std(folds).items() if k.rsplit("_", 1)[0] in averaged}


def out_of_sample_metrics(
    returns: pd.Series, predictions: pd.Series, baselines: pd.DataFrame, *, seed: int
) -> dict[str, float]:
    """The run contract's ``test/*`` and ``baseline/*`` of out-of-sample predictions.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
    baselines
        Columns zero, mean and ridge, see ``baselines``; rows as in ``returns``.
    """
    ic = rank_ic(returns, predictions)
    baseline_losses = {str(name): session_losses(returns, baselines[name]) for name in baselines}
    losses = session_losses(returns, predictions)
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
        "test/spa_pvalue": spa_pvalue(baseline_losses, losses, seed=seed),
        "test/spa_relative_pvalue": spa_relative_pvalue(returns, predictions, seed=seed),
        "baseline/ridge_rank_ic": float(rank_ic(returns, baselines["ridge"]).mean()),
    }
    for name in baselines:
        metrics[f"baseline/{name}_r2"] = r2(returns, baselines[name])
        metrics[f"baseline/{name}_mae"] = mae(returns, baselines[name])
    return metrics


def spa_relative_pvalue(returns: pd.Series, predictions: pd.Series, *, seed: int) -> float:
    """SPA p-value against forecasts that are the same for all symbols: zero, a mean, any level.

    Both sides lose their session's mean, since the market's level would hide skill across symbols:
    its luck is some ten times what a rank IC of 0.03 saves of the squared error.
    """
    relative, forecast = market_relative(returns), market_relative(predictions)
    level = {"level": session_losses(relative, relative * 0.0)}
    return spa_pvalue(level, session_losses(relative, forecast), seed=seed)


def by_group(returns: pd.Series, predictions: pd.Series, groups: pd.Series) -> pd.DataFrame:
    """Skill by group of sessions, such as years or regimes.

    Parameters
    ----------
    returns, predictions
        Open-to-close returns and their forecasts, fractions by (session, symbol).
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
        is_in_group, days = of_row == group, groups.index[groups == group]
        scores = ic.reindex(days).dropna()
        rows[group] = {
            "sessions": len(scores),
            "rows": int(is_in_group.sum()),
            "rank_ic": float(scores.mean()),
            "rank_ic_t": newey_west_t(scores),
            "r2": r2(returns[is_in_group], predictions[is_in_group]),
            "mae": mae(returns[is_in_group], predictions[is_in_group]),
        }
    return pd.DataFrame.from_dict(rows, orient="index")
