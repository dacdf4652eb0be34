"""What a result proves: its luck, how often its data was looked at, and the gates' answers."""

from __future__ import annotations

import hashlib
import json

import mlflow
import pandas as pd
from mlflow.entities import Run

from pipeline.io import tracking
from pipeline.learning.scores import (
    rank_ic,
    rank_ic_aged,
    session_losses,
    sharpe,
    top_return,
)
from pipeline.settings import Settings
from pipeline.stages import _trading
from pipeline.trading.performance import total_return
from pipeline.trading.promotion import GateResult, evaluate
from pipeline.trading.significance import (
    deflated_sharpe_by_looks,
    paired_test,
    probabilistic_sharpe,
    sharpe_interval,
)

PREDICTIONS_TAG = "predictions"
FIRST_TAG = "holdout.start"
LAST_TAG = "holdout.end"
LOOKS = "looks.json"


def predictions_digest(predictions: pd.Series) -> str:
    """32 hex digits over sessions, symbols and values: equal predictions are one look."""
    ordered = predictions.sort_index()
    return hashlib.sha256(pd.util.hash_pandas_object(ordered).to_numpy().tobytes()).hexdigest()[:32]


def earlier_looks(
    settings: Settings, predictions: pd.Series, sessions: pd.DatetimeIndex
) -> list[str]:
    """Runs that looked at these sessions before, one per different set of predictions.

    A look is a finished retrain of the same source and universe whose out-of-sample sessions
    cover at least half of these.
    """
    runs = tracking.runs(
        "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
        f" and tags.data_source = '{settings.data.name}'"
        f" and tags.universe = '{settings.universe.name}'"
    )
    own = predictions_digest(predictions)
    seen: dict[str, str] = {}
    for run in runs:
        digest = run.data.tags.get(PREDICTIONS_TAG)
        if digest and digest != own and _covers_half(run, sessions):
            seen.setdefault(digest, run.info.run_id)
    return list(seen.values())


def _covers_half(run: Run, sessions: pd.DatetimeIndex) -> bool:
    tags = run.data.tags
    inside = (sessions >= tags[FIRST_TAG]) & (sessions <= tags[LAST_TAG])
    return bool(inside.mean() >= 0.5)


def luck(net_returns: pd.Series, looks: int, seed: int) -> dict[str, float]:
    """Significance of out-of-sample net returns, deflated by the number of looks."""
    low, high = sharpe_interval(net_returns, seed=seed)
    return {
        "backtest/sharpe_ci_low": low,
        "backtest/sharpe_ci_high": high,
        "backtest/probabilistic_sharpe": probabilistic_sharpe(net_returns),
        "backtest/deflated_sharpe": deflated_sharpe_by_looks(net_returns, looks),
        "backtest/looks": float(looks),
    }


ROUND_TRIPS_BPS = (5.0, 10.0, 20.0)
FREE = {
    "commission_bps": 0.0, "commission_per_share": 0.0, "commission_minimum": 0.0,
    "spread_fraction": 0.0, "impact": 0.0, "borrow_bps_a_year": 0.0,
}  # fmt: skip


def robustness(
    settings: Settings, returns: pd.Series, predicted: pd.Series, traded: _trading.Market
) -> dict[str, float]:
    """How much of the skill outlives a late forecast, another price or a higher cost.

    Returns
    -------
    dict
        ``robustness/``: ``ic_1_old`` and ``ic_5_old``, rank IC of forecasts one and five
        sessions old; ``ic_overnight`` and ``ic_close_to_close``, with the same session's other
        returns (skill that is the opposite of the overnight one needs a fill at the printed
        open); ``top_bps``, what the best forecasts earn over the mean before costs;
        ``sharpe_<n>bp`` and ``return_<n>bp``, net at another cost of a round trip.
    """
    labelled = predicted.loc[returns.index]
    overnight = traded.open / traded.previous_close - 1
    whole = traded.close / traded.previous_close - 1
    found = {
        "ic_1_old": rank_ic_aged(returns, predicted, 1),
        "ic_5_old": rank_ic_aged(returns, predicted, 5),
        "ic_overnight": _mean_ic(overnight, labelled),
        "ic_close_to_close": _mean_ic(whole, labelled),
        "top_bps": 1e4 * top_return(returns, labelled, settings.backtest.max_positions),
    }
    for bps in ROUND_TRIPS_BPS:
        strategy = settings.strategy.model_copy(update={**FREE, "slippage_bps": bps / 2})
        net = _trading.net_returns(
            settings.model_copy(update={"strategy": strategy}), predicted, traded
        )
        found[f"sharpe_{bps:g}bp"] = sharpe(net)
        found[f"return_{bps:g}bp"] = total_return(net)
    return {f"robustness/{name}": value for name, value in found.items()}


def _mean_ic(wide: pd.DataFrame, predicted: pd.Series) -> float:
    other = pd.Series(wide.stack().reindex(predicted.index))
    return float(rank_ic(other, predicted).mean())


def worse_than_ridge(
    returns: pd.Series, predictions: pd.Series, ridge: pd.Series, seed: int
) -> float:
    """One-sided p-value of a larger squared error than ridge; NaN under 60 joint sessions."""
    own, other = session_losses(returns, predictions), session_losses(returns, ridge)
    return paired_test(-own, -other, seed=seed)


def gate_answers(settings: Settings, metrics: dict[str, float]) -> list[GateResult]:
    """Answers of the configured gates."""
    return evaluate(metrics, settings.gates)


def gate_table(answers: list[GateResult]) -> pd.DataFrame:
    """The answers as a table for people."""
    return pd.DataFrame(
        {
            "gate": a.name,
            "answer": str(a.answer),
            "decides": "yes" if a.decisive else "no",
            "value": a.value,
            "threshold": a.threshold,
            "sessions": a.sessions,
            "explanation": a.explanation,
        }
        for a in answers
    )


def gate_tags(answers: list[GateResult]) -> dict[str, str]:
    """The deciding answers as tags of a model version; its description tells them all."""
    return {f"gate.{a.name}": str(a.answer) for a in answers if a.decisive}


def newest_evidence(settings: Settings, recipe: str, own: Run) -> Run:
    """The run whose metrics the gates look at.

    The newest finished walk-forward of the same recipe, source and universe; without one, the
    version's own run, whose few sessions are rarely enough.
    """
    runs = tracking.runs(
        "attributes.status = 'FINISHED' and tags.stage = 'retrain'"
        f" and tags.evaluation = 'walk_forward' and tags.recipe = '{recipe}'"
        f" and tags.data_source = '{settings.data.name}'"
        f" and tags.universe = '{settings.universe.name}'",
        newest=1,
    )
    return runs[0] if runs else own


def log_looks(looks: list[str]) -> None:
    """Ids of the earlier looks, so that a reproduction can deflate by the same count."""
    mlflow.log_text(json.dumps(looks), LOOKS)


def logged_looks(run_id: str) -> list[str]:
    """The ids that `log_looks` kept with a run."""
    looks: list[str] = json.loads(mlflow.artifacts.load_text(f"runs:/{run_id}/{LOOKS}"))
    return looks
