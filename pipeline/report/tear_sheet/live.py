"""Live against promised: one page a model version, of the tear sheet's family."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from pipeline.monitor.evidence import Promise
from pipeline.monitor.health import HEALTHY, SERIES, STOP, Health, Thresholds
from pipeline.report.numbers import basis_points, count, day, number, percent
from pipeline.report.tear_sheet import style
from pipeline.report.tear_sheet.page import drawn_svg, template
from pipeline.report.tear_sheet.style import BLUE, GREY, INK, ORANGE, PALE, VERMILLION

TONES = {HEALTHY: "good", STOP: "bad"}
KINDS = {"live": "made before each session", "replay": "replays of the past"}


class Life(NamedTuple):
    """What the page is drawn from.

    Attributes
    ----------
    model, kind
        Whose outcomes: a version or a baseline; a key of ``KINDS``.
    outcomes
        One row a session; returns as fractions.
    curves
        Of `health.curves`, by session.
    drift
        Of `drift.drift`, by feature.
    """

    model: str
    kind: str
    outcomes: pd.DataFrame
    curves: pd.DataFrame
    promises: Mapping[str, Promise]
    health: Health
    drift: pd.DataFrame
    thresholds: Thresholds

    def promised(self, name: str) -> Promise | None:
        """What a series promised; None where nothing is known."""
        promise = self.promises.get(name)
        return promise if promise is not None and promise.is_known else None


def live_page(life: Life) -> str:
    """The page as HTML that needs nothing else; the same life gives the same bytes."""
    model, health, outcomes, drift = life.model, life.health, life.outcomes, life.drift
    figures = {
        "rank-ic": ("Rank IC by session", _rank_ic),
        "growth": ("Growth after costs", _growth),
        "evidence": ("Evidence against the promise, by session", _evidence),
        "deciles": ("Returns by decile of the forecast", _deciles),
    }
    first, last = outcomes["session"].iloc[0], outcomes["session"].iloc[-1]
    return template("live.html").render(
        title=f"Live against promised, {'version ' if model.isdigit() else ''}{model}",
        tone=TONES.get(health.answer, "open"),
        answer=f"Health: {health.answer}",
        reasons=health.reasons,
        facts={
            "sessions": f"{len(outcomes)}, {day(first)} to {day(last)}",
            "forecasts": KINDS.get(life.kind, life.kind),
            "scored": count(outcomes["symbols"].sum(), "forecast"),
        },
        rows=_rows(life),
        figures={
            name: (heading, drawn_svg(name, draw, life))
            for name, (heading, draw) in figures.items()
        },
        drift=[
            (str(name), number(row.psi, 3), number(row.limit, 3), "yes" if row.drifted else "")
            for name, row in drift.head(15).iterrows()
        ]
        if len(drift)
        else [],
    )


def _rows(life: Life) -> list[tuple[str, str, str, str]]:
    """Series, live mean, promised mean and its error."""
    rows = []
    for name, words in SERIES.items():
        values = life.outcomes[name].dropna()
        seen, promise = (float(values.mean()) if len(values) else math.nan), life.promised(name)
        form = basis_points if name == "net_return" else _plain
        rows.append(
            (
                f"{words}, mean by session",
                form(seen),
                form(promise.mean) if promise else "\N{EN DASH}",
                f"{count(promise.sessions, 'session')}, error {form(promise.error)}"
                if promise
                else "nothing is known",
            )
        )
    hits = life.outcomes["hit_rate"].dropna()
    rows.append(("Hit rate", percent(float(hits.mean())) if len(hits) else "\N{EN DASH}", "", ""))
    return rows


def _plain(value: float) -> str:
    return number(value, 4)


def _rank_ic(life: Life) -> Any:
    figure, (axes,) = style.panels(2.8)
    scores = life.curves["rank_ic"]
    axes.bar(scores.index, scores, width=0.8, color=PALE, edgecolor=GREY, linewidth=0.3)
    mean = life.curves["rank_ic_mean"]
    axes.plot(mean.index, mean, color=BLUE, linewidth=1.8, label="mean so far")
    if promise := life.promised("rank_ic"):
        axes.axhline(promise.mean, color=ORANGE, linestyle="--", linewidth=1.4, label="promised")
    return _finished(figure, axes, "Rank IC")


def _growth(life: Life) -> Any:
    figure, (axes,) = style.panels(2.8)
    equity = 100.0 * (life.curves["equity"] - 1.0)
    axes.plot(equity.index, equity, color=BLUE, linewidth=1.8, label="live")
    if promise := life.promised("net_return"):
        place = np.arange(1, len(equity) + 1)
        path = 100.0 * promise.mean * place
        spread = 196.0 * promise.deviation * np.sqrt(place)
        axes.plot(equity.index, path, "--", color=ORANGE, linewidth=1.4, label="promised")
        axes.fill_between(equity.index, path - spread, path + spread, color=ORANGE, alpha=0.15,
                          linewidth=0)  # fmt: skip
    return _finished(
        figure, axes, "Return since the start, %, and where 95 % of promised paths lie"
    )


def _evidence(life: Life) -> Any:
    figure, (axes,) = style.panels(2.8)
    drawn_any = False
    for name, color, dash in (("rank_ic", BLUE, "-"), ("net_return", ORANGE, "--")):
        column = f"e_promise_{name}"
        if column in life.curves:
            values = life.curves[column].clip(lower=1e-3)
            axes.plot(values.index, values, dash, color=color, label=SERIES[name])
            drawn_any = True
    limit = life.thresholds.stop_wealth("rank_ic")
    axes.axhline(limit, color=VERMILLION, linewidth=1.2, label="stops, by rank IC")
    axes.set_yscale("log")
    if not drawn_any:
        axes.text(0.5, 0.5, "nothing was promised", transform=axes.transAxes, color=INK)
    years = f"one model in {1 / life.thresholds.false_stops_a_year:.0f} is stopped falsely a year"
    return _finished(figure, axes, f"e-value (log scale); {years}", numbers=False)


def _deciles(life: Life) -> Any:
    figure, (axes,) = style.panels(2.4)
    means = 1e4 * life.outcomes[[f"decile_{place}" for place in range(1, 11)]].mean()
    axes.bar(np.arange(1, 11), means.fillna(0.0), width=0.7, color=BLUE, alpha=0.75)
    axes.set_xticks(np.arange(1, 11))
    axes.set_title("Return over the session's mean, bp")
    style.zero_line(axes)
    style.in_numbers(axes)
    return figure


def _finished(figure: Any, axes: Any, title: str, *, numbers: bool = True) -> Any:
    axes.set_title(title)
    axes.legend(loc="best")
    if numbers:
        style.zero_line(axes)
        style.in_numbers(axes)
    style.by_date(axes)
    return figure
