"""What is kept of an evaluation under way, so that a killed one goes on where it was."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from pipeline.errors import Damaged
from pipeline.io import journal
from pipeline.io.files import quarantine_file
from pipeline.io.parquet import read_parquet, write_parquet
from pipeline.learning.predicted_step import PredictedStep, StepFacts
from pipeline.learning.windows import Step

log = logging.getLogger("pipeline.retrain")

NEEDED = "its step, predicted again"


@dataclass(frozen=True)
class EvaluationJournal:
    """A folder with a journal of each search and a file of each step; see ``recipe.evaluate``.

    Attributes
    ----------
    folder
        Named by recipe and data, so that others never go on with it.
    run_id
        Of the run that writes.
    """

    folder: Path
    run_id: str

    @property
    def steps_done(self) -> int:
        """Steps whose predictions are kept."""
        return len(list(self.folder.glob("step-*.parquet")))

    def search(self, step: Step) -> AbstractContextManager[journal.Journal]:
        """The studies of the search at a step, for one process at a time."""
        return journal.opened(self.folder / f"search-{step.predicted[0]:%Y-%m-%d}", self.run_id)

    def stored(self, step: Step) -> PredictedStep | None:
        """What a step predicted, if it was stored before.

        A damaged file is quarantined with a warning, and counts for none.
        """
        path = self._path(step)
        if not path.exists():
            return None
        try:
            return _read(path)
        except Damaged as error:
            found = error.found
        except TypeError:  # other facts than those of today
            found = f"{path} is damaged: a former version wrote it"
        log.warning("retrain: %s; kept as %s", found, quarantine_file(path).name)
        return None

    def step(self, step: Step, predict: Callable[[], PredictedStep]) -> PredictedStep:
        """What a step predicted: stored before, or predicted now and stored."""
        before = self.stored(step)
        if before is not None:
            return before
        path = self._path(step)
        made = predict()
        write_parquet(path, made.rows, **asdict(made.facts))
        return _read(path)

    def _path(self, step: Step) -> Path:
        return self.folder / f"step-{step.predicted[0]:%Y-%m-%d}.parquet"

    @contextmanager
    def until_done(self) -> Iterator[None]:
        """Keep it while a block runs, and forget it once the block has ended well."""
        yield
        self.remove()

    def remove(self) -> None:
        """Forget all of it: what it was kept for has ended."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _read(path: Path) -> PredictedStep:
    rows, facts = read_parquet(path, needed=NEEDED)
    return PredictedStep(rows, StepFacts(**facts))
