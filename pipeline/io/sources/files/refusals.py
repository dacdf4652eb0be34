"""Why files cannot be read, in the words of one line or of the error where none can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from pipeline.errors import Fault, InvalidData

SHOWN = 5


def why(error: InvalidData) -> str:
    """What is wrong with one file of several, with the command where one helps."""
    following = f"; next: {error.next_command}" if error.next_command else ""
    return f"{error.found}; needed: {error.needed}{following}"


def nothing(
    where: Path, refused: Mapping[str, str], left_out: pd.DataFrame | None = None
) -> InvalidData:
    """The error where no bar can be loaded, with what was refused and the bars left out by rule.

    Each file or symbol that was refused is a fault of it, and each rule that left bars out.
    """
    faults = [Fault(name, why) for name, why in refused.items()]
    shown = [f"{name}: {why}" if why else name for name, why in list(refused.items())[:SHOWN]]
    more = len(refused) - len(shown)
    if left_out is not None and len(left_out):
        by_rule = [
            Fault(f"{n} bars", str(why)) for why, n in left_out["reason"].value_counts().items()
        ]
        faults, shown = faults + by_rule, shown + [str(each) for each in by_rule]
    listed = "".join(f"\n    - {line}" for line in shown) + (
        f"\n    and {more} more" if more > 0 else ""
    )
    found = f"{where}: no bar can be loaded{listed or ': no CSV or Parquet file in it'}"
    return InvalidData("ingest", found, "daily bars that can be read in one way", faults=faults)
