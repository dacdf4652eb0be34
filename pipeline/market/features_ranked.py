"""The feature set "ranked": every number as its rank among the symbols of the session.

A rank means the same in every year and on every panel: levels of volatility, volume or dispersion
come and go, the order of the symbols stays. The extended features of single symbols and the
residual family. Those equal for all symbols of a session have no rank and are left out.
"""

from __future__ import annotations

from pipeline.market import features_residual
from pipeline.market.definitions import Definitions
from pipeline.market.features_extended import extended

RANKED_TWICE = ("beta_rank_252", "volatility_rank_63", "idiosyncratic_rank_21")

ranked = Definitions(
    *(
        feature.as_rank()
        for feature in (*extended, *features_residual.definitions)
        if feature.kind == "symbol" and feature.name not in RANKED_TWICE
    ),
    *(feature for feature in extended if feature.kind == "static"),
)
