"""Signals: the champion's ranked trades for the next session, or a given one."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import pandas as pd

from pipeline.commands import Command, override
from pipeline.config import build
from pipeline.config.settings import Settings
from pipeline.contract import Aliases, Tables, Tags
from pipeline.errors import Refused
from pipeline.gates.proven import Traded
from pipeline.io import clock
from pipeline.io.tracking import champion as champion_moves
from pipeline.io.tracking import notes, registry, runs
from pipeline.io.tracking.signals import record_signals, record_watch_list, where_kept
from pipeline.monitor.health import Thresholds
from pipeline.report.morning import printed_watch_list
from pipeline.report.signals import printed_signals
from pipeline.serving import evenings, freshness, verdicts
from pipeline.serving.broker import withdraw_order_files, write_order_files
from pipeline.serving.morning import Morning
from pipeline.serving.morning_ledger import has_ordered
from pipeline.serving.signals import EveningOrders
from pipeline.stages._cli import command
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.signals")


def run(settings: Settings) -> None:
    """Rank, size and store the orders of whoever holds `champion` at this moment.

    What everybody forecast is sealed in the ledger, whether it is traded or not. Order files of an
    earlier run for the session go first: of a run that is refused, none are left to be sent. Those
    that `morning` wrote for the same champion stay: it decides on later news.
    """
    champion_moves.settle("signals")
    rules, chosen = build.rules(settings), settings.signals
    if registry.holder(Aliases.CHAMPION) is None:
        with _refusals_are_logged(), Workspace.open(settings) as workspace:
            _keep_shadows(workspace, rules, chosen.bankroll, settings.monitor)
    champion = registry.find(Aliases.CHAMPION, who="signals")
    traded_by = Traded(rules, chosen.bankroll, settings.regimes.limits.hash)
    unproven = verdicts.unproven_rules(champion, traded_by)
    with Workspace.open(settings) as workspace:
        upcoming = freshness.signal_session(workspace)
        stopped = verdicts.reasons_not_to_trade(champion, settings.monitor)
        by_open = evenings.decides_in_the_morning(champion)
        if stopped or not (by_open and has_ordered(workspace, champion, upcoming.session)):
            withdraw_order_files(workspace, upcoming.session, clock.now())
        if unproven and chosen.unproven_rules == "refuse":
            needed = "the rules of its recipe, or signals that are marked as unproven"
            raise verdicts.not_proven(champion, unproven, "signals", needed)
        late = freshness.stale_symbols(workspace, upcoming.needed, chosen.max_stale_fraction)
        if by_open:
            evenings.keep(workspace, upcoming, None, rules, chosen.bankroll, settings.monitor)
            if stopped:
                raise verdicts.not_traded(champion, stopped, "signals")
            _watch(
                Morning.of(workspace, champion, upcoming.session, "signals"), upcoming, late, rules
            )
            return
        evening = EveningOrders.of(workspace, champion, upcoming, rules, chosen.bankroll, late)
        if stopped:
            evening.without_orders().keep(evenings.STOPPED, settings.monitor)
            raise verdicts.not_traded(champion, stopped, "signals")
        evening.keep(evenings.TRADED, settings.monitor)
        files = write_order_files(workspace, evening.listed, upcoming.session, clock.now())[1]
        if (parts := evening.contributions()) is not None:
            runs.log_table(parts, Tables.CONTRIBUTIONS)
        database, snapshots = workspace.store.database.name, workspace.snapshot_store.folder
        summary = evening.summary(where_kept(database, snapshots, upcoming.needed))
    record_signals(summary, late, evening.candidates, settings.data.name)
    print(printed_signals(summary))
    print(files)
    if unproven:
        notes.set_tags({Tags.RULES: "unproven"})
        print(verdicts.unproven_sentence(unproven))


def _keep_shadows(
    workspace: Workspace, rules: Rules, bankroll: float, thresholds: Thresholds
) -> None:
    """Without a champion the others forecast all the same, where the data are there."""
    upcoming = freshness.signal_session(workspace)
    withdraw_order_files(workspace, upcoming.session, clock.now())
    evenings.keep(workspace, upcoming, None, rules, bankroll, thresholds)


@contextmanager
def _refusals_are_logged() -> Iterator[None]:
    try:
        yield
    except Refused as refusal:
        log.info("signals: nothing is kept of this evening: %s", refusal.found)


def _watch(
    morning: Morning, upcoming: freshness.SignalSession, late: pd.Series, rules: Rules
) -> None:
    """Of a champion that decides on the indicated open, the evening knows prices, not orders."""
    listed, version = morning.watch_list(rules), morning.champion.version
    source = morning.workspace.data_source
    record_watch_list(listed, upcoming.session, upcoming.needed, version, source)
    print(printed_watch_list(listed, upcoming.session, version, freshness.in_words(late)))
    print(f"In the morning: {Command('morning', override('morning.quotes', 'quotes.csv'))}")


if __name__ == "__main__":
    command("signals", run)
