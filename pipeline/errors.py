"""Errors a user sees: who complains, what was found, what is needed, what to run next."""

from __future__ import annotations


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
    next_command
        The command to run next, or an empty string where none helps.
    """

    exit_code = 2
    verdict = "fault"

    def __init__(self, who: str, found: str, needed: str, next_command: str = "") -> None:
        self.who = who
        self.found = found
        self.needed = needed
        self.next_command = next_command
        super().__init__(who, found, needed, next_command)

    def __str__(self) -> str:
        lines = [f"{self.who}: {self.found}", f"  needed: {self.needed}"]
        if self.next_command:
            lines.append(f"  next:   {self.next_command}")
        return "\n".join(lines)


class InvalidSettings(PipelineError):
    """The composed configuration holds wrong keys or values."""

    verdict = "invalid settings"


class InvalidData(PipelineError):
    """A source delivered something that cannot be read without guessing."""


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
