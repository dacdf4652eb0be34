"""Signals: the champion's ranked trades for the next session, or a given one."""

from __future__ import annotations

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities.model_registry import ModelVersion

from pipeline.errors import NotReady
from pipeline.io import registry, tracking
from pipeline.schemas import SYMBOL
from pipeline.settings import Settings
from pipeline.stages import _data, _freshness, _predictions, _trading
from pipeline.stages._recipe import rules
from pipeline.stages._runner import command
from pipeline.trading.forecasts import Forecasts
from pipeline.trading.rules import BPS
from pipeline.trading.strategy import orders


def run(settings: Settings) -> None:
    """Rank, size and store the orders of whoever holds `champion` at this moment."""
    champion = registry.find(registry.CHAMPION, who="signals")
    with _data.open_store(settings) as store:
        asked = _freshness.asked(settings, store)
        late = _freshness.stale(settings, store, asked.needed)
        sessions = pd.DatetimeIndex([asked.session])
        predicted = _predicted(settings, champion, sessions)
        traded = _trading.market(settings, store, sessions)
        forecasts = Forecasts(_trading.wide(predicted, traded), traded)
        listed = orders(forecasts, rules(settings), settings.signals.bankroll)
        listed = listed.assign(
            regime=traded.regimes.iloc[0],
            model_version=champion.version,
            data_age=_freshness.ages(store, late, asked.needed, listed["symbol"]),
        )
        with store.writer("signals"):
            store.write_signals(listed, asked.session, champion.version)
    _log(settings, champion, asked, forecasts, listed, late)
    print(_printed(settings, champion, asked, forecasts, listed, late))


def _predicted(settings: Settings, champion: ModelVersion, sessions: pd.DatetimeIndex) -> pd.Series:
    """The champion's forecasts for the session; there have to be some."""
    predicted = _predictions.predicted_now(settings, champion, sessions, "signals")
    if predicted.empty:
        day = f"{sessions[0]:%Y-%m-%d}"
        command_ = f"mlflow run . -e features -P date={day}"
        raise NotReady("signals", f"no snapshot for {day}", "features of that session", command_)
    return predicted


def _log(
    settings: Settings,
    champion: ModelVersion,
    asked: _freshness.Asked,
    forecasts: Forecasts,
    listed: pd.DataFrame,
    late: pd.Series,
) -> None:
    tracking.log_table(listed, "signals")
    if len(late):
        tracking.log_table(late.rename_axis(SYMBOL).reset_index(), "stale_symbols")
    mlflow.set_tags(
        {
            "model_version": champion.version,
            "session": f"{asked.session:%Y-%m-%d}",
            "data_until": f"{asked.needed:%Y-%m-%d}",
            "data_source": settings.data.name,
            "moved_by_hand": str(registry.moved_by_hand()).lower(),
        }
    )
    forecast = forecasts.predictions[0]
    mlflow.log_metrics(
        {
            "signals/orders": len(listed),
            "signals/candidates": sum(
                int(forecasts.candidates(side, rules(settings)).sum())
                for side in rules(settings).signs
            ),
            "signals/symbols": int(np.isfinite(forecast).sum()),
            "signals/stale_symbols": len(late),
            "signals/best_forecast_bps": float(np.nanmax(forecast)) / BPS,
        }
    )


def _printed(
    settings: Settings,
    champion: ModelVersion,
    asked: _freshness.Asked,
    forecasts: Forecasts,
    listed: pd.DataFrame,
    late: pd.Series,
) -> str:
    forecast = forecasts.predictions[0]
    lines = [
        f"\nSession {asked.session:%Y-%m-%d}, champion version {champion.version}, regime "
        f"{forecasts.market.regimes.iloc[0]}, {np.isfinite(forecast).sum()} symbols, bars up to "
        f"{asked.needed:%Y-%m-%d}"
    ]
    if len(late):
        lines.append(f"Left out, without a bar of that session: {_freshness.named(late)}")
    if listed.empty:
        best, edge = np.nanmax(forecast) / BPS, rules(settings).min_edge / BPS
        needs = f"an order needs more than {edge:.1f} bp"
        lines.append(f"No trades: the best forecast is {best:.1f} bp, {needs}.")
    else:
        shown = listed.drop(columns=["prediction", "regime", "model_version"])
        lines.append(shown.dropna(axis=1, how="all").round(3).to_string(index=False))
    return "\n".join(lines)


if __name__ == "__main__":
    command("signals", run)
