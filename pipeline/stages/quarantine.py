"""Quarantine: bars left out, by symbol, rule and session, and the words that take them."""

from __future__ import annotations

import pandas as pd

from pipeline.cells import csv_text
from pipeline.config.settings import Settings
from pipeline.io.files import write_atomically
from pipeline.io.sources.files.spikes import REASONS
from pipeline.report.quarantine import printed_quarantine
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Print what is in quarantine, of `symbols`, `start_date`, `end_date` and the rule."""
    how = settings.quarantine
    with Workspace.open(settings) as workspace:
        chosen, built = workspace.selection, workspace.store.built("ingest")
        rows = workspace.store.quarantine(chosen.first, chosen.last, chosen.symbols)
        refused = dict(built.detail.get("set_aside") or {}) if built else {}
    if how.rule is not None:
        rows = rows[rows["reason"].str.contains(how.rule, case=False, regex=False)]
    if chosen.symbols is not None:
        refused = {name: why for name, why in refused.items() if name in chosen.symbols}
    if how.path is not None:
        write_atomically(how.path, lambda file: file.write_text(csv_text(rows)))
    print(printed_quarantine(pd.DataFrame(rows), refused, REASONS, how.rows))


if __name__ == "__main__":
    command("quarantine", run)
