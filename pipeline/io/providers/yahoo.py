"""Bars from Yahoo Finance by yfinance: announced in the configuration, not built yet."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import NotReady


class Yahoo:
    """Refuses on construction, so that nothing starts on a source that cannot deliver."""

    def __init__(self, path: Path | None = None, index_path: Path | None = None) -> None:
        raise NotReady(
            "ingest",
            "data=yfinance is not built yet",
            "data=sample, the embedded sample",
            'mlflow run . -e ingest -P overrides="data=sample"',
        )
