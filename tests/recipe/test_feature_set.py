"""What a model may learn from: limits that are checked before any work starts."""

from __future__ import annotations

import pandas as pd
import pytest
from pydantic import ValidationError

from pipeline.market.regimes import regime_names
from pipeline.recipe.feature_set import RegimeLimits

LIMITS = {
    "volatility_window": 252,
    "high_volatility_percentile": 85,
    "low_volatility_percentile": 15,
    "trending_strength": 25,
    "quiet_strength": 20,
}


def test_no_vix_level_is_refused_and_not_taken_for_30() -> None:
    with pytest.raises(ValidationError, match="for no such rule one out of reach: 1000"):
        RegimeLimits(**LIMITS, high_vix=None)


@pytest.mark.parametrize(("level", "regime"), [(30, "HIGH_VOL"), (1000, "RANGING")])
def test_a_level_out_of_reach_is_no_rule(level: float, regime: str) -> None:
    limits = RegimeLimits(**LIMITS, high_vix=level).model_dump(exclude={"volatility_window"})
    measured = {"trend_strength": 22, "volatility_percentile": 50, "slope_20": 0, "vix_level": 90}

    names = regime_names(pd.DataFrame(measured, index=[0]), **limits)

    assert names.tolist() == [regime]
