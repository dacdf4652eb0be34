"""The command to run next, in the form the user is in: what is printed can be pasted."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pipeline.secrets import masked

RUN_ID = "MLFLOW_RUN_ID"
"""Variable by which `mlflow run` hands a process the run it opened for it."""

CONSOLE_NAME = "DAYTRADE_CONSOLE"
"""Variable that the console command leaves for the stage it starts."""

ENV_ROOT = "MLFLOW_ENV_ROOT"
MADE_BY_MLFLOW = re.compile(r"mlflow-[0-9a-f]{40}(-[0-9a-f]{40})?")
"""Name of an environment that `mlflow run` made."""


class Form(Enum):
    """How the stages of this project are started here; the value is MLflow's ``--env-manager``."""

    CONDA = "conda"
    """The default of MLproject, which needs no flag."""
    LOCAL = "local"
    UV = "uv"
    VIRTUALENV = "virtualenv"
    DIRECT = "direct"
    """``python -m``, without MLflow."""
    CONSOLE = "daytrade"
    """The command that ``pip install -e .`` makes."""


def detect(environment: Mapping[str, str], prefix: Path) -> Form:
    """The form a process was started in.

    Parameters
    ----------
    environment
        Its environment variables at the start, before MLflow takes the run's id out.
    prefix
        Its ``sys.prefix``.
        Of the environments that ``mlflow run`` makes names and places are known.
    """
    if not environment.get(RUN_ID):
        return Form.CONSOLE if environment.get(CONSOLE_NAME) else Form.DIRECT
    if not MADE_BY_MLFLOW.fullmatch(prefix.name):
        return Form.LOCAL
    if (prefix / "conda-meta").is_dir():
        return Form.CONDA
    default = Path(environment.get("HOME", "~")).expanduser() / ".mlflow" / "envs"
    root = Path(environment.get(ENV_ROOT) or default)
    if prefix.resolve().parent != root.resolve():
        return Form.LOCAL
    return Form.UV if _made_by_uv(prefix) else Form.VIRTUALENV


def _made_by_uv(prefix: Path) -> bool:
    try:
        lines = (prefix / "pyvenv.cfg").read_text().splitlines()
    except OSError:
        return False
    return any(line.partition("=")[0].strip() == "uv" for line in lines)


_current = Form.CONDA
_given: tuple[str, ...] = ()


def use(form: Form, given: Sequence[str] = ()) -> None:
    """Print every command of this process in this form; it was started with these overrides."""
    global _current
    _current = form
    use_overrides(given)


def form() -> Form:
    """The form that commands are printed in."""
    return _current


def use_overrides(given: Sequence[str]) -> None:
    """What `given` answers from now on: the jobs of a sweep have overrides of their own."""
    global _given
    _given = tuple(masked(word) for word in given if not word.startswith("-"))


def given() -> tuple[str, ...]:
    """The overrides this process was started with, without what addresses hold of secrets."""
    return _given


RANGES = ("date", "start_date", "end_date", "exchange")
OF_ONE_STAGE = (
    "promote", "signals", "morning", "status", "reproduce", "audit", "predict", "reconcile",
    "quarantine", "serve", "ui", "test", "retrain", "backtest", "indicators", "hydra",
)  # fmt: skip
"""Sections of the configuration that one stage reads."""

WITHOUT_DATA = ("ui", "test")
WRITTEN = re.compile(r"^\s*next:|mlflow run |python -m pipeline|\bdaytrade [a-z]")
"""Where a text holds one, or what to run next."""


def _key(word: str) -> str:
    """Of an override, such as ``data`` of ``data=files``."""
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def _is_of(word: str, sections: Sequence[str]) -> bool:
    """Whether an override is one of these keys or stands in a section of that name."""
    return any(_key(word) == name or _key(word).startswith(f"{name}.") for name in sections)


@dataclass(frozen=True, init=False)
class Command:
    """A stage to run, with what to run it with; ``str()`` is a line for a POSIX shell.

    Parameters
    ----------
    stage
        An entry point of MLproject.
    overrides
        Overrides in Hydra's syntax (see `override` for values that need its quotes), or flags.
    named
        Parameters that MLproject declares for the stage beside ``overrides``; an empty value
        means not given.

    Examples
    --------
    >>> command = Command("features", "universe=sp500", "symbols=[A, B]", date="2024-07-01")
    >>> print(command)
    mlflow run . -e features -P date=2024-07-01 -P overrides="universe=sp500 symbols='[A, B]'"
    >>> print(command.render(Form.LOCAL))  # doctest: +ELLIPSIS
    mlflow run . -e features --env-manager local -P date=2024-07-01 -P overrides=...
    >>> print(command.render(Form.DIRECT))
    python -m pipeline.stages.features date=2024-07-01 universe=sp500 symbols="[A, B]"
    >>> print(command.render(Form.CONSOLE))
    daytrade features date=2024-07-01 universe=sp500 symbols="[A, B]"
    """

    stage: str
    overrides: tuple[str, ...]
    named: tuple[tuple[str, str], ...]

    def __init__(self, stage: str, *overrides: str, **named: str) -> None:
        object.__setattr__(self, "stage", stage)
        object.__setattr__(self, "overrides", overrides)
        given = tuple((name, str(value)) for name, value in named.items() if value)
        object.__setattr__(self, "named", given)

    def __str__(self) -> str:
        return masked(self.render(_current))

    def with_given(self) -> Command:
        """The same on the data and by the recipe of this process: with the overrides it was given.

        Left out are those that the command has its own words for, ranges of sessions, and the
        sections of other stages.

        >>> use_overrides(["data=files", "data.path=px", "date=2024-07-01", "signals.bankroll=1"])
        >>> Command("promote", "promote.version=3").with_given().overrides
        ('promote.version=3', 'data=files', 'data.path=px')
        >>> Command("retrain", "data=sample").with_given().overrides
        ('data=sample',)
        >>> use_overrides([])
        """
        if self.stage in WITHOUT_DATA:
            return self
        named = [_key(word) for word in self.overrides]
        others = [*RANGES, *(section for section in OF_ONE_STAGE if section != self.stage)]
        inherited = [word for word in _given if not _is_of(word, [*named, *others])]
        return Command(self.stage, *self.overrides, *inherited, **dict(self.named))

    def render(self, form: Form) -> str:
        """The command in a form of one's choice."""
        named = [f"{name}={value}" for name, value in self.named]
        if form in (Form.DIRECT, Form.CONSOLE):
            module = "python -m pipeline.stages."
            start = f"{module if form is Form.DIRECT else 'daytrade '}{self.stage}"
            return " ".join([start, *map(_quoted, [*named, *self.overrides])])
        start = f"mlflow run . -e {self.stage}"
        if form is not Form.CONDA:
            start += f" --env-manager {form.value}"
        parameters = [*map(_quoted, named), *self._overrides_parameter()]
        return " ".join([start, *(f"-P {word}" for word in parameters)])

    def _overrides_parameter(self) -> list[str]:
        """One plain override goes by itself; MLflow hands several over as one string."""
        if not self.overrides[1:] and all(map(PLAIN_OVERRIDE.fullmatch, self.overrides)):
            return list(self.overrides)
        ways = (" ".join(_quoted(word, prefer) for word in self.overrides) for prefer in "'\"")
        return [min((_quoted(f"overrides={way}") for way in ways), key=len)]


def override(key: str, value: object) -> str:
    """``key=value`` for Hydra, the value in quotes where its grammar would not take it bare.

    >>> override("data.path", "prices/daily.csv")
    'data.path=prices/daily.csv'
    >>> print(override("data.path", "it's here, all of it"))
    data.path="it's here, all of it"
    """
    text = str(value)
    if not isinstance(value, str | Path) or _stands_bare(text):
        return f"{key}={text}"
    quote = '"' if "'" in text else "'"
    # A backslash is itself, but before a quote, the end or ${, which is an interpolation.
    inner = re.sub(rf"(\\*)({quote}|$)", lambda m: m[1] * 2 + (f"\\{quote}" if m[2] else ""), text)
    inner = re.sub(r"(\\*)\$\{", lambda m: m[1] * 2 + "\\${", inner)
    return f"{key}={quote}{inner}{quote}"


def _stands_bare(text: str) -> bool:
    """Whether Hydra reads a text without quotes as just that text, no number and no null."""
    meant = text.lower() in ("null", "true", "false", "inf", "nan")
    return not meant and re.fullmatch(r"[a-z_./][\w./:%-]*[a-z_/]", text, re.A | re.I) is not None


def _quoted(word: str, prefer: str = '"') -> str:
    """One word of a POSIX shell, in quotes no earlier than behind the sign of an assignment."""
    name, sign, value = word.partition("=")
    if sign and _is_plain(name):
        return f"{name}={_quoted_text(value, prefer)}" if value else word
    return _quoted_text(word, prefer)


def _quoted_text(text: str, prefer: str) -> str:
    """The shortest of the ways to quote a text that a shell and `shlex` read alike."""
    if _is_plain(text):
        return text
    ways = {"either": shlex.quote(text)}
    if "'" not in text:
        ways["'"] = f"'{text}'"
    if not set("$`!") & set(text):  # `!` recalls an earlier line where people type
        ways['"'] = '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'
    return min(ways.items(), key=lambda way: (len(way[1]), way[0] != prefer))[1]


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[\w@%+=:,./-]+", text, re.ASCII) is not None


PLAIN_OVERRIDE = re.compile(r"(?!overrides=)[a-z_.]+=\w[\w./:]*", re.ASCII)
"""What `mlflow run -P` takes as it is, as a parameter that MLproject need not declare."""

FLAGS = {"-m", "--multirun", "--help", "-h", "--hydra-help", "--version", "--resolve", "-r"}
FLAGS_WITH_VALUE = {"--cfg", "-c", "--package", "-p", "--info", "-i"}


def translate(arguments: Sequence[str]) -> list[str]:
    """Arguments as MLflow passes them, as Hydra reads them: flags first, then overrides.

    `mlflow run -P` hands every value over as one argument: a named one as ``--name value``, where
    an empty value means not given, and ``--overrides`` as one string that is split like a shell
    does. ``overrides`` comes last, so it wins.

    Raises
    ------
    ValueError
        Where a quote in ``--overrides`` is never closed.

    Examples
    --------
    >>> translate(["--start_date", "", "--date", "2010-03-01", "--overrides", "seed=3 -m a='b c'"])
    ['-m', 'date=2010-03-01', 'seed=3', 'a=b c']
    """
    flags, named, overrides = _sorted(arguments)
    return flags + named + overrides


def _sorted(arguments: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
    """Flags with their values, named parameters as overrides, and overrides."""
    flags: list[str] = []
    named: list[str] = []
    overrides: list[str] = []
    rest = list(arguments)
    while rest:
        argument = rest.pop(0)
        if argument == "--overrides":
            inner = _sorted(shlex.split(rest.pop(0)) if rest else [])
            flags += inner[0]
            overrides += inner[1] + inner[2]
        elif argument in FLAGS_WITH_VALUE:
            flags.append("=".join([argument, *rest[:1]]))  # one word, so that none is an override
            del rest[:1]
        elif argument in FLAGS or argument.split("=")[0] in FLAGS_WITH_VALUE:
            flags.append(argument)
        elif argument.startswith("--"):
            value = rest.pop(0) if rest else ""
            named += [f"{argument[2:]}={value}"] if value else []
        else:
            overrides.append(argument)
    return flags, named, overrides
