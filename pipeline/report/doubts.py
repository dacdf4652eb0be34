"""What a decision on the indicated open hangs on, as a person reads it."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from pipeline.contract import Metrics
from pipeline.contract import Tables as Names
from pipeline.report.numbers import number
from pipeline.report.text_tables import terminal_table, wrapped

ENOUGH_BPS = 10.0
"""An indication is seldom better than this: what needs one says so."""

BY_ERROR, BY_YEAR = Names.DOUBTS_BY_ERROR, Names.DOUBTS_BY_ERROR_AND_YEAR
BY_PART = Names.DOUBTS_BY_PART

WORDS = ("gates", "by", "part")
"""Columns that are no numbers."""

CAPTIONS = {
    BY_ERROR: "The same model at other errors of the indication, bp; Sharpe gross, net, and net at "
    "other costs; the cost it breaks even at",
    BY_YEAR: "Rank IC / net Sharpe by error, bp, and year",
    BY_PART: "Trades by part of them; the Sharpe is of that part alone",
}

Tables = Mapping[str, pd.DataFrame]


def printed_doubts(tables: Tables, metrics: Mapping[str, float]) -> str:
    """Results by error of the indication, by worse fills and by part; empty without any.

    Parameters
    ----------
    tables, metrics
        Of ``recipe.doubts.measured_doubts`` among others.
    """
    if BY_ERROR not in tables:
        return ""
    shown = doubt_cells(tables)
    lines = ["\n" + wrapped(f"{CAPTIONS[BY_ERROR]}:")]
    lines += [terminal_table(shown[BY_ERROR], WORDS), *map(wrapped, sentences(metrics))]
    if BY_PART in shown:
        lines += ["", terminal_table(shown[BY_PART], WORDS)]
    return "\n".join(lines)


def sentences(metrics: Mapping[str, float]) -> list[str]:
    """From which error on it fails, what worse fills leave, and how many opens are no prices."""
    worse = ", ".join(
        f"{bps} bp worse {number(metrics[f'doubt/sharpe_fill_{bps}bp'], 2)}" for bps in (5, 10)
    )
    bad = {
        name.removeprefix(Metrics.DOUBT_BAD_OPENS).replace("_", " "): n
        for name, n in metrics.items()
        if Metrics.DOUBT_BAD_OPENS in name
    }
    counted = ", ".join(f"{number(n, 0)} {name}" for name, n in bad.items())
    return [
        _until(metrics[Metrics.DOUBT_LARGEST_ERROR]),
        f"Net Sharpe with fills at the open that are {worse}.",
        f"Opens that are no prices, never traded: {counted}.",
    ]


def _until(largest: float) -> str:
    """Up to which error the gates accept."""
    if math.isnan(largest):
        return "The gates accept it at none of these errors, were the audit passed."
    if largest < ENOUGH_BPS:
        return f"It passes only with indications better than {ENOUGH_BPS:g} bp: few are."
    return f"The gates accept it up to an error of {largest:g} bp, once the audit has passed."


def doubt_cells(tables: Tables) -> dict[str, pd.DataFrame]:
    """The tables of doubts as cells of text, for a terminal or a page.

    Returns
    -------
    dict
        ``doubts_by_error``, ``doubts_by_error_and_year`` (one row an error, a column a year: rank
        IC and net Sharpe) and, where anything was traded, ``doubts_by_part``.
    """
    errors, years, parts = (tables[name] for name in (BY_ERROR, BY_YEAR, BY_PART))
    made = {
        BY_ERROR: pd.DataFrame(
            {
                "error": errors["error_bps"].map("{:g}".format),
                "rank IC": _cells(errors["rank_ic"], 4),
                "t": _cells(errors["rank_ic_t"], 1),
                "gross": _cells(errors["gross_sharpe"], 2),
                "net": _cells(errors["sharpe"], 2),
                **{f"{n} bp": _cells(errors[f"sharpe_{n}bp"], 2) for n in (5, 10, 20)},
                "even at": _cells(errors["break_even_bps"], 1),
                "trades": _cells(errors["trades"], 0),
                "gates": errors["gates"],
            }
        ),
        BY_YEAR: _by_year(years),
    }
    if len(parts):
        made[BY_PART] = pd.DataFrame(
            {
                "by": parts["by"],
                "part": parts["part"],
                "trades": _cells(parts["trades"], 0),
                "net, bp a trade": _cells(parts["net_bps"], 1),
                "net": _cells(parts["net_pnl"], 0),
                "Sharpe alone": _cells(parts["sharpe"], 2),
            }
        )
    return made


def _by_year(years: pd.DataFrame) -> pd.DataFrame:
    """One row an error, a column a year: rank IC, and the net Sharpe."""
    cells = _cells(years["rank_ic"], 3) + " / " + _cells(years["sharpe"], 1)
    named = {
        "error": years["error_bps"].map("{:g}".format),
        "year": years["year"].map("{:.0f}".format),
        "cells": cells,
    }
    wide = pd.DataFrame(named).pivot(index="error", columns="year", values="cells")
    return wide.reindex(pd.unique(named["error"])).reset_index()


def _cells(values: pd.Series, digits: int) -> pd.Series:
    return values.map(lambda value: number(value, digits))
