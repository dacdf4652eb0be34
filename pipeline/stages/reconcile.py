"""Reconcile: a broker's fills against the backtest, split into data, signal, fill and cost."""

from __future__ import annotations

from pipeline.commands import Command
from pipeline.config.settings import Settings
from pipeline.contract import LifeTables
from pipeline.errors import NotReady
from pipeline.io.tracking import runs
from pipeline.monitor.reconcile import fills_of, split_table
from pipeline.report.life import printed_reconciliation
from pipeline.serving.reconciling import reconciled
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Read `reconcile.fills` and print the split of every session it holds."""
    path = settings.reconcile.fills
    if path is None or not path.is_file():
        found = "no file of fills is given" if path is None else f"there is no file {path}"
        raise NotReady(
            "reconcile", found, "a CSV with session, symbol, side, shares, price and fees",
            Command("reconcile", "reconcile.fills=fills.csv"),
        )  # fmt: skip
    fills = fills_of(path.read_text(), path.name)
    with Workspace.open(settings) as workspace:
        table = split_table(reconciled(workspace, fills))
    runs.log_table(table, LifeTables.RECONCILIATION)
    print(printed_reconciliation(table))


if __name__ == "__main__":
    command("reconcile", run)
