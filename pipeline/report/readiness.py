"""What is there, what is missing, and the one command to run next."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.commands import Command
from pipeline.contract import Metrics
from pipeline.errors import Damaged, NotReady
from pipeline.report.text_tables import wrapped


@dataclass(frozen=True)
class Line:
    """One thing that has to be there.

    Attributes
    ----------
    blocks
        Whether a retrain is impossible without it.
    next
        The command that helps, where it is not there.
    damage
        What the command ends with: it is not as it was written.
    """

    name: str
    there: bool
    text: str
    next: Command | None
    blocks: bool = False
    damage: Damaged | None = None


@dataclass(frozen=True)
class Readiness:
    """All lines of a status, in the order of the work."""

    lines: Sequence[Line]

    @property
    def missing(self) -> list[Line]:
        """What is not there."""
        return [line for line in self.lines if not line.there]

    @property
    def is_ready(self) -> bool:
        """Whether a retrain is possible."""
        return not any(line.blocks for line in self.missing)

    @property
    def next_command(self) -> Command:
        """What helps the first thing that is missing; with all there, the signals."""
        helps = (line.next for line in self.missing if line.next)
        return next(helps, Command("signals")).with_given()

    @property
    def metrics(self) -> dict[str, float]:
        """``status/*``: 1 for what is there, 0 for what is not."""
        return {f"{Metrics.STATUS}{line.name}": float(line.there) for line in self.lines}

    def printed(self, closed: Sequence[str]) -> str:
        """The table for people.

        Parameters
        ----------
        closed
            Runs of dead processes that were closed before.
        """
        width = max(len(line.name) for line in self.lines)
        table = [
            wrapped(
                f"{'yes' if line.there else 'NO '}  {line.name:<{width}}  {line.text}", width + 7
            )
            for line in self.lines
        ]
        killed = [f"closed {len(closed)} runs of dead processes as KILLED"] if closed else []
        return "\n".join(["", *table, *killed, "", f"Next: {self.next_command}"])

    def as_json(self) -> str:
        """The same for machines."""
        lines = [_plain(line) for line in self.lines]
        content = {"ready": self.is_ready, "next": str(self.next_command), "lines": lines}
        return json.dumps(content, indent=1)

    def require_retrain(self) -> None:
        """Refuse where a retrain is impossible.

        Raises
        ------
        NotReady
            With the first thing that is missing.
        """
        if not self.is_ready:
            raise NotReady(
                "status", "not ready to retrain", self.missing[0].text, self.next_command
            )


def _plain(line: Line) -> dict[str, object]:
    content = {name: getattr(line, name) for name in ("name", "there", "text", "blocks")}
    return {**content, "next": str(line.next or "")}
