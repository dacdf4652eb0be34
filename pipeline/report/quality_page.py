"""The page of a delivery: what was left out by rule, and the worst symbols with their pictures."""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterable, Mapping
from html import escape
from typing import cast

import numpy as np
import pandas as pd

from pipeline.report.text_tables import terminal_table
from pipeline.schemas import BAR_FIELDS, SESSION, SYMBOL

WORST = 12
BARS_SHOWN = 10
WIDTH, HEIGHT, EDGE = 640.0, 120.0, 8.0

STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 60em; color: #222; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { padding: .15em .8em .15em 0; text-align: left; border-bottom: 1px solid #ddd; }
td.d { white-space: nowrap; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { display: block; width: 100%; max-width: 640px; background: #fafafa; }
code { background: #f3f3f3; padding: 0 .3em; }
"""


RULE_WIDTH = 45
"""Letters of a line of a rule on a terminal: what is beside it leaves no more of 100."""


def printed_quality(rules: pd.DataFrame) -> str:
    """What was read, kept and left out, for a terminal: a long rule goes on in the next line.

    Parameters
    ----------
    rules
        Of `sources.quality`, one row a rule: kind, what, rule, bars, symbols, first, last.
    """
    lines = []
    for row in rules.to_dict("records"):
        text = f"{row['what']}: {row['rule']}" if row["rule"] else row["what"]
        head, *rest = textwrap.wrap(text, RULE_WIDTH, subsequent_indent="  ")
        days = ["" if pd.isna(row[end]) else f"{row[end]:%Y-%m-%d}" for end in ("first", "last")]
        lines.append([row["kind"], head, f"{row['bars']:,}", f"{row['symbols']:,}", *days])
        lines += [["", more, "", "", "", ""] for more in rest]
    columns = ["kind", "what", "bars", "symbols", "first", "last"]
    return terminal_table(pd.DataFrame(lines, columns=columns), words=("kind", "what"))


def quality_page(
    rules: pd.DataFrame,
    bars: pd.DataFrame,
    quarantine: pd.DataFrame,
    refused: Mapping[str, str],
    overruled: Container[str],
) -> str:
    """A page of HTML without anything from elsewhere.

    Parameters
    ----------
    rules
        What was read, kept and left out, a row a rule.
    bars
        Bars of stocks that were kept, indexed by session and symbol: currency per share, shares.
    quarantine
        Bars left out, as they were given: session, symbol, reason and the fields of a bar.
    refused
        Why nothing was read from some files and symbols.
    overruled
        Reasons that ``data.accept`` overrules.
    """
    worst = quarantine[SYMBOL].value_counts(sort=True).sort_index().sort_values(ascending=False)
    names = [str(name) for name in worst.index[:WORST]]
    parts = [
        "<h1>Quality of the data</h1>",
        "<h2>By rule</h2>",
        _table(rules),
        "<h2>Refused whole</h2>",
        _refused(refused),
        f"<h2>The {len(names)} symbols with the most quarantined bars</h2>" if names else "",
        *(_symbol(n, bars, quarantine[quarantine[SYMBOL] == n], overruled) for n in names),
    ]
    head = f"<meta charset='utf-8'><title>Quality of the data</title><style>{STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>"


def _refused(refused: Mapping[str, str]) -> str:
    if not refused:
        return "<p>Nothing.</p>"
    lines = (f"<li><b>{escape(name)}</b>: {escape(why)}</li>" for name, why in refused.items())
    return f"<ul>{''.join(lines)}</ul>"


def _symbol(name: str, bars: pd.DataFrame, odd: pd.DataFrame, overruled: Container[str]) -> str:
    sessions = odd[SESSION].dt.strftime("%Y-%m-%d")
    more = f"<p>and {len(odd) - BARS_SHOWN} more</p>" if len(odd) > BARS_SHOWN else ""
    shown = odd.assign(session=sessions)[[SESSION, "reason", *BAR_FIELDS]].head(BARS_SHOWN)
    may_be = [reason in overruled for reason in odd["reason"]]
    accept = ",".join(f"{name}:{day}" for day in sessions[may_be].head(BARS_SHOWN))
    hint = f"<p>Right all the same: <code>data.accept=[{escape(accept)}]</code></p>"
    hint = hint if accept else ""
    closes = _closes(bars, name)
    given = pd.Series(odd["close"].to_numpy(), pd.DatetimeIndex(odd[SESSION]))
    heading = f"<h3>{escape(name)}: {len(odd)} of {len(odd) + len(closes)} bars</h3>"
    return heading + picture(closes, given) + _table(shown) + more + hint


def _closes(bars: pd.DataFrame, name: str) -> pd.Series:
    """By session; found by the codes of the index, without a name for each row."""
    symbols = cast(pd.MultiIndex, bars.index)
    place = symbols.names.index(SYMBOL)
    code = symbols.levels[place].get_indexer(pd.Index([name]))[0]
    return bars["close"][symbols.codes[place] == code].droplevel(SYMBOL)


def picture(good: pd.Series, odd: pd.Series) -> str:
    """Closes by session as a line, and those of quarantined bars as dots, on a logarithmic scale.

    Closes that are no positive number have no place on it; their dots lie on the lower edge.
    """
    every = pd.concat([good, odd])
    some = every[np.isfinite(every) & (every > 0)]
    if some.empty:
        return "<p>No close that could be drawn.</p>"
    first, last = every.index.min(), every.index.max()
    days = max((last - first).days, 1)
    low, high = np.log(some.min()), np.log(some.max())

    def place(day: pd.Timestamp, close: float) -> tuple[float, float]:
        x = EDGE + (WIDTH - 2 * EDGE) * (day - first).days / days
        if not (np.isfinite(close) and close > 0):
            return x, HEIGHT - 2
        share = (np.log(close) - low) / (high - low) if high > low else 0.5
        return x, HEIGHT - EDGE - (HEIGHT - 2 * EDGE) * share

    line = " ".join("{:.1f},{:.1f}".format(*place(d, c)) for d, c in _thinned(good))
    dots = "".join(
        '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="#c0392b"/>'.format(*place(day, close))
        for day, close in zip(pd.DatetimeIndex(odd.index), odd, strict=True)
    )
    label = f"Closes from {first:%Y-%m-%d} to {last:%Y-%m-%d}; quarantined ones as dots"
    return (
        f'<svg viewBox="0 0 {WIDTH:g} {HEIGHT:g}" role="img" aria-label="{label}">'
        f'<polyline points="{line}" fill="none" stroke="#2c5f8a"/>{dots}</svg>'
    )


def _thinned(closes: pd.Series) -> Iterable[tuple[pd.Timestamp, float]]:
    """At most two points for each unit of the width."""
    step = max(1, len(closes) // int(2 * WIDTH))
    return closes.iloc[::step].items()  # type: ignore[return-value]


def _table(frame: pd.DataFrame) -> str:
    head = "".join(f"<th>{escape(str(name))}</th>" for name in frame.columns)
    rows = "".join(
        "<tr>" + "".join(map(_cell, row)) + "</tr>"
        for row in frame.astype(object).itertuples(index=False)
    )
    return f"<table><tr>{head}</tr>{rows}</table>"


def _cell(value: object) -> str:
    if isinstance(value, pd.Timestamp):
        return f'<td class="d">{value:%Y-%m-%d}</td>'
    if isinstance(value, int | float):
        return f'<td class="n">{f"{value:,.10g}" if value == value else ""}</td>'
    return f"<td>{'' if value is None or value is pd.NaT else escape(str(value))}</td>"
