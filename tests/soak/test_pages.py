"""Every command that README and docs/ show is run, in a clone, on a part of the sample.

`ONLY_COMPOSED` (tests/documents.py) names those that are not, with the reason; the tutorial and the
old handbook are followed on the whole sample by test_handbook.py. A clone that is named by the
environment variable PAGES is made where it is not there, and used again: to run a part at a time.
"""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from pipeline.commands import translate
from tests.documents import ROOT, Shown, everything, reason_not_run

pytestmark = pytest.mark.soak

FEW = "symbol AAPL IBM MSFT GE XOM KO PEP WMT JNJ PG CVX T MCD DIS HD BA CAT MMM PFE MRK KLAC"
SMALL = (
    "universe.path=few.csv",
    "features=classic",
    "model=ridge",
    "hpo=none",
    "backtest.capacity=[]",
)
"""In place of what a command does not name itself."""

SHORT = (
    "retrain.window_days=120",
    "retrain.holdout_days=30",
    "cv.fold_sessions=10",
    "evaluation.refit_every=60",
    "evaluation.search_every=60",
)
"""For an experiment of years, on the one year of the sample."""

MAY_ANSWER_NO = ("promote", "signals", "morning", "status", "predict", "reconcile", "audit")
FOLLOWED = ("handbook.md", "tutorial.md")
SHOWN = [c for c in everything() if c.page not in FOLLOWED and reason_not_run(c) is None]
HOW_TO = (ROOT / "docs" / "howto.md").read_text()


@dataclass(frozen=True)
class Clone:
    """The project as a reader has it, with stores of its own, and commands typed in it."""

    folder: Path

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """A program of this environment, the clone's code and an own package first on its path."""
        program = str(Path(sys.executable).parent / words[0])
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW_", "PYTEST_"))}
        path = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
        ours = os.pathsep.join([str(self.folder), str(self.folder / "site")])
        more = {"PATH": path, "PYTHONPATH": ours, "NO_MKDOCS_2_WARNING": "1"}
        return subprocess.run(
            [program, *words[1:]], cwd=self.folder, env=kept | more, text=True, capture_output=True
        )

    def stage(self, name: str, *typed: str) -> subprocess.CompletedProcess[str]:
        """A stage, with little work where the words name none."""
        words = translate(list(typed))
        named = {word.partition("=")[0] for word in words}
        if "experiment" in named:
            named |= {"features", "model"}
            words += SHORT
        if "universe" in named:
            named |= {"universe.path"}
        more = [word for word in SMALL if word.partition("=")[0] not in named]
        return self.call("python", "-m", f"pipeline.stages.{name}", *words, *more)

    @property
    def changed(self) -> str:
        """Files of the repository that are no longer as they were."""
        return self.call_git("status", "--porcelain", "--untracked-files=no")

    def call_git(self, *words: str) -> str:
        git = ["git", "-C", str(self.folder), *words]
        return subprocess.run(git, capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A clone with a champion on twenty symbols, and the files that the pages speak of."""
    named = os.environ.get("PAGES")
    folder = Path(named) if named else tmp_path_factory.mktemp("pages") / "daytrade"
    made = Clone(folder)
    if (folder / "fills.csv").exists():
        return made
    subprocess.run(["git", "clone", "-q", str(ROOT), str(folder)], check=True)
    (folder / "few.csv").write_text(FEW.replace(" ", "\n"))
    for stage, *words in (
        ("main",),
        ("features", "features=ranked"),  # the default, of which the notebooks are
        ("promote", "promote.force=true", "promote.reason=to see the pages"),
    ):
        done = made.stage(stage, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    _prices(folder)
    _own_features(folder / "site")
    (folder / "quotes.csv").write_text("symbol,price,time\nAAPL,250,2010-12-31T14:20:00Z\n")
    fills = "session,symbol,side,shares,price,fees\n"
    fills += "2010-08-20,AAPL,buy,1,250,0\n2010-08-20,AAPL,sell,1,251,0\n"
    (folder / "fills.csv").write_text(fills)
    return made


def _prices(folder: Path) -> None:
    """Bars of the store as a folder of one CSV a symbol, and another of indices."""
    asked = "select kind, bars.* from bars join symbols using (symbol)"
    with closing(sqlite3.connect(folder / "artifacts" / "sample.db")) as database:
        bars = pd.read_sql(asked, database)
    for (kind, symbol), rows in bars.groupby(["kind", "symbol"]):
        where = folder / ("indices" if kind == "index" else "prices")
        where.mkdir(exist_ok=True)
        columns = ["session", "open", "high", "low", "close", "volume"]
        rows[columns].to_csv(where / f"{symbol}.csv", index=False)


@contextmanager
def own_model(folder: Path) -> Iterator[None]:
    """The files that the page tells the reader to write, while a command needs them."""
    [learner] = re.findall(r"^```yaml\n(# A random forest.*?)^```", HOW_TO, re.M | re.S)
    (folder / "learner" / "forest.yaml").write_text(learner)
    model = (ROOT / "conf" / "model" / "ridge.yaml").read_text()
    named = re.sub(r"learner@learners\.\w+: \w+", "learner@learners.forest: forest", model)
    (folder / "forest.yaml").write_text(named)
    yield
    (folder / "learner" / "forest.yaml").unlink()
    (folder / "forest.yaml").unlink()


def _own_features(folder: Path) -> None:
    """The page's package where `pip install` would put it."""
    metadata = folder / "my_features-1.dist-info"
    metadata.mkdir(parents=True)
    blocks = re.findall(r"^```python\n(.*?)^```", HOW_TO, re.M | re.S)
    [module] = [block for block in blocks if "definitions = " in block]
    (folder / "my_features.py").write_text(module)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: my-features\nVersion: 1\n")
    entry = "[daytrade.features]\nmine = my_features:definitions\n"
    (metadata / "entry_points.txt").write_text(entry)


@pytest.mark.parametrize("command", [c for c in SHOWN if c.stage], ids=str)
def test_a_command_of_a_stage_ends_well_or_says_no(clone: Clone, command: Shown) -> None:
    needs_it = "model=forest" in str(command)
    with own_model(clone.folder / "conf" / "model") if needs_it else nullcontext():
        done = clone.stage(str(command.stage), *command.typed)
    told = done.stdout + done.stderr
    print(f"exit {done.returncode}: {command}")
    assert done.returncode in ((0, 1) if command.stage in MAY_ANSWER_NO else (0,)), told
    assert done.returncode == 0 or "needed:" in told or command.stage == "status", told


@pytest.mark.parametrize("command", [c for c in SHOWN if not c.stage], ids=str)
def test_another_command_ends_well_and_makes_what_the_repository_has(
    clone: Clone, command: Shown
) -> None:
    done = clone.call(*command.words)
    print(f"exit {done.returncode}: {command}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert clone.changed == ""
