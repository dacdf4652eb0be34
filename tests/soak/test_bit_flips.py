"""A hundred single bits of each kind of file; by hand, with `-m soak -s`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak.bit_flips import KINDS, Kind, counted

pytestmark = pytest.mark.soak


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_no_flipped_bit_is_served(tmp_path: Path, kind: Kind) -> None:
    counts = counted(kind, tmp_path, flips=100)

    for reader, count in counts.items():
        silent = f"{len(count.silent)} silent, {count.seen} seen, {count.harmless} harmless"
        print(f"\n{kind.name}, {reader}: {silent}", end="")
    assert counts["checked"].silent == []
