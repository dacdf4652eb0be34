"""What a decision on the indicated open hangs on, as a person reads it."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from pipeline.report.numbers import number
from pipeline.report.text_tables import terminal_table

BAD = "doubt/bad_opens_"
ENOUGH_BPS = 10.0
"""An indication is seldom better than this: what needs one says so."""


def printed_doubts(tables: Mapping[str, pd.DataFrame], metrics: Mapping[str, float]) -> str:
    """Results by error of the indication, by worse fills and by part; empty without any.

    Parameters
    ----------
    tables, metrics
        Of ``recipe.doubts.measured_doubts`` among others.
    """
    if "doubts_by_error" not in tables:
        return ""
    by_error = tables["doubts_by_error"]
    first = pd.DataFrame(
        {
            "error, bp": by_error["error_bps"].map("{:g}".format),
            "rank IC": by_error["rank_ic"].map(lambda x: number(x, 4)),
            "t": by_error["rank_ic_t"].map(lambda x: number(x, 1)),
            "Sharpe gross": by_error["gross_sharpe"].map(lambda x: number(x, 2)),
            "net": by_error["sharpe"].map(lambda x: number(x, 2)),
            "break-even, bp": by_error["break_even_bps"].map(lambda x: number(x, 1)),
            "trades": by_error["trades"].map(lambda x: number(x, 0)),
        }
    )
    worse = ", ".join(
        f"{bps} bp worse {number(metrics[f'doubt/sharpe_fill_{bps}bp'], 2)}" for bps in (5, 10)
    )
    lines = [
        "\nThe same orders' model at other errors of the indication:", terminal_table(first),
        f"Net Sharpe with fills at the open that are {worse}.",
    ]  # fmt: skip
    bad = {
        name.removeprefix(BAD).replace("_", " "): n for name, n in metrics.items() if BAD in name
    }
    counted = ", ".join(f"{number(n, 0)} {name}" for name, n in bad.items())
    lines.append(f"Opens that are no prices, never traded: {counted}.")
    largest = metrics["doubt/largest_error_bps"]
    if not largest >= ENOUGH_BPS:
        lines.append("It earns nothing after costs unless indications are better than 10 bp.")
    parts = tables["doubts_by_part"]
    if len(parts):
        second = pd.DataFrame(
            {
                "by": parts["by"],
                "part": parts["part"],
                "trades": parts["trades"].map(lambda n: number(n, 0)),
                "net, bp a trade": parts["net_bps"].map(lambda x: number(x, 1)),
                "net": parts["net_pnl"].map(lambda x: number(x, 0)),
            }
        )
        lines += ["", terminal_table(second, words=("by", "part"))]
    return "\n".join(lines)
