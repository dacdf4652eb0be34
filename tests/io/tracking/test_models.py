from __future__ import annotations

import subprocess
import sys

import numpy as np
import skops.io
from lightgbm import LGBMRegressor
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, VotingRegressor

from pipeline.io.tracking.safe_models import digest


def fitted(seed: int = 1, trees: int = 5) -> VotingRegressor:
    random = np.random.default_rng(0)
    x = random.normal(size=(300, 4))
    y = x[:, 0] + random.normal(size=300)
    members = [
        ("light", LGBMRegressor(n_estimators=trees, random_state=1, n_jobs=1, verbosity=-1)),
        ("histogram", HistGradientBoostingRegressor(max_iter=5, random_state=1)),
        ("forest", ExtraTreesRegressor(5, max_depth=4, random_state=seed)),
    ]
    return VotingRegressor(members).fit(x, y)


def test_equal_fits_have_one_digest_in_every_process():
    script = (
        "import skops.io; from tests.io.tracking.test_models import digest, fitted;"
        "print(digest(skops.io.dumps(fitted())))"
    )
    other = subprocess.run(
        [sys.executable, "-c", script], text=True, capture_output=True, check=True
    )

    first, second = skops.io.dumps(fitted()), skops.io.dumps(fitted())

    assert first != second  # names by address: no digest of the file would do
    assert digest(first) == digest(second) == other.stdout.strip()
    assert len(digest(first)) == 32


def test_another_seed_tree_or_last_bit_has_another_digest():
    whole = digest(skops.io.dumps(fitted()))
    nudged = fitted()
    values = nudged.estimators_[2].estimators_[0].tree_.value
    values[0, 0, 0] = np.nextafter(values[0, 0, 0], 1.0)

    assert digest(skops.io.dumps(fitted(seed=2))) != whole
    assert digest(skops.io.dumps(fitted(trees=6))) != whole
    assert digest(skops.io.dumps(nudged)) != whole
