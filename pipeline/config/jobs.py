"""The jobs of a sweep: every combination of the values that its overrides list."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser

from pipeline.config.compose import hydra_words

SWEEP_FLAGS = frozenset({"-m", "--multirun"})
SEVERAL_UNIVERSES = re.compile(r"universe=[^'\"\[{]+,.+")
"""Universes side by side need no flag: a universe is never two at once."""


def as_sweep(words: Sequence[str]) -> list[str]:
    """The words with ``-m`` before them where they name several universes.

    >>> as_sweep(["universe=us,eu", "seed=7"]), as_sweep(["universe=us"])
    (['-m', 'universe=us,eu', 'seed=7'], ['universe=us'])
    """
    if any(map(SEVERAL_UNIVERSES.fullmatch, words)) and not is_sweep(words):
        return ["-m", *words]
    return list(words)


def is_sweep(words: Sequence[str]) -> bool:
    """Whether the words ask for a job of each combination."""
    return not SWEEP_FLAGS.isdisjoint(words)


def jobs_of(words: Sequence[str]) -> list[tuple[str, ...]]:
    """Overrides of each job, the last one that has several values changing first.

    >>> jobs_of(["-m", "universe=us,eu", "hpo=none"])
    [('universe=us', 'hpo=none'), ('universe=eu', 'hpo=none')]

    Raises
    ------
    HydraException
        A word is none of Hydra's grammar.
    """
    overrides = [word for word in hydra_words(words) if not word.startswith("-")]
    values = [
        [f"{parsed.get_key_element()}={value}" for value in parsed.sweep_string_iterator()]
        if parsed.is_sweep_override()
        else [typed]
        for typed, parsed in zip(
            overrides, OverridesParser.create().parse_overrides(overrides), strict=True
        )
    ]
    return list(itertools.product(*values))
