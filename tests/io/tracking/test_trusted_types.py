"""Every model of ``conf/`` is made of types that loading makes, so that it can be logged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import skops.io

from pipeline.config.compose import check, compose
from pipeline.io.tracking.model_reader import ESTIMATORS, INTERNAL
from pipeline.io.tracking.safe_models import TRUSTED
from pipeline.learning.models import assemble
from pipeline.paths import CONFIG

ROWS = pd.DataFrame(np.random.default_rng(0).normal(size=(200, 3)), columns=list("abc")).assign(
    regime=["up", "down"] * 100
)
MODELS = sorted(file.stem for file in Path(CONFIG, "model").glob("*.yaml"))
MODELS = [name for name in MODELS if not name.startswith("for_")]


@pytest.mark.parametrize("model", MODELS)
def test_a_configured_model_holds_listed_types_only(model: str) -> None:
    learners = {
        name: learner.unfitted(_small(learner.initial))
        for name, learner in check(compose([f"model={model}"])).model.learners.items()
    }
    weights = dict.fromkeys(learners, 1.0 / len(learners))
    fitted = assemble(learners, weights, numeric=list("abc"), categorical=["regime"])
    fitted.fit(ROWS, ROWS["a"] + ROWS["b"])
    needed = set(skops.io.get_untrusted_types(data=skops.io.dumps(fitted)))
    assert needed <= TRUSTED
    held = {part["__module__"] + "." + part["__class__"] for part in _parts(skops.io.dumps(fitted))}
    named = {name for name in held - TRUSTED if name.startswith(("sklearn.", "lightgbm."))}
    named -= {name for name in named if name.startswith("sklearn._loss._loss.")}  # in no list
    assert named <= {*ESTIMATORS, *INTERNAL}  # so that reading it begins with the short list
    assert len(skops.io.loads(skops.io.dumps(fitted), trusted=sorted(needed)).predict(ROWS)) == 200


def _parts(dumped: bytes) -> Iterator[Mapping[str, str]]:
    """What a dumped model is made of, with module and class."""
    with zipfile.ZipFile(io.BytesIO(dumped)) as files:
        waiting = [json.loads(files.read("schema.json"))]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += part.values()
            if "__class__" in part:
                yield part
        elif isinstance(part, list):
            waiting += part


def _small(initial: Mapping[str, object]) -> dict[str, int]:
    few = ("n_estimators", "max_iter")
    return {name: 3 for name in few if name in initial}
