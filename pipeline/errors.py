"""Errors a user sees: who complains, what was found, what is needed, what to run next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.commands import Command
from pipeline.secrets import masked

Next = str | Command | Sequence[str | Command]
"""What to run next: one command, or several of which each needs the one before to end well."""


@dataclass(frozen=True)
class Fault:
    """One wrong value: where it stands, what it is, what it should be.

    Examples
    --------
    >>> str(Fault("seed", "got -1", "Input should be greater than or equal to 0"))
    'seed: got -1; Input should be greater than or equal to 0'
    >>> str(Fault("backtest.sweep", "1,600 combinations", "at most 1,000"))
    'backtest.sweep: 1,600 combinations; at most 1,000'
    """

    key: str
    """Where it stands: a dotted key of the configuration, an override as it was typed, a file, a
    symbol, a gate; empty: the whole."""
    found: str
    """What it is; empty where that helps nobody."""
    needed: str = ""
    """What it should be; empty where `found` says it."""

    def __str__(self) -> str:
        text = "; ".join(part for part in (self.found, self.needed) if part)
        return masked(f"{self.key}: {text}" if self.key else text)

    def under(self, section: str) -> Fault:
        """The same fault with its key inside a section."""
        return replace(self, key=f"{section}.{self.key}" if self.key else section)


class PipelineError(Exception):
    """Root of every error the pipeline raises on purpose.

    Parameters
    ----------
    who
        The stage or part that complains, for example ``"retrain"``.
    found
        What was found.
    needed
        What is needed instead.
    next
        The command to run next, several of them, or an empty string where none helps.
    faults
        Where several were collected: every one, by file, symbol, gate or key. ``found`` may name
        fewer.
    """

    exit_code = 2
    verdict = "fault"
    keeps_overrides = True
    """Whether the next command is on the data that this one was given."""

    def __init__(
        self, who: str, found: str, needed: str, next: Next = "", *, faults: Iterable[Fault] = ()
    ) -> None:
        self.who = who
        self.found = found
        self.needed = needed
        self.next = next
        self.faults = tuple(faults)
        super().__init__(who, found, needed, next)

    def __reduce__(self) -> tuple[object, ...]:
        """Faults cross to another process too: they are no argument by place."""
        return (type(self), self.args, vars(self))

    @property
    def next_command(self) -> str:
        """The line to paste, in the form this process was started in."""
        steps = [self.next] if isinstance(self.next, str | Command) else self.next
        if self.keeps_overrides:
            steps = [each.with_given() if isinstance(each, Command) else each for each in steps]
        return " && ".join(map(str, steps))

    def __str__(self) -> str:
        lines = [f"{self.who}: {self.found}", f"  needed: {self.needed}"]
        if self.next_command:
            lines.append(f"  next:   {self.next_command}")
        return masked("\n".join(lines))


class InvalidSettings(PipelineError):
    """The composed configuration, or a part of it, holds wrong keys or values.

    Parameters
    ----------
    faults
        Every fault, of which ``found`` is made where it is left out.
    """

    exit_code = 1
    verdict = "invalid settings"
    keeps_overrides = False

    def __init__(
        self,
        who: str,
        found: str = "",
        needed: str = "other values",
        next: Next = "",
        *,
        faults: Iterable[Fault] = (),
    ) -> None:
        unique = tuple(dict.fromkeys(faults))
        super().__init__(who, found or "; ".join(map(str, unique)), needed, next)
        self.faults = unique or (Fault("", self.found, self.needed),)


class InvalidData(PipelineError):
    """A source delivered something that cannot be read without guessing."""


class Damaged(InvalidData):
    """A file of the project is not as it was written."""


class AllDamaged(Damaged):
    """Several kept things are not as they were written.

    Parameters
    ----------
    damages
        The error of each, with what heals it.
    """

    def __init__(
        self, who: str, found: str, needed: str, next: Next = "",
        *, damages: Iterable[PipelineError] = (),
    ) -> None:  # fmt: skip
        self.damages = tuple(damages)
        super().__init__(
            who, found, needed, next,
            faults=[Fault(each.who, each.found, each.needed) for each in self.damages],
        )  # fmt: skip


class StoreTooOld(PipelineError):
    """The store was written by another version of its schema."""


class Refused(PipelineError):
    """The request was understood and is not granted; a normal, explained outcome."""

    exit_code = 1
    verdict = "refused"


class NotReady(Refused):
    """Something that has to exist first is missing: data, a model, an alias."""

    verdict = "not ready"


class TooFewSessions(NotReady):
    """The window holds fewer sessions or rows than the calculation needs."""


class StoreLocked(NotReady):
    """Another process is writing to the same store."""
