"""Sessions and closes of every calendar, 2005 to 2026, against an interpreter with an older pandas.

``python -m tests.soak.calendars PYTHON`` where PYTHON has ``exchange_calendars`` with pandas 2:

    uv venv reference && uv pip install --python reference/bin/python pandas==2.3.3 \
        exchange_calendars==4.13.2

It prints a line a calendar: its sessions of all years, how many of them the reference lacks, how
many it has besides, and how many close at another moment; and ends with 1 where any differs.
"""

from __future__ import annotations

import json
import subprocess
import sys

import exchange_calendars
import pandas as pd

from pipeline.errors import PipelineError
from pipeline.io.calendar import Calendar

FIRST, LAST = "2005-01-01", "2026-12-31"

REFERENCE = f"""
import json, pandas as pd, exchange_calendars as e
from exchange_calendars import calendar_utils
found = {{}}
for name in e.get_calendar_names(include_aliases=False):
    factory = calendar_utils.global_calendar_dispatcher._calendar_factories[name]
    low, high = factory.bound_min(), factory.bound_max()
    first, last = pd.Timestamp("{FIRST}"), pd.Timestamp("{LAST}")
    first = first if low is None else max(first, low)
    last = last if high is None else min(last, high)
    closes = factory(start=first, end=last).closes
    moments = closes.dt.tz_convert("UTC").dt.strftime("%H:%M")
    found[name] = {{f"{{day:%Y-%m-%d}}": moment for day, moment in moments.items()}}
print(json.dumps({{"pandas": pd.__version__, "found": found}}))
"""


def ours(name: str) -> dict[str, str]:
    """When each session closes, hours and minutes of UTC, by session."""
    known = Calendar(name, pd.Timestamp(FIRST), pd.Timestamp(LAST))
    closes = pd.DatetimeIndex(known.closes_of(known.sessions.to_numpy()))
    return {
        f"{day:%Y-%m-%d}": f"{close:%H:%M}"
        for day, close in zip(known.sessions, closes, strict=True)
    }


def main() -> None:
    done = subprocess.run(
        [sys.argv[1], "-c", REFERENCE], capture_output=True, text=True, check=True
    )
    reference = json.loads(done.stdout)
    print(f"pandas {pd.__version__} against {reference['pandas']}, "
          f"exchange_calendars {exchange_calendars.__version__}")  # fmt: skip
    print(f"{'calendar':10}{'from':>12}{'sessions':>10}{'lacking':>9}{'besides':>9}{'closes':>8}")
    wrong = 0
    for name, theirs in reference["found"].items():
        try:
            mine = ours(name)
        except PipelineError as error:
            print(f"{name:10} {error}")
            wrong += 1
            continue
        both = mine.keys() & theirs.keys()
        lacking, besides = len(theirs.keys() - both), len(mine.keys() - both)
        closes = sum(mine[day] != theirs[day] for day in both)
        wrong += bool(lacking or besides or closes)
        print(f"{name:10}{min(mine):>12}{len(mine):>10,}{lacking:>9}{besides:>9}{closes:>8}")
    print(f"{len(reference['found'])} calendars, {wrong} differ")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
