"""The next sensible step after a retrain, in words with its command; force comes last."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.commands import Command
from pipeline.report.numbers import number

OTHER_SESSIONS = ("evaluation", "start_date", "end_date", "date", "retrain.start", "retrain.end")
"""Overrides that would cut a walk-forward short."""

OTHER_STAGES = ("promote", "signals", "status", "reproduce", "audit", "ui", "test", "indicators")
OF_THE_DATA = ("data", "universe", "store", "symbols", "tracking", "compute", "registry")

LONG_WINDOW_DAYS = 730
MIN_YEARS = 3.0
LONGER = (
    "on years outside its panel the 90-day window had rank IC 0.009 (t 1.7), "
    "experiment=history 0.018 (t 4.3)"
)
"""Measured on 500 large US stocks, see README."""


def walk_forward_command(given: Sequence[str]) -> Command:
    """A walk-forward of the recipe that these overrides describe, over all sessions.

    >>> walk_forward_command(["model=ridge", "evaluation=holdout", "end_date=2010-03-01"]).overrides
    ('model=ridge', 'evaluation=walk_forward')
    """
    same = [word for word in given if not _of(word, (*OTHER_SESSIONS, *OTHER_STAGES))]
    return Command("retrain", *same, "evaluation=walk_forward")


def history_command(given: Sequence[str]) -> Command:
    """The experiment of long windows, on the data that was chosen.

    >>> history_command(["data=files", "data.path=prices", "model=ridge"]).overrides
    ('experiment=history', 'data=files', 'data.path=prices')
    """
    return Command("retrain", "experiment=history", *(w for w in given if _of(w, OF_THE_DATA)))


OTHER_RECIPES = ("features=extended", "model=ridge", "features=classic")
"""What to try after a recipe that was rejected; the first that is not what was tried."""


def other_recipe_command(given: Sequence[str]) -> Command:
    """A walk-forward of another recipe, on the data that was chosen.

    >>> other_recipe_command(["data=files", "data.path=prices", "seed=3"]).overrides
    ('data=files', 'data.path=prices', 'features=extended', 'evaluation=walk_forward')
    >>> other_recipe_command(["features=extended"]).overrides
    ('model=ridge', 'evaluation=walk_forward')
    """
    other = next((word for word in OTHER_RECIPES if word not in given), OTHER_RECIPES[0])
    chosen = [word for word in given if _of(word, OF_THE_DATA)]
    return Command("retrain", *chosen, other, "evaluation=walk_forward")


def _of(word: str, sections: Sequence[str]) -> bool:
    """Whether an override is one of these keys or stands in a section of that name."""
    key = word.partition("=")[0].lstrip("+~").partition("@")[0]
    return any(key == name or key.startswith(f"{name}.") for name in sections)


def duration(seconds: float) -> str:
    """A time to wait, no finer than it is known.

    >>> [duration(s) for s in (3, 44, 200, 9000)]
    ['about 5 s', 'about 45 s', 'about 4 min', 'about 3 h']
    """
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    if seconds < 90 * 60:
        return f"about {-(-seconds // 60):.0f} min"
    return f"about {-(-seconds // 3600):.0f} h"


def is_longer_window_worth_it(years: float, window_days: int, *, expanding: bool) -> bool:
    """Whether to say what a longer window is worth: years are there, months are learned from."""
    return years >= MIN_YEARS and window_days < LONG_WINDOW_DAYS and not expanding


def after_quick_retrain(
    given: Sequence[str],
    *,
    seconds: float | None,
    refits: int,
    sessions: int,
    years: float,
    longer: bool,
) -> list[str]:
    """What to do after a retrain that was judged on one holdout.

    Parameters
    ----------
    given
        Overrides it was started with.
    seconds
        Expected of a walk-forward; None where it was not measured.
    refits, sessions
        Of a walk-forward over what the store holds; no refits where it holds too few sessions.
    years
        What the store holds.
    longer
        Whether a longer window is worth naming.
    """
    lines = []
    if refits:
        time = f", {duration(seconds)} here" if seconds is not None else ""
        lines += [
            f"Next: evidence by a walk-forward, {refits} refits over {sessions} sessions{time}:",
            f"  {walk_forward_command(given)}",
        ]
    else:
        lines += ["Next: more history, the store holds too few sessions for a walk-forward:"]
        lines += [f"  {Command('ingest')}"]
    if longer:
        lines += [
            f"The store holds {number(years, 0)} years; a longer window is worth more ({LONGER}):",
            f"  {history_command(given)}",
        ]
    return lines


def after_evidence(
    given: Sequence[str], verdict: str, reasons: Sequence[str], *, only_audit: bool = False
) -> list[str]:
    """What to do once a recipe has a walk-forward.

    Parameters
    ----------
    verdict, reasons
        Of the gates for it: "accepted", or what stands in the way in sentences.
    only_audit
        Nothing is in the way but an audit, which a promotion does by itself.
    """
    chosen = [word for word in given if _of(word, OF_THE_DATA)]
    if verdict == "accepted":
        return ["Next: it passes every gate:", f"  {Command('promote', *chosen)}"]
    why = [f"In the way of a promotion: {reason}" for reason in reasons]
    if only_audit:
        promote = Command("promote", *chosen)
        return [*why, "Next: a promotion, which audits it first:", f"  {promote}"]
    return [*why, "Next: another recipe, such as:", f"  {other_recipe_command(given)}"]


def after_earlier_evidence(given: Sequence[str], *, rejected: bool = False) -> list[str]:
    """What to do after a quick retrain of a recipe that has a walk-forward.

    Parameters
    ----------
    rejected
        Whether the gates rejected that walk-forward.
    """
    if rejected:
        why = "Next: the walk-forward of this recipe was rejected, so another one, such as:"
        return [why, f"  {other_recipe_command(given)}"]
    chosen = [word for word in given if _of(word, OF_THE_DATA)]
    why = "Next: this recipe has a walk-forward, so the gates can answer:"
    return [why, f"  {Command('promote', *chosen)}"]


def forced(version: str | int) -> Command:
    """The last resort: a person's decision against the gates."""
    return Command(
        "promote", f"promote.version={version}", "promote.force=true", "promote.reason='...'"
    )
