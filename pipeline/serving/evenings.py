"""Every evening's forecasts, kept before it is known how they come: champion, shadows, baseline."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd
from pydantic_core import to_jsonable_python

from pipeline.contract import Aliases, LifeTags, Tags
from pipeline.errors import Refused
from pipeline.io import calendar, clock
from pipeline.io.tracking import life, registry
from pipeline.io.tracking.ledger import note_head
from pipeline.io.tracking.recipes import recorded_content, recorded_rules
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.chain import LIVE, REPLAY, Evening, Sealed
from pipeline.monitor.health import Thresholds
from pipeline.monitor.orders import SealedOrders
from pipeline.recipe.decision import IndicatedOpen
from pipeline.schemas import SYMBOL
from pipeline.serving import versions
from pipeline.serving.freshness import SignalSession
from pipeline.trading.rules import Rules
from pipeline.workspace import Workspace

log = logging.getLogger("pipeline.signals")

TRADED, STOPPED, SHADOW = "traded", "stopped", "shadow"
CHAMPION, CHALLENGER, BASELINE = "champion", "challenger", "baseline"
RIDGE = "ridge of "
"""Start of the baseline's name; the version on whose window it is fitted follows."""

Made = tuple[Evening, pd.Series]


@dataclass(frozen=True)
class ChampionEvening:
    """What the champion forecast, by symbol, and the orders that came of it."""

    version: ModelVersion
    forecasts: pd.Series
    orders: SealedOrders
    state: str


def keep(
    workspace: Workspace,
    upcoming: SignalSession,
    champion: ChampionEvening | None,
    rules: Rules,
    bankroll: float,
    thresholds: Thresholds,
) -> list[Sealed]:
    """Seal the forecasts of everybody for a session; what cannot forecast is left out by name.

    Parameters
    ----------
    champion
        None: there is none, or it decides in the morning; the others are kept all the same.
    rules, bankroll
        Of the champion; others are traded by the rules of their own recipes.
    """
    made: list[Made] = []
    entries = Entries(workspace, upcoming, bankroll)
    if champion is not None:
        made.append(
            entries.made(champion.version.version, champion.forecasts, rules, role=CHAMPION,
                      state=champion.state, digest=digest_of(champion.version),
                      orders=champion.orders.text())
        )  # fmt: skip
    others = list(shadows(champion.version if champion else None, thresholds.shadow_versions))
    for role, version in others:
        forecasts = _forecasts(workspace, version, upcoming)
        if forecasts is not None:
            its_rules = recorded_rules(version, rules)
            made.append(
                entries.made(version.version, forecasts, its_rules, role=role, state=SHADOW,
                          digest=digest_of(version))
            )  # fmt: skip
    model = champion.version if champion else others[0][1] if others else None
    if thresholds.baseline and model is not None:
        made += _baseline(entries, model, recorded_rules(model, rules), thresholds)
    return seal(workspace, made, "signals")


def seal(workspace: Workspace, made: Sequence[Made], who: str) -> list[Sealed]:
    """Append entries to the ledger and note its head on this stage's run; nothing where none is."""
    if not made:
        return []
    with workspace.store.writer(who):
        entries = workspace.store.append_evenings(made)
    note_head(workspace.store.store_id, workspace.store.evenings()[-1])
    return entries


def shadows(champion: ModelVersion | None, earlier: int) -> Iterator[tuple[str, ModelVersion]]:
    """Challenger, earlier champions, and earlier challengers that never were champion.

    Parameters
    ----------
    earlier
        How many of the earlier ones of either kind, the newest first.
    """
    known = {str(version.version): version for version in registry.versions()}
    seen = {str(champion.version)} if champion else set()
    challenger = registry.holder(Aliases.CHALLENGER)
    if challenger is not None and str(challenger.version) not in seen:
        seen.add(str(challenger.version))
        yield CHALLENGER, challenger
    promoted = list(dict.fromkeys(str(event.version) for event in reversed(life.events())))
    challenged = [
        n for n, v in known.items() if LifeTags.CHALLENGED in v.tags and n not in promoted
    ]
    for numbers in (promoted, challenged):
        left = [number for number in numbers if number in known and number not in seen]
        for number in left[: max(earlier, 0)]:
            yield SHADOW, known[number]


@dataclass(frozen=True)
class Entries:
    """What all entries of an evening have in common."""

    workspace: Workspace
    upcoming: SignalSession
    bankroll: float

    def made(
        self,
        model: str | int,
        forecasts: pd.Series,
        rules: Rules,
        *,
        role: str,
        state: str,
        digest: str,
        orders: str = "[]",
        until: pd.Timestamp | None = None,
    ) -> Made:
        """One entry with its forecasts; made after `until` (the open), it is a replay."""
        store, session = self.workspace.store, self.upcoming.session
        moment = clock.now()
        opens = until or calendar.opening(self.workspace.exchange_calendar, session)
        evening = Evening(
            session=f"{session:%Y-%m-%d}",
            model=str(model),
            role=role,
            kind=LIVE if moment < opens else REPLAY,
            unseen=bool(store.sessions()[-1] < session),
            made_at=clock.as_text(moment),
            data_until=f"{self.upcoming.needed:%Y-%m-%d}",
            revision=store.revision(),
            digest=digest,
            state=state,
            rules=json.dumps(to_jsonable_python(rules), sort_keys=True),
            bankroll=self.bankroll,
            orders=orders,
        )
        return evening, forecasts.dropna()


def _forecasts(
    workspace: Workspace, version: ModelVersion, upcoming: SignalSession
) -> pd.Series | None:
    """Of a version that learned from earlier sessions only and serves here; else None, said.

    One that decides on the indicated open knows nothing in the evening that it would decide by.
    """
    if versions.trained_until(version) >= upcoming.session:
        return None
    if decides_in_the_morning(version):
        log.info(
            "signals: version %s decides on the indicated open: no forecast in the evening",
            version.version,
        )
        return None
    try:
        sessions = pd.DatetimeIndex([upcoming.session])
        predicted = versions.predicted_now(workspace, version, sessions, "signals")
    except Refused as refusal:
        log.info("signals: version %s forecasts nothing: %s", version.version, refusal.found)
        return None
    return None if predicted.empty else predicted["prediction"].droplevel(0)


def decides_in_the_morning(version: ModelVersion) -> bool:
    """Whether a version needs the indicated opens to forecast."""
    return isinstance(versions.decision_of_version(version)[0], IndicatedOpen)


def _baseline(
    entries: Entries, model: ModelVersion, rules: Rules, thresholds: Thresholds
) -> Iterator[Made]:
    """A ridge that is fitted on the window of a version, from the store as it is now."""
    from pipeline.learning.baselines import baselines
    from pipeline.learning.dataset import digest
    from pipeline.learning.targets import Target

    workspace, session = entries.workspace, entries.upcoming.session
    content = recorded_content(model)
    if "target" not in content or versions.trained_until(model) >= session:
        return
    if decides_in_the_morning(model):
        return
    try:
        columns = list(versions.check_serves(workspace, model, "signals"))
        learned = learned_sessions(workspace, model, thresholds.drift_training_sessions)
        rows = workspace.snapshots(pd.DatetimeIndex([session]), columns)
        dataset = workspace.dataset(learned, columns)
    except Refused as refusal:
        log.info("signals: no baseline: %s", refusal.found)
        return
    ridge = baselines(dataset, rows, Target.model_validate(content["target"]))["ridge"]
    forecasts = ridge.droplevel(0).rename_axis(SYMBOL)
    name = f"{RIDGE}{model.version}"
    yield entries.made(name, forecasts, rules, role=BASELINE, state=SHADOW, digest=digest(dataset))


def learned_sessions(workspace: Workspace, version: ModelVersion, newest: int) -> pd.DatetimeIndex:
    """The newest sessions of the window that a version was fitted on, with snapshots here."""
    until = versions.trained_until(version)
    sessions = workspace.snapshot_sessions()
    sessions = sessions[sessions <= until]
    days = recorded_content(version).get("window_days")
    if isinstance(days, int):
        sessions = sessions[sessions > until - pd.Timedelta(days=days)]
    return sessions[-newest:]


def digest_of(version: ModelVersion) -> str:
    """Of the files of its model."""
    return version.tags.get(Tags.FILES_DIGEST, "")
