"""A model is read without what skops imports to name all that it trusts, and as safely."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import skops.io
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from pipeline.io.tracking import model_reader
from tests.io.tracking.test_models import fitted

ROOT = Path(__file__).resolve().parents[3]
ROWS = pd.DataFrame(np.random.default_rng(1).normal(size=(20, 4)), columns=list("abcd"))
HEAVY = ("sklearn.gaussian_process", "sklearn.semi_supervised", "dask", model_reader.NAMES)
"""Of what skops imports to make its list."""

READ = """
import sys
from pathlib import Path
import pandas as pd
import pipeline.stages.signals, pipeline.stages.morning
from pipeline.io.tracking.safe_models import _objects
rows = pd.read_parquet(sys.argv[2])
model = _objects(Path(sys.argv[1]).read_bytes())
print([name for name in sys.argv[3:] if name in sys.modules])
print(model.predict(rows).tobytes().hex())
"""


def read(model: object, folder: Path) -> list[str]:
    """What a fresh process says that reads a model: heavy modules, and forecasts."""
    skops.io.dump(model, folder / "model.skops")
    ROWS.to_parquet(folder / "rows.parquet")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", READ, folder / "model.skops",
         folder / "rows.parquet", *HEAVY],
        cwd=ROOT, text=True, capture_output=True,
    )  # fmt: skip
    return [*done.stdout.split("\n"), *done.stderr.strip().splitlines()[-4:]]


def test_signals_and_morning_read_a_model_without_all_of_scikit_learn(tmp_path: Path) -> None:
    model = fitted()
    heavy, forecasts, *_ = read(model, tmp_path)
    assert (heavy, forecasts) == ("[]", model.predict(ROWS).tobytes().hex())


def test_a_model_of_another_learner_is_read_with_the_list_of_skops_itself(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(np.exp), KNeighborsRegressor()).fit(ROWS, ROWS["a"])
    heavy, forecasts, *_ = read(model, tmp_path)
    assert model_reader.NAMES in heavy
    assert forecasts == model.predict(ROWS).tobytes().hex()


def test_a_type_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(pd.read_parquet, check_inverse=False))
    printed = "\n".join(read(model, tmp_path))
    assert "the model holds objects of pandas" in printed
    assert model_reader.NAMES not in printed  # nothing was made of it


def test_the_short_list_trusts_nothing_that_skops_does_not() -> None:
    own = sys.modules[model_reader.NAMES]
    for name, trusted in model_reader._shortened().items():
        assert set(map(str, trusted)) <= set(map(str, getattr(own, name))), name
    whole = {name for name in vars(own) if name.endswith(("_NAMES", "_TYPES")) and name[0] != "_"}
    assert set(model_reader._shortened()) == whole
