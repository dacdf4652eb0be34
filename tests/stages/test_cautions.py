"""What a retrain says of a target that its rows do not suit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.learning.dataset import Dataset
from pipeline.schemas import SESSION, SYMBOL
from pipeline.stages import _work
from pipeline.stages._runner import check, compose


def cautions(symbols: int, columns: list[str], *overrides: str) -> str:
    sessions = pd.bdate_range("2024-01-01", periods=3, name=SESSION, unit="us")
    names = pd.Index([f"S{k}" for k in range(symbols)], name=SYMBOL)
    rows = pd.MultiIndex.from_product([sessions, names])
    dataset = Dataset(
        features=pd.DataFrame(0.0, rows, columns),
        returns=pd.Series(np.zeros(len(rows)), rows),
        dropped={},
    )
    return "\n".join(_work.cautions(check(compose(overrides)), dataset))


AGAINST = ["rank_beta_252", "rank_realised_volatility_63"]


def test_many_symbols_and_all_columns_need_no_caution():
    assert cautions(30, AGAINST) == ""


def test_columns_that_the_features_lack_are_named():
    said = cautions(30, AGAINST[:1], "features=extended", "model=ranked")

    assert "rank_realised_volatility_63" in said
    assert "features of extended" in said
    assert "rank_beta_252" not in said


@pytest.mark.parametrize(("override", "said"), [("model=ranked", True), ("model=ensemble", False)])
def test_the_order_of_few_symbols_is_advised_against(override, said):
    advice = "29: for fewer than 30 choose features=classic"

    assert (advice in cautions(29, AGAINST, override)) is said
