"""One thread a fit: forests and BLAS give other last bits with another number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController


@contextmanager
def single_threaded() -> Iterator[None]:
    """Limit BLAS (whole process) and OpenMP (this thread) to one thread inside the block."""
    with ThreadpoolController().limit(limits=1):
        yield
