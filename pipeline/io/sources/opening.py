"""From what config says of a source to the source; only the chosen one is imported."""

from __future__ import annotations

from pipeline.io.sources.protocol import Provider
from pipeline.io.sources.settings import FilesData, SampleData, YahooData
from pipeline.io.sources.universe import Universe


def open_source(data: SampleData | FilesData | YahooData, universe: Universe | None) -> Provider:
    """The source of bars that config chooses.

    Parameters
    ----------
    universe
        Symbols to request from a source that is queried by name.

    Raises
    ------
    NotReady
        Yahoo without a universe: it has no list of all symbols.
    InvalidSettings
        Files without a path.
    """
    if isinstance(data, FilesData):
        from pipeline.io.sources.files.source import Files

        return Files(data)
    if isinstance(data, YahooData):
        from pipeline.io.sources.yahoo.source import Yahoo

        return Yahoo(data, universe)
    from pipeline.io.sources.sample import Sample

    return Sample()
