"""Earlier looks at the same sessions, as MLflow and the store know them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mlflow
import pandas as pd
from mlflow import MlflowClient
from mlflow.entities import Run, ViewType

from pipeline.contract import Artifacts, Tags
from pipeline.gates import looks
from pipeline.gates.identity import (
    LOOK_WITNESSES,
    Witness,
    agreement,
    rows_of,
    witness_rows,
    witnesses,
)
from pipeline.gates.looks import SAME_DATA, Look
from pipeline.io.tracking import notes, run_files, runs
from pipeline.io.tracking.values import FinishedRun
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace


def look(
    workspace: Workspace, run_id: str, recipe: str, predictions: pd.Series, rules: Rules,
    bankroll: float,
) -> Look:  # fmt: skip
    """What a run shows: these predictions, by (session, symbol), traded by these rules.

    Parameters
    ----------
    predictions
        Fractions by (session, symbol), out of sample.
    bankroll
        Currency.
    """
    sessions = predictions.index.get_level_values("session")
    cells = workspace.store.cells(witness_rows(predictions.index, LOOK_WITNESSES))
    return Look(
        run_id=run_id,
        forecast=looks.predictions_digest(predictions),
        strategy=looks.strategy_digest(rules, bankroll),
        recipe=recipe,
        opening=looks.opening_digest(predictions),
        first=sessions.min(),
        last=sessions.max(),
        witnesses=witnesses(cells),
    )


def record_look(workspace: Workspace, shown: Look) -> None:
    """Keep a look in the store and on its run, before any of its figures can be seen."""
    keep_look(workspace, shown)
    notes.log_batch(shown.run_id, tags=look_tags(shown))


def keep_look(workspace: Workspace, shown: Look) -> None:
    """Keep a look in the store, whatever becomes of its run."""
    workspace.store.write_look({**vars(shown), "witnesses": list(shown.witnesses)})


def look_tags(shown: Look) -> dict[str, str]:
    """A look as tags of its run, the one it is found by last: a kill leaves no half of it."""
    return {
        Tags.LOOK_STRATEGY: shown.strategy,
        Tags.RECIPE: shown.recipe,
        Tags.LOOK_OPENING: shown.opening,
        Tags.LOOK_FIRST: f"{shown.first:%Y-%m-%d}",
        Tags.LOOK_LAST: f"{shown.last:%Y-%m-%d}",
        Tags.LOOK_WITNESSES: json.dumps([list(witness) for witness in shown.witnesses]),
        Tags.PREDICTIONS: shown.forecast,
    }


def earlier_looks(
    workspace: Workspace, result: Look, sessions: pd.DatetimeIndex
) -> dict[str, float]:
    """Earlier looks at these sessions of the same data, by run id with the part they cover.

    Runs of every experiment count, deleted and killed ones too, and what the store remembers. What
    another tracking server or a store that is gone knows is not known here.
    """
    same = [each for each in known_looks(workspace) if _same_data(workspace, each)]
    return looks.earlier_looks(same, result, sessions)


def known_looks(workspace: Workspace) -> list[Look]:
    """All looks that the store and MLflow know, of whatever data; most are in both."""
    known = [_of_store(row) for row in workspace.store.looks()]
    whole = (run for run in _looking_runs() if _has_sessions(run))
    return known + [look_of(FinishedRun.of(run)) for run in whole]


def _has_sessions(run: Run) -> bool:
    """Whether a run tells on which sessions it looked; of one cut short the store knows."""
    tags = run.data.tags
    return Tags.LOOK_LAST in tags or Tags.HOLDOUT_END in tags


def _looking_runs() -> list[Run]:
    """Runs of all experiments that left predictions, whatever became of them."""
    experiments = MlflowClient().search_experiments(view_type=ViewType.ALL)
    return runs.search(
        f"tags.{Tags.PREDICTIONS} LIKE '%' and tags.{Tags.STAGE} != 'reproduce'",
        newest=None,
        experiments=[experiment.experiment_id for experiment in experiments],
        view=ViewType.ALL,
    )


def _same_data(workspace: Workspace, each: Look) -> bool:
    if not each.witnesses:
        return True  # of a release without them: better one look too many
    cells = workspace.store.cells(rows_of(each.witnesses))
    return agreement(each.witnesses, cells) >= SAME_DATA


def _of_store(row: Mapping[str, Any]) -> Look:
    content = {key: value for key, value in row.items() if key not in ("number", "at")}
    return Look(**{**content, "witnesses": _read(content["witnesses"])})


def look_of(run: FinishedRun) -> Look:
    """What a run showed; of an older release a holdout by its sessions, its strategy unknown."""
    tags = run.tags
    first, last = (
        pd.Timestamp(tags.get(new) or tags[old])
        for new, old in (
            (Tags.LOOK_FIRST, Tags.HOLDOUT_START),
            (Tags.LOOK_LAST, Tags.HOLDOUT_END),
        )
    )
    return Look(
        run_id=run.run_id,
        forecast=tags[Tags.PREDICTIONS],
        strategy=tags.get(Tags.LOOK_STRATEGY, tags.get(Tags.RECIPE, "")),
        recipe=tags.get(Tags.RECIPE, ""),
        opening=tags.get(Tags.LOOK_OPENING, tags[Tags.PREDICTIONS]),
        first=first,
        last=last,
        witnesses=_read(json.loads(tags.get(Tags.LOOK_WITNESSES, "[]"))),
    )


def _read(listed: list[list[Any]]) -> tuple[Witness, ...]:
    return tuple(Witness(*witness) for witness in listed)


def log_looks(earlier: Mapping[str, float]) -> None:
    """The earlier looks with their parts, so that a reproduction can deflate by the same count."""
    run_files.log_text(json.dumps(dict(earlier)), Artifacts.LOOKS)


def logged_looks(run_id: str) -> dict[str, float]:
    """What `log_looks` kept with a run; a list of ids, as older releases kept, is of whole ones.

    Raises
    ------
    Damaged
        The run has not the file.
    """
    text = run_files.read_text(run_id, Artifacts.LOOKS)
    if text is None:
        raise run_files.gone(mlflow.get_run(run_id), Artifacts.LOOKS)
    content = json.loads(text)
    return dict.fromkeys(content, 1.0) if isinstance(content, list) else dict(content)
