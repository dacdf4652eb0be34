"""All numbers and pictures of README and docs/, made again by one command.

    python -m tests.benchmarks.everything [--list] [--folder FOLDER] [WHAT ...] [PRICES=FILE ...]

Runs what `everything.yaml` beside this file declares, one after the other, each in a new clone of
the newest commit below FOLDER, and keeps what each prints in `docs/measurements.md` with the day,
the commit, the machine and its CPU seconds; others stay as they were. Words in capitals are given:
``PRICES=panel.parquet INDICES=indices.parquet TABLE=symbols.csv DATA=folder PYTHON=python``. What
needs one that is not given is named and left out. Parts of names choose some; ``--list`` says what
would run and how long it takes, and runs nothing. `.ci/figures.py`, the first of them, writes its
numbers and pictures into the pages itself; tables of the others are taken from what they print.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import resource
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from pipeline.io.files import write_atomically

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "measurements.md"
GIVEN = ("PRICES", "INDICES", "TABLE", "DATA", "PYTHON")
HEAD = """# When and how it was measured

All numbers and pictures of README and of these pages are made again by one command,
`python -m tests.benchmarks.everything`, and a part of them with its name behind it. `--list` says
what it runs and how long that takes. Prices of the large panel, which are not part of the
repository, are given as `PRICES=... INDICES=... TABLE=...`. Where an output stands below, that
command made it; the others were run by themselves, at the commit that is named or before it.
"""
MEASURED = re.compile(r"Measured (\S+) at commit (\w+), on ([^;]+); (?:(\d+) CPU seconds)?")


@dataclass(frozen=True)
class Measurement:
    """What measures a part of a page.

    Attributes
    ----------
    where
        Page of docs/ and its heading.
    commands
        As they are typed, all words but the given ones filled in.
    minutes
        Of CPU, where they are known.
    in_place
        Whether it writes pages itself, so that it runs here and not in a clone.
    """

    what: str
    where: str
    commands: Sequence[str]
    minutes: int | None = None
    in_place: bool = False

    @property
    def lacks(self) -> list[str]:
        """Given words that its commands have."""
        return [word for word in GIVEN if any(_has(each, word) for each in self.commands)]


def declared() -> list[Measurement]:
    """All of them, in the order of the pages."""
    content: dict[str, Any] = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text())
    return [
        Measurement(**each | {"commands": expanded(each["commands"], content["words"])})
        for each in content["measurements"]
    ]


def expanded(commands: Sequence[str], words: Mapping[str, str]) -> list[str]:
    """Commands with their words filled in, one for each choice.

    >>> expanded(["a <x|y> <1|2> B"], {"B": "b"})
    ['a x 1 b', 'a x 2 b', 'a y 1 b', 'a y 2 b']
    """
    made = []
    for command in commands:
        parts = re.split(r"<([^>]+)>", filled(command, words))
        choices = [part.split("|") if place % 2 else [part] for place, part in enumerate(parts)]
        made += ["".join(chosen) for chosen in product(*choices)]
    return made


def filled(command: str, words: Mapping[str, str]) -> str:
    """A command with its words in capitals replaced."""
    for name, value in words.items():
        command = re.sub(rf"\b{name}\b", value.replace("\\", r"\\"), command)
    return command


def _has(command: str, word: str) -> bool:
    return re.search(rf"\b{word}\b", command) is not None


def kept(page: str) -> dict[str, str]:
    """What a page holds of each measurement: when and where it was made, and its output.

    >>> kept("# All" + chr(10) + "## one" + chr(10) + "Measured now" + chr(10) + "## two")
    {'one': 'Measured now'}
    """
    parts = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    named = {
        part.partition("\n")[0]: re.search(r"^Measured .*", part, re.M | re.S) for part in parts
    }
    return {name: found[0].strip() for name, found in named.items() if found}


def rendered(measurements: Sequence[Measurement], known: Mapping[str, str]) -> str:
    """The page: a table of all, then each with its commands and what is known of it."""
    head = ["| numbers of | CPU minutes | measured | at commit |", "|---|---|---|---|"]
    sections = []
    for each in measurements:
        text = known.get(each.what, "Not measured by this command yet.")
        found = MEASURED.match(text)
        day, commit, _, seconds = found.groups() if found else ("", "", "", None)
        minutes = (
            f"{int(seconds) / 60:.1f}"
            if seconds
            else f"about {each.minutes}"
            if each.minutes
            else ""
        )
        where = f"[{each.what}]({each.where}) ([how](#{_anchor(each.what)}))"
        head.append(f"| {where} | {minutes} | {day} | {commit} |")
        commands = "\n".join(each.commands)
        sections.append(f"## {each.what}\n\n```text\n{commands}\n```\n\n{text}\n")
    return "\n".join([HEAD, *head, "", *sections])


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def run(measurement: Measurement, given: Mapping[str, str], folder: Path) -> tuple[str, bool]:
    """Its text for the page, made now; whether every command ended with 0, or 1 as an answer."""
    clone = ROOT
    if not measurement.in_place:
        clone = folder / _anchor(measurement.what) / "daytrade"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    commit = _git("rev-parse", "--short", "HEAD")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    before, lines, well = _cpu(), [], True
    for command in measurement.commands:
        typed = filled(command, {**given, "OUT": str(clone.parent / "out")})
        words = [sys.executable if word == "python" else word for word in shlex.split(typed)]
        done = subprocess.run(
            words, cwd=clone, env=environment | {"PYTHONPATH": str(clone)},
            text=True, stdout=subprocess.PIPE,
        )  # fmt: skip
        well = well and done.returncode in (0, 1)
        lines += [f"$ {command}", *done.stdout.strip().splitlines()]
        lines += [f"(exit code {done.returncode})"] if done.returncode else []
    here = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    measured = (
        f"Measured {date.today()} at commit {commit}, on {here}; {_cpu() - before:.0f} CPU seconds."
    )
    output = "\n".join(lines).replace(str(folder), "FOLDER")
    return f"{measured}\n\n```text\n{output}\n```", well


def _git(*words: str) -> str:
    return subprocess.run(
        ["git", *words], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout.strip()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(words: Sequence[str]) -> int:
    """Measure what is requested; 0 where all of it ended well."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("words", nargs="*", metavar="WHAT or PRICES=FILE")
    parser.add_argument("--list", action="store_true", help="only say what would run")
    parser.add_argument("--folder", type=Path, help="where clones are made and kept")
    options = parser.parse_intermixed_args(words)
    given = dict(word.split("=", 1) for word in options.words if word.partition("=")[0] in GIVEN)
    given = {k: str(Path(v).absolute()) if Path(v).exists() else v for k, v in given.items()}
    names = [word for word in options.words if "=" not in word]
    everything, well = declared(), True
    chosen = [e for e in everything if not names or any(name in e.what for name in names)]
    if not chosen:
        parser.error(f"none of {', '.join(each.what for each in everything)} is requested")
    with tempfile.TemporaryDirectory() as own:
        for each in chosen:
            lacking = [word for word in each.lacks if word not in given]
            minutes = f"about {each.minutes} CPU minutes" if each.minutes else "not timed yet"
            print(f"{each.what}: {minutes}, {len(each.commands)} commands", end="")
            print(f"; left out, needs {', '.join(lacking)}" if lacking else "", flush=True)
            if options.list or lacking:
                continue
            text, ended = run(each, given, (options.folder or Path(own)).absolute())
            well = well and ended
            page = rendered(everything, kept(PAGE.read_text()) | {each.what: text})
            write_atomically(PAGE, partial(Path.write_text, data=page))
            print(text, flush=True)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
