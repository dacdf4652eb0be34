"""Signals: the champion's ranked trades for the next session, or a given one."""

from __future__ import annotations

import mlflow
import pandas as pd

from pipeline.errors import NotReady
from pipeline.io import registry, tracking
from pipeline.io.store import Store
from pipeline.settings import Settings
from pipeline.stages import _data, _predictions, _trading
from pipeline.stages._recipe import rules
from pipeline.stages._runner import command
from pipeline.trading.strategy import orders, target_weights


def run(settings: Settings) -> None:
    """Rank, size and store the orders of whoever holds `champion` at this moment."""
    champion = registry.find(registry.CHAMPION, who="signals")
    with _data.open_store(settings) as store:
        session = _session(settings, store)
        predicted = _predictions.predicted_now(
            settings, champion, pd.DatetimeIndex([session]), "signals"
        )
        if predicted.empty:
            raise NotReady(
                "signals",
                f"no snapshot for {session:%Y-%m-%d}",
                "features of that session",
                f"mlflow run . -e features -P date={session:%Y-%m-%d}",
            )
        traded = _trading.market(settings, store, pd.DatetimeIndex([session]))
        listed = _orders(settings, predicted, traded, session)
        with store.writer("signals"):
            store.write_signals(listed, session, champion.version)
    tracking.log_table(listed, "signals")
    mlflow.set_tags(
        {
            "model_version": champion.version,
            "session": f"{session:%Y-%m-%d}",
            "data_source": settings.data.name,
            "moved_by_hand": str(registry.moved_by_hand()).lower(),
        }
    )
    mlflow.log_metrics(
        {
            "signals/orders": len(listed),
            "signals/candidates": int(predicted.gt(rules(settings).min_edge).sum()),
            "signals/symbols": len(predicted),
            "signals/best_forecast_bps": 1e4 * float(predicted.max()),
        }
    )
    print(_printed(settings, listed, predicted, champion.version, session, traded))


def _session(settings: Settings, store: Store) -> pd.Timestamp:
    sessions = _data.require_bars(store, "signals")
    following = _data.next_session(settings, sessions[-1])
    if settings.day is None:
        return following
    return _data.within(_data.with_next(sessions, following), settings, "signals")[0]


def _orders(
    settings: Settings, predicted: pd.Series, traded: _trading.Market, session: pd.Timestamp
) -> pd.DataFrame:
    wide = _trading.wide(predicted, traded)
    weights = target_weights(wide, traded.dollar_volume, traded.regimes, rules(settings))
    return orders(
        weights.iloc[0],
        wide.iloc[0],
        traded.previous_close.iloc[0],
        settings.signals.bankroll,
        rules(settings),
    )


def _printed(
    settings: Settings,
    listed: pd.DataFrame,
    predicted: pd.Series,
    version: str,
    session: pd.Timestamp,
    traded: _trading.Market,
) -> str:
    edge = 1e4 * rules(settings).min_edge
    head = (
        f"\nSession {session:%Y-%m-%d}, champion version {version}, regime "
        f"{traded.regimes.loc[session]}, {len(predicted)} symbols, bars up to "
        f"{traded.previous_session:%Y-%m-%d}"
    )
    if listed.empty:
        best = 1e4 * float(predicted.max())
        return (
            f"{head}\nNo trades: the best forecast is {best:.1f} bp, "
            f"an order needs more than {edge:.1f} bp."
        )
    shown = listed.assign(forecast_bps=1e4 * listed["prediction"]).drop(columns="prediction")
    return f"{head}\n{shown.round(3).to_string(index=False)}"


if __name__ == "__main__":
    command("signals", run)
