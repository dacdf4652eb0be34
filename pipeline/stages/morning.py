"""Morning: the champion's orders for the opening auction, sealed, on indicated prices."""

from __future__ import annotations

import time
from datetime import datetime
from functools import partial

import pandas as pd

from pipeline.cells import csv_text
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Tags
from pipeline.gates.proven import Traded
from pipeline.io import calendar, clock
from pipeline.io.files import write_atomically
from pipeline.io.quotes import quotes
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import notes, registry
from pipeline.io.tracking.signals import record_morning
from pipeline.report.morning import printed_orders
from pipeline.report.signals import described
from pipeline.serving import auction, evenings, freshness, verdicts
from pipeline.serving.broker import write_order_files
from pipeline.serving.morning import Morning
from pipeline.serving.morning_ledger import Decided, in_the_shadow, keep_decided
from pipeline.stages._cli import command
from pipeline.workspace import Workspace


def run(settings: Settings) -> None:
    """Join quotes, read last, to the evening's snapshot; seal, list and write the orders.

    Called again before the deadline, the newest quotes count: their orders replace the files, and
    their entry follows the earlier one in the ledger. The same quotes again change nothing. The
    clock says when an entry was made, whatever `morning.now` pretends.
    """
    chosen = settings.morning
    champion_moves.settle("morning")
    champion = registry.find(Aliases.CHAMPION, who="morning")
    stopped = verdicts.reasons_not_to_trade(champion, settings.monitor)
    if stopped and not chosen.quotes:
        raise verdicts.not_traded(champion, stopped, "morning")
    rules, bankroll = build.rules(settings), settings.signals.bankroll
    traded_by = Traded(rules, bankroll, settings.regimes.limits.hash)
    unproven = verdicts.unproven_rules(champion, traded_by)
    if unproven and settings.signals.unproven_rules == "refuse":
        raise verdicts.not_proven(champion, unproven, "morning", "the rules of its recipe")
    with Workspace.open(settings) as workspace:
        upcoming = freshness.signal_session(workspace)
        deadline = auction.deadline(workspace, upcoming.session, _now(chosen.now))
        morning = Morning.of(workspace, champion, upcoming.session, "morning")
        market = morning.prepare(rules)
        zone = calendar.timezone(workspace.exchange_calendar)
        began = time.perf_counter()
        given = quotes(chosen.quotes, morning.symbols, zone, chosen.max_megabytes)
        now = _now(chosen.now)
        auction.deadline(workspace, upcoming.session, now)
        max_age = pd.Timedelta(minutes=chosen.max_age_minutes)
        believed = morning.believed(given, now.tz_convert("UTC"), max_age, chosen.max_gap)
        believed.require(chosen.min_quoted)
        forecasts = morning.forecasts(believed.price)
        listed = morning.orders(forecasts, rules, bankroll, market)
        sent = listed.assign(limit=auction.in_cents(listed))
        decided = partial(Decided.of, morning, forecasts, rules=rules, role=evenings.CHAMPION)
        seal = partial(keep_decided, workspace, upcoming, bankroll=bankroll, until=deadline.until)
        if stopped:
            seal([decided(sent.iloc[:0], state=evenings.STOPPED)])
            raise verdicts.not_traded(champion, stopped, "morning")
        seal([decided(sent, state=evenings.TRADED)])
        files = write_order_files(workspace, sent, upcoming.session, max(now, clock.now()))[1]
        full = described(listed.assign(limit_price=sent["limit"]), workspace.store.symbols("stock"))
        path = chosen.folder / f"orders-{upcoming.session:%Y-%m-%d}.csv"
        write_atomically(path, lambda part: part.write_bytes(csv_text(full).encode()))
        quoted, seconds = len(believed.price), time.perf_counter() - began
        record_morning(
            full, believed.left_out, quoted=quoted, session=upcoming.session,
            version=champion.version, data_source=settings.data.name, seconds=seconds,
        )  # fmt: skip
        print(
            printed_orders(
                full, believed.left_out, session=upcoming.session, version=champion.version,
                quoted=quoted, deadline=deadline.in_words, path=str(path),
            )
        )  # fmt: skip
        print(files)
        seal(in_the_shadow(morning, believed.price, rules, bankroll, settings.monitor))
    if unproven:
        notes.set_tags({Tags.RULES: "unproven"})
        print(verdicts.unproven_sentence(unproven))


def _now(given: datetime | None) -> pd.Timestamp:
    return clock.now() if given is None else pd.Timestamp(given)


if __name__ == "__main__":
    command("morning", run)
