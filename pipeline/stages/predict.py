"""Predict: a model's forecasts for a session, as CSV or Parquet."""

from __future__ import annotations

import pandas as pd

from pipeline.cells import csv_text
from pipeline.commands import Command
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Tags
from pipeline.errors import InvalidSettings, NotReady, Refused
from pipeline.io.files import write_atomically
from pipeline.io.tracking import notes, registry
from pipeline.recipe.decision import IndicatedOpen
from pipeline.serving import freshness, verdicts, versions
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

SUFFIXES = (".csv", ".parquet")


def run(settings: Settings) -> None:
    """Write session, symbol, forecast (a return), and version, for `date=` or the next session.

    A champion that may not trade is refused; any other version is nobody's orders.
    """
    chosen = settings.predict
    if chosen.path is not None and chosen.path.suffix not in SUFFIXES:
        raise InvalidSettings(
            "predict", f"predict.path={chosen.path}", f"a name that ends in {' or '.join(SUFFIXES)}"
        )
    version = registry.find(chosen.model, who="predict")
    champion = registry.holder(Aliases.CHAMPION)
    if champion is not None and champion.version == version.version:
        verdicts.check_trades(version, settings.monitor, "predict")
    with Workspace.open(settings) as workspace:
        session = freshness.signal_session(workspace).session
        if session <= versions.trained_until(version):
            raise Refused(
                "predict", f"version {version.version} learned from {session:%Y-%m-%d} itself",
                f"a session after {versions.trained_until(version):%Y-%m-%d}",
                Command("backtest", f"backtest.model={version.version}"),
            )  # fmt: skip
        if isinstance(versions.decision_of_version(version)[0], IndicatedOpen):
            raise Refused(
                "predict", f"version {version.version} decides on the indicated open",
                "quotes of the morning", Command("morning", "morning.quotes=quotes.csv"),
            )  # fmt: skip
        sessions = pd.DatetimeIndex([session])
        forecasts = versions.predicted_now(workspace, version, sessions, "predict")["prediction"]
        folder = workspace.folder
    if forecasts.empty:
        day = f"{session:%Y-%m-%d}"
        raise NotReady("predict", f"no snapshot for {day}", "features of that session",
                       Command("features", date=day))  # fmt: skip
    rows = forecasts.rename("forecast").reset_index().assign(version=str(version.version))
    path = chosen.path or folder / f"forecasts_{session:%Y-%m-%d}_v{version.version}.csv"
    is_parquet = path.suffix == ".parquet"
    content = b"" if is_parquet else csv_text(rows).encode()
    write_atomically(
        path, lambda file: rows.to_parquet(file) if is_parquet else file.write_bytes(content)
    )
    notes.set_tags({Tags.MODEL_VERSION: version.version})
    print(f"{len(rows)} forecasts of version {version.version} for {session:%Y-%m-%d}: {path}")


if __name__ == "__main__":
    command("predict", run)
