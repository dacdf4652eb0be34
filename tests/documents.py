"""The commands that README and docs/ show, taken apart: stage, overrides, exit code."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.commands import translate
from pipeline.config.jobs import as_sweep, is_sweep, jobs_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(bash|cron)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
SCHEDULE = re.compile(r"^(\S+\s+){5}cd \S+ && ")
PROGRAMS = "mlflow|python|python3|daytrade|mkdocs|jupyter|pip|uv|rm"
RUN_OPTIONS = ("-e", "--env-manager", "--experiment-name")
ENVIRONMENTS = ("conda", "local", "uv", "virtualenv")


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it: one program with its words."""

    page: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def stage(self) -> str | None:
        """The entry point it runs, if any."""
        if self.words[:2] == ("mlflow", "run"):
            return self.words[self.words.index("-e") + 1]
        if self.words[0] == "daytrade":
            return self.words[1]
        if self.words[:2] == ("python", "-m") and self.words[2].startswith("pipeline.stages."):
            return self.words[2].rpartition(".")[2]
        return None

    @property
    def typed(self) -> list[str]:
        """Words that the stage is called with; `mlflow run` hands parameters over as flags."""
        if self.words[0] != "mlflow":
            return list(self.words[2 if self.words[0] == "daytrade" else 3 :])
        assert self.words[2] == ".", self
        handed, rest = [], list(self.words[3:])
        while rest:
            option, value = rest.pop(0), rest.pop(0)
            if option == "-P":
                name, _, given = value.partition("=")
                handed += [f"--{name}", given]
            else:
                assert option in RUN_OPTIONS, f"{self}: {option}"
                assert option != "--env-manager" or value in ENVIRONMENTS, self
        return handed

    @property
    def parameters(self) -> list[str]:
        """Names given by ``-P``."""
        given = zip(self.words, self.words[1:], strict=False)
        return [value.partition("=")[0] for option, value in given if option == "-P"]

    @property
    def jobs(self) -> list[list[str]]:
        """Overrides of each job: one, or as many as ``-m`` makes."""
        words = [word for word in translate(self.typed) if word != "--cfg=job"]
        words = as_sweep(words)
        return [list(job) for job in jobs_of(words)] if is_sweep(words) else [words]


def shown(page: Path) -> Iterator[Shown]:
    """Every command of a page: lines of its blocks, and code between words that is one."""
    text = page.read_text()
    for _, block in FENCE.findall(text):
        for line in block.replace("\\\n", " ").splitlines():
            yield from _programs(page, line)
    for span in SPAN.findall(FENCE.sub("", text)):
        if re.match(rf"({PROGRAMS}) \S", span.replace("\\|", "|")) and "..." not in span:
            yield from _programs(page, span.replace("\\|", "|"))


def _programs(page: Path, line: str) -> Iterator[Shown]:
    line = SCHEDULE.sub("", line.strip())
    for part in line.split(" && "):
        words = shlex.split(part.partition(" >> ")[0], comments=True)
        if words[:2] == ["flock", "-n"]:
            words = words[3:]
        while words and re.match(r"[A-Z_]+=", words[0]):
            words = words[1:]
        if words and words[0] not in (".", "export"):
            yield Shown(page.name, (Path(words[0]).name, *words[1:]))


def everything() -> list[Shown]:
    """All commands of all pages, each once."""
    return list(dict.fromkeys(command for page in PAGES for command in shown(page)))


def handbook() -> list[tuple[list[str], int]]:
    """Overrides, the stage first, and documented exit code of each line of the old handbook."""
    lines = []
    for line in (ROOT / "docs" / "handbook.md").read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[2].isdigit():
            found = [Shown("handbook.md", tuple(shlex.split(s))) for s in SPAN.findall(cells[1])]
            lines += [([str(each.stage), *each.typed], int(cells[2])) for each in found]
    return lines


def entry_points() -> dict[str, dict]:
    """Entry points of MLproject by name."""
    return dict(yaml.safe_load((ROOT / "MLproject").read_text())["entry_points"])


ONLY_COMPOSED = {
    "data=yfinance": "asks Yahoo; its answers are played in tests/io/sources/test_yahoo.py",
    "PRICES": "needs years of prices, which are not part of the repository",
    "db.example.com": "needs a server of that name; tests/stages/test_postgres.py starts one",
    "store=postgres": "needs a server; tests/stages/test_postgres.py starts one",
    "tracking=server": "needs a server; tests/stages/test_server.py starts one",
    "mlflow server": "never ends; tests/stages/test_server.py starts one",
    "-e ui": "never ends; tests/stages/test_passwords.py starts it",
    "-e serve": "never ends; tests/soak/test_serve.py starts it",
    "mkdocs serve": "never ends; .ci/run builds the pages",
    "-e test": "these tests",
    "python3 -m venv": "makes an environment; .ci/run does",
    "pip install": "changes the environment; .ci/run does",
    "--env-manager uv": "makes an environment from a registry",
    "--env-manager virtualenv": "makes an environment from a registry",
    "rm -r": "removes what is there",
    ".ci/figures.py": "writes pages anew after minutes",
    ".ci/screenshots.py": "writes pictures anew, in a browser",
    "tests.soak.": "a measurement of minutes to hours",
    "tests/soak/": "a measurement of minutes to hours",
    "tests.benchmarks.": "a measurement of minutes to hours",
    "tests/benchmarks/": "a measurement of minutes to hours",
}
"""What a page shows and no test runs as it stands: part of the command, and why."""


def reason_not_run(command: Shown) -> str | None:
    """Why no test runs it; None: one does."""
    text = " ".join(command.words)
    return next((why for part, why in ONLY_COMPOSED.items() if part in text), None)
