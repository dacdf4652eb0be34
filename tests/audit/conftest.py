"""The made-up panels of the market layer and the made-up rows of the learners."""

from tests.learning.conftest import make_dataset
from tests.market.conftest import make_bars

__all__ = ["make_bars", "make_dataset"]
