"""Small tables that people keep of symbols: who is a member, of which sector, which split when."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.io.files import read_limited
from pipeline.io.sources.files import encoding
from pipeline.io.sources.files.columns import plain
from pipeline.schemas import SYMBOL

ATTRIBUTES = ("exchange", "sector", "name")
FROM, TO = "from", "to"
TITLE_LINES = 20

_ALIASES = {
    "ticker": SYMBOL, "ticker symbol": SYMBOL, "tic": SYMBOL, "code": SYMBOL, "act symbol": SYMBOL,
    "epic": SYMBOL, "stock": SYMBOL, "symbols": SYMBOL, "tickers": SYMBOL, "sym": SYMBOL,
    "tickersymbol": SYMBOL, "stock symbol": SYMBOL, "security symbol": SYMBOL, "ric": SYMBOL,
    "company ticker": SYMBOL, "holding ticker": SYMBOL, "constituent": SYMBOL,
    "component": SYMBOL, "instrument": SYMBOL, "gics sector": "sector", "industry": "sector",
    "company": "name", "company name": "name", "security": "name", "security name": "name",
    "listing": "exchange", "date": "session", "ex date": "session", "ex session": "session",
    "date added": FROM, "added": FROM, "start": FROM, "start date": FROM, "since": FROM,
    "from date": FROM, "date from": FROM, "begin": FROM, "begin date": FROM, "in": FROM,
    "entry": FROM, "entry date": FROM, "valid from": FROM, "effective from": FROM, "joined": FROM,
    "join date": FROM, "date first added": FROM, "add date": FROM, "added date": FROM,
    "inclusion date": FROM, "from dt": FROM, "startdate": FROM, "fromdate": FROM,
    "date removed": TO, "removed": TO, "end": TO, "end date": TO, "until": TO, "to date": TO,
    "date to": TO, "out": TO, "exit": TO, "exit date": TO, "valid to": TO, "valid until": TO,
    "effective to": TO, "left": TO, "leave date": TO, "remove date": TO, "removed date": TO,
    "exclusion date": TO, "thru": TO, "through": TO, "thru dt": TO, "enddate": TO, "todate": TO,
}  # fmt: skip


class Limit(NamedTuple):
    """How large a list may be, and the key that says so."""

    megabytes: int
    setting: str = "data.max_megabytes"


def read_list(
    file: Path, needed: tuple[str, ...], limit: Limit, who: str = "ingest"
) -> pd.DataFrame:
    """A small CSV as text: ON, NO and NULL are symbols, and no values.

    Columns are named symbol, exchange, sector, name, from, to, session and ratio, however their
    header writes them; others keep their names in lower case.

    Raises
    ------
    InvalidData
        It is no table, lacks one of the columns needed, or is larger than allowed.
    """
    try:
        with file.open("rb") as stream:
            content = read_limited(stream, file.name, who, limit.setting, limit.megabytes)
        text = content.decode(encoding.encoding(content, ""), errors="replace").lstrip("\ufeff")
        first, text = _from_header(text, needed)
        separator = max(",;\t|", key=first.count)
        rows = pd.read_csv(io.StringIO(text), dtype="str", keep_default_na=False, sep=separator)
    except (ValueError, OSError) as error:
        needed_names = f"columns {', '.join(needed)}"
        raise InvalidData(who, f"{file.name}: {error}", needed_names) from error
    names = [plain(str(name)) for name in rows.columns]
    rows.columns = [_ALIASES.get(n, n) if _ALIASES.get(n) not in names else n for n in names]
    missing = [name for name in needed if name not in rows.columns]
    if missing:
        given = f"{file.name}: no column {', '.join(missing)} among {', '.join(rows.columns)}"
        faults = [Fault(name, "no such column") for name in missing]
        raise InvalidData(who, given, f"a column {', '.join(missing)}", faults=faults)
    return rows.loc[:, ~rows.columns.duplicated()]


def _from_header(text: str, needed: tuple[str, ...]) -> tuple[str, str]:
    """The first line that names the columns needed, and the text from it on."""
    lines = text.splitlines(keepends=True)
    for place, line in enumerate(lines[:TITLE_LINES]):
        names = [plain(cell.strip('"')) for cell in re.split(r"[,;\t|]", line.strip())]
        if {_ALIASES.get(name, name) for name in names} >= set(needed):
            return line, "".join(lines[place:])
    return text.split("\n", 1)[0], text
