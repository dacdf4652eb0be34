"""Bars that were left out, as a person asks for them."""

from __future__ import annotations

from collections.abc import Container, Mapping

import pandas as pd

from pipeline.schemas import BAR_FIELDS, SESSION, SYMBOL


def printed_quarantine(
    rows: pd.DataFrame, refused: Mapping[str, str], overruled: Container[str], shown: int
) -> str:
    """Counts by rule, the newest bars, what was refused whole, and the words that take bars.

    Parameters
    ----------
    rows
        session, symbol, reason and the fields of a bar, as delivered.
    refused
        Why nothing was taken of files and symbols.
    overruled
        Reasons that ``data.accept`` overrules for a single bar.
    shown
        Bars to show at most.
    """
    lines = [f"{len(rows):,} bars of {rows[SYMBOL].nunique():,} symbols quarantined"]
    lines += [f"{count:>8,}  {rule}" for rule, count in rows["reason"].value_counts().items()]
    if len(rows):
        newest = rows.sort_values([SESSION, SYMBOL], ascending=[False, True]).head(shown)
        days = newest[SESSION].dt.strftime("%Y-%m-%d")
        table = newest.assign(session=days)[[SESSION, SYMBOL, *BAR_FIELDS, "reason"]]
        lines += ["", table.to_string(index=False)]
        lines += [f"and {len(rows) - shown:,} more: quarantine.rows"] if len(rows) > shown else []
        may_be = [reason in overruled for reason in newest["reason"]]
        bars = [f"{n}:{day}" for n, day in zip(newest[SYMBOL][may_be], days[may_be], strict=True)]
        lines += ["", f"Right all the same: data.accept=[{','.join(bars)}]"] if bars else []
    if refused:
        lines += ["", "Refused whole (a symbol is taken all the same by data.accept=[NAME]):"]
        lines += [f"  {name}: {why}" for name, why in sorted(refused.items())]
    return "\n".join(lines)


def by_rule(reasons: Mapping[str, int], shown: int = 4) -> str:
    """The rules that quarantined most bars, in words.

    >>> by_rule({"empty row": 3, "price missing": 12})
    '12 price missing, 3 empty row'
    """
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    more = [f"{len(ordered) - shown} more rules"] if len(ordered) > shown else []
    return ", ".join([*(f"{count:,} {rule}" for rule, count in ordered[:shown]), *more])
