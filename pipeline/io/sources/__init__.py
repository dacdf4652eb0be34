"""Sources of daily bars: `protocol` is what each delivers, `settings` what config says of it."""

from pipeline.io.sources.protocol import (
    DELISTED,
    EVERY_SYMBOL,
    NOT_DELIVERED,
    Delivery,
    LiveProvider,
    Provider,
    cut,
)

__all__ = [
    "DELISTED",
    "EVERY_SYMBOL",
    "NOT_DELIVERED",
    "Delivery",
    "LiveProvider",
    "Provider",
    "cut",
]
