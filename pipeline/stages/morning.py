"""Morning: the champion's orders for the opening auction, sealed, on indicated prices."""

from __future__ import annotations

import time
from functools import partial

import mlflow
import numpy as np
import pandas as pd
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME

from pipeline.cells import csv_text
from pipeline.commands import Command
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Metrics, Tables, Tags
from pipeline.errors import Refused
from pipeline.gates.proven import Traded, differing_rules
from pipeline.io import calendar, clock
from pipeline.io.files import write_atomically
from pipeline.io.quotes import quotes
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import registry, runs
from pipeline.io.tracking.recipes import recorded_content
from pipeline.report.morning import printed_orders
from pipeline.report.signals import described
from pipeline.serving import evenings, freshness, verdicts
from pipeline.serving.broker import write_order_files
from pipeline.serving.morning import Believed, Morning
from pipeline.serving.morning_ledger import Decided, in_the_shadow, keep_decided
from pipeline.stages._cli import command
from pipeline.workspace import Workspace

BEFORE_OPEN = pd.Timedelta(minutes=2)
"""Orders for Nasdaq's opening cross have to be there by 9:28; other exchanges take them longer."""

CENT = 100


def run(settings: Settings) -> None:
    """Join quotes to the evening's snapshot; seal, list and write the orders.

    Called again before the deadline, the newest quotes count: their orders replace the files, and
    their entry follows the earlier one in the ledger. The same quotes again change nothing. When
    an entry was made is read from the clock, whatever `morning.now` pretends.
    """
    began, chosen = time.perf_counter(), settings.morning
    now = clock.now() if chosen.now is None else pd.Timestamp(chosen.now)
    champion_moves.settle("morning")
    champion = registry.find(Aliases.CHAMPION, who="morning")
    stopped = verdicts.reasons_not_to_trade(champion, settings.monitor)
    if stopped and not chosen.quotes:
        raise verdicts.not_traded(champion, stopped, "morning")
    rules, bankroll = build.rules(settings), settings.signals.bankroll
    traded_by = Traded(rules, bankroll, settings.regimes.limits.hash)
    unproven = differing_rules(traded_by, recorded_content(champion))
    if unproven and settings.signals.unproven_rules == "refuse":
        raise Refused(
            "morning", f"version {champion.version} has its evidence from other rules: "
            f"{'; '.join(unproven)}", "the rules of its recipe",
            Command("morning", "signals.unproven_rules=say"),
        )  # fmt: skip
    with Workspace.open(settings) as workspace:
        upcoming = freshness.signal_session(workspace)
        until, deadline = _deadline(workspace.exchange_calendar, upcoming.session, now)
        morning = Morning.of(workspace, champion, upcoming.session, "morning")
        zone = calendar.timezone(workspace.exchange_calendar)
        given = quotes(chosen.quotes, morning.symbols, zone, chosen.max_megabytes)
        max_age = pd.Timedelta(minutes=chosen.max_age_minutes)
        believed = morning.believed(given, now.tz_convert("UTC"), max_age, chosen.max_gap)
        _require_enough(believed, chosen.min_quoted)
        forecasts = morning.forecasts(believed.price)
        listed = morning.orders(forecasts, rules, bankroll)
        sent = listed.assign(limit=_in_cents(listed))
        decided = partial(Decided.of, morning, forecasts, rules=rules, role=evenings.CHAMPION)
        seal = partial(keep_decided, workspace, upcoming, bankroll=bankroll, until=until)
        if stopped:
            seal([decided(sent.iloc[:0], state=evenings.STOPPED)])
            raise verdicts.not_traded(champion, stopped, "morning")
        seal([decided(sent, state=evenings.TRADED)])
        files = write_order_files(workspace, sent, upcoming.session, max(now, clock.now()))[1]
        full = described(listed.assign(limit_price=sent["limit"]), workspace.store.symbols("stock"))
        day = f"{upcoming.session:%Y-%m-%d}"
        path = chosen.folder / f"orders-{day}.csv"
        write_atomically(path, lambda part: part.write_bytes(csv_text(full).encode()))
        _record(
            full, believed, day, champion.version, settings.data.name, time.perf_counter() - began
        )
        print(
            printed_orders(
                full,
                believed.left_out,
                session=upcoming.session,
                version=champion.version,
                quoted=len(believed.price),
                deadline=deadline,
                path=str(path),
            )
        )
        print(files)
        seal(in_the_shadow(morning, believed.price, rules, bankroll, settings.monitor))
    if unproven:
        mlflow.set_tag(Tags.RULES, "unproven")
        print(f"Unproven: no evidence was measured by these rules. {'; '.join(unproven)}")


def _deadline(exchange: str, session: pd.Timestamp, now: pd.Timestamp) -> tuple[pd.Timestamp, str]:
    """Until when orders have to be there, also in words; refused when that has passed."""
    last = calendar.opens_at(exchange, session) - BEFORE_OPEN
    local = f"{last.tz_convert(calendar.timezone(exchange)):%Y-%m-%d %H:%M %Z}"
    if now > last:
        raise Refused(
            "morning", f"it is {now.tz_convert(last.tz):%Y-%m-%d %H:%M} UTC, and orders for the "
            f"opening auction had to be there by {local}", "a decision before it",
            Command("signals"),
        )  # fmt: skip
    return last, f"to be there by {local}"


def _require_enough(believed: Believed, min_part: float) -> None:
    quoted, left_out = len(believed.price), len(believed.left_out)
    if quoted < min_part * (quoted + left_out) or not quoted:
        reasons = ", ".join(f"{n} {why}" for why, n in believed.left_out.value_counts().items())
        raise Refused(
            "morning",
            f"{quoted} of {quoted + left_out} symbols have a quote that is believed ({reasons})",
            f"quotes of at least {min_part:.0%} of them: the gap of market and sector are "
            "their means",
            Command("morning", "morning.min_quoted=0.3"),
        )


def _in_cents(listed: pd.DataFrame) -> pd.Series:
    """The limit as it can be sent: to the cent, on the safe side."""
    cents = listed["limit"] * CENT
    sent = np.where(listed["side"] == "long", np.floor(cents + 1e-9), np.ceil(cents - 1e-9))
    return pd.Series(sent / CENT, listed.index)


def _record(
    listed: pd.DataFrame, believed: Believed, day: str, version: str, source: str, seconds: float
) -> None:
    runs.log_table(listed, Tables.MORNING_ORDERS)
    if len(believed.left_out):
        runs.log_table(believed.left_out.rename_axis("symbol").reset_index(), Tables.LEFT_OUT)
    mlflow.set_tags(
        {
            MLFLOW_RUN_NAME: f"morning {day}, version {version}",
            Tags.MODEL_VERSION: version,
            Tags.DATA_SOURCE: source,
            "session": day,
        }
    )
    mlflow.log_metrics(
        {
            Metrics.MORNING_ORDERS: int((listed["shares"] > 0).sum()),
            Metrics.MORNING_QUOTED: len(believed.price),
            Metrics.MORNING_SECONDS: seconds,
        }
    )


if __name__ == "__main__":
    command("morning", run)
