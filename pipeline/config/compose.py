"""A command's words to checked settings: composed by Hydra, every fault named at once."""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from pydantic import ValidationError

from pipeline.aliases import renamed_overrides
from pipeline.commands import Command, override, translate
from pipeline.config.faults import invalid
from pipeline.config.sections import Named
from pipeline.config.settings import Settings
from pipeline.errors import Fault, InvalidSettings
from pipeline.gates.gates import Gates
from pipeline.paths import CONFIG

CONFIG_DIR = str(CONFIG)

DATA_KEY = re.compile(r"^data\.")
"""Added where the chosen source lacks the key: Hydra would only say that it is not in a struct, the
settings say of which source it is."""


UNKNOWN_KEY = "Could not override"
"""How Hydra begins about a key that is not in the configuration."""

BARE = re.compile(r"[A-Za-z0-9_./:+%@?|*\\ -]+")
"""What Hydra reads as a text without quotes."""


def compose(overrides: Sequence[str], name: str = "config") -> DictConfig:
    """The configuration of these overrides; what Hydra has open, as in a job of `-m`, stays so.

    Parameters
    ----------
    name
        A file of conf/; one of a group, as ``gates/strict``, is composed without the rest.
    """
    before = GlobalHydra.instance().hydra
    GlobalHydra.instance().clear()
    try:
        with hydra.initialize_config_dir(CONFIG_DIR, version_base="1.3"):
            return hydra.compose(name, hydra_words(overrides))
    finally:
        GlobalHydra.instance().hydra = before


def overridden_gates(gates: Gates) -> dict[str, str]:
    """What differs from the gates as their file has them, of ``Gates.overridden``."""
    return gates.overridden(shipped_gates(gates.name))


def shipped_gates(name: str | None) -> Gates | None:
    """The gates as their file has them, whatever a command overrides; None: there is no file."""
    if name is None:
        return None
    try:
        config = compose([], f"gates/{name}")
        return Gates.model_validate(OmegaConf.to_container(config.gates, resolve=True))
    except (HydraException, ValidationError):
        return None


def hydra_words(words: Iterable[str]) -> list[str]:
    """Words of a command line as Hydra is given them.

    >>> hydra_words(["-m", "data=files", "data.path=prices", "model.least_slope=0.1"])
    ['-m', 'data=files', '++data.path=prices', 'model.min_slope=0.1']
    >>> hydra_words(["data.decimal=,", "data.columns.close=收盘", "data.accept=[DHG]"])
    ["++data.decimal=','", "++data.columns.close='收盘'", '++data.accept=[DHG]']
    >>> hydra_words(["strategy.regime_positions={}"])
    ['strategy.regime_positions=null', 'strategy.regime_positions={}']
    """
    words = renamed_overrides(words)
    if not {"-m", "--multirun"} & set(words):  # there a comma stands between values
        words = [_literal(word) for word in words]
    words = [part for word in words for part in _emptied(word)]
    return [DATA_KEY.sub("++data.", word) for word in words]


def _emptied(word: str) -> list[str]:
    """A mapping that is to be empty is nothing before: Hydra would merge no key into it."""
    key, _, value = word.partition("=")
    is_emptied = value == "{}" and "." in key and not DATA_KEY.match(key)
    return [f"{key}=null", word] if is_emptied else [word]


def _literal(word: str) -> str:
    """A text of the data in quotes where Hydra's grammar would not take it: people type it bare."""
    key, sign, value = word.partition("=")
    is_bare = not value or BARE.fullmatch(value) or value[0] in "'\"[{" or "${" in value
    if not sign or not DATA_KEY.match(key) or is_bare:
        return word
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"{key}='{escaped}'"


def check(config: DictConfig) -> Settings:
    """Typed settings of a composed configuration; unknown symbols are faults like any other."""
    content = _plain(config)
    faults = [
        *_symbol_faults(content),
        *_sweep_faults(content),
    ]
    return Settings.from_config(content, faults)


def _plain(config: DictConfig) -> dict[str, Any]:
    plain = OmegaConf.to_container(config, resolve=True)
    assert isinstance(plain, dict)
    return {str(key): value for key, value in plain.items()}


def diagnosed(overrides: Sequence[str], error: Exception) -> InvalidSettings:
    """Every fault of overrides of which Hydra named the first: each is tried alone."""
    faults: list[Fault] = []
    composable: list[str] = []
    for word in overrides:
        try:
            compose([word])
            composable.append(word)
        except (HydraException, OmegaConfBaseException) as alone:
            faults.append(_fault_of(word, alone))
    if not faults:
        return invalid([_fault_of("", error)])
    try:
        check(compose(composable))
    except InvalidSettings as others:
        faults += others.faults
    except (HydraException, OmegaConfBaseException) as together:
        faults.append(_fault_of("", together))
    return invalid(faults)


def unclosed(stage: str, typed: Sequence[str]) -> InvalidSettings:
    """A quote that is never closed in ``--overrides``; most are apostrophes."""
    place = list(typed).index("--overrides") + 1
    odd: list[str] = []
    mended = translate([*typed[: place - 1], *typed[place + 1 :]])
    for word in typed[place].split():
        try:
            mended += shlex.split(word)
        except ValueError:
            odd.append(word)
            key, _, value = word.partition("=")
            opens = value[:1] in ("", "'", '"')  # what it would hold, nobody knows
            mended.append("" if opens else override(key, value))
    return InvalidSettings(
        "settings",
        f"overrides={typed[place]} has a quote that is never closed, in {' and '.join(odd)}",
        "quotes in pairs, and double quotes around a value with an apostrophe",
        Command(stage, *mended) if all(mended) else "",
    )


def _fault_of(word: str, error: Exception) -> Fault:
    """Hydra's words for it; of an unknown option the ones there are, and the nearest of them."""
    if isinstance(error, MissingConfigException) and error.options and error.missing_cfg_file:
        given = error.missing_cfg_file
        near = difflib.get_close_matches(given.rpartition("/")[2], error.options, 1, cutoff=0.0)
        options = ", ".join(sorted(error.options))
        return Fault(word, f"could not find {given!r}", f"one of {options}; nearest: {near[0]}")
    key, sign, value = word.partition("=")
    if str(error).startswith(UNKNOWN_KEY):
        near = difflib.get_close_matches(key, _keys(_plain(compose([]))), 1, cutoff=0.0)
        return Fault(word, f"there is no setting {key!r}", f"nearest: {near[0]}")
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    why = " ".join(line for line in lines[:4] if not line.startswith("full_key"))
    if sign and {"'", '"'} & set(value):
        return Fault(word, why, f"quotes in pairs, such as {override(key, value)}")
    return Fault(word, why)


def _keys(content: Mapping[str, Any], above: str = "") -> list[str]:
    """Every key with those it stands below."""
    keys: list[str] = []
    for name, value in content.items():
        keys.append(f"{above}{name}")
        keys += _keys(value, f"{above}{name}.") if isinstance(value, Mapping) else []
    return keys


def _symbol_faults(content: Mapping[str, Any]) -> list[Fault]:
    """Unknown symbols, reported beside all other faults as far as those let the source be read."""
    if not content.get("symbols") and not (content.get("universe") or {}).get("path"):
        return []
    from pipeline.config.symbols import unknown_symbols

    try:
        partial = {name: content[name] for name in ("data", "universe", "store", "symbols")}
        return unknown_symbols(Named.model_validate(partial))
    except ValidationError:
        return []


def _sweep_faults(content: Mapping[str, Any]) -> list[Fault]:
    if not (content.get("backtest") or {}).get("sweep"):
        return []
    from pipeline.config.sweep import faults

    return faults(content)
