"""The identity of a run's data, kept with it; see `pipeline.gates.identity`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd
from pydantic_core import to_jsonable_python

from pipeline.contract import Artifacts
from pipeline.gates.identity import (
    DataIdentity,
    Witness,
    agreement,
    bars_digest,
    rows_of,
    witness_rows,
    witnesses,
)
from pipeline.io.tracking import run_files
from pipeline.recipe.data import RetrainData
from pipeline.schemas import BAR_FIELDS, ROW, TARGET
from pipeline.trading.market import Market
from pipeline.workspace import Workspace


def data_identity(workspace: Workspace, data: RetrainData, market: Market) -> DataIdentity:
    """What a retrain is measured on and learns from.

    Parameters
    ----------
    market
        Of the judged sessions.
    """
    store, returns, fitted = workspace.store, data.judged.returns, data.windows.newest
    first_sessions = store.first_sessions()
    members = first_sessions if workspace.members is None else workspace.members
    bars = {name: getattr(market, name).stack().rename_axis(ROW) for name in BAR_FIELDS}
    rows = pd.DataFrame({name: values.reindex(returns.index) for name, values in bars.items()})

    def chosen(index: pd.Index) -> tuple[Witness, ...]:
        return witnesses(store.cells(witness_rows(index)))

    return DataIdentity(
        source=workspace.data_source,
        calendar=workspace.exchange_calendar,
        symbols={name: first_sessions[name] for name in members if name in first_sessions},
        first=f"{data.judged.sessions[0]:%Y-%m-%d}",
        last=f"{data.judged.sessions[-1]:%Y-%m-%d}",
        digest=bars_digest(rows.assign(**{TARGET: returns})),
        witnesses=chosen(returns.index),
        learned=chosen(data.newest.returns.index),
        learned_digest=data.learned_digest,
        learned_sessions=(f"{fitted[0]:%Y-%m-%d}", f"{fitted[-1]:%Y-%m-%d}"),
    )


def log_identity(identity: DataIdentity) -> None:
    """Keep it with the open run."""
    run_files.log_text(json.dumps(to_jsonable_python(identity)), Artifacts.IDENTITY)


def logged_identity(run_id: str) -> DataIdentity | None:
    """That of a run; None where an older release kept none."""
    text = run_files.read_text(run_id, Artifacts.IDENTITY)
    return None if text is None else DataIdentity.model_validate_json(text)


def confirmed(workspace: Workspace, listed: Sequence[Witness]) -> float:
    """Part of the witnesses that the store confirms as it is now."""
    return agreement(listed, workspace.store.cells(rows_of(listed))) if listed else float("nan")
