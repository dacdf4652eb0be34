"""Hydra's compositions by a copy, for tests: it reads and merges some thirty files, 0.3 s.

The same files and groups give the same configuration. Hydra then sets the single keys of a command
in a copy of it: that and every check of a command's words run each time.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository

read, merged = ConfigRepository.load_config, ConfigLoaderImpl._compose_config_from_defaults_list
"""Hydra's own ways."""

_known: dict[Hashable, bytes] = {}


def _once(key: Hashable, make: Callable[[], Any]) -> Any:
    if key not in _known:
        _known[key] = pickle.dumps(make())
    return pickle.loads(_known[key])


def _stamp(repository: Any, name: str) -> Hashable:
    """Where Hydra looks for a file of its name, and when the one it finds was changed."""
    folders = [source.path for source in repository.get_sources() if source.scheme() == "file"]
    files = [Path(folder.removeprefix("file://")) / f"{name}.yaml" for folder in folders]
    return name, tuple((str(file), file.stat().st_mtime_ns) for file in files if file.exists())


def _read(repository: Any, config_path: str) -> Any:
    return _once(_stamp(repository, config_path), lambda: read(repository, config_path))


def _merged(loader: Any, defaults: Sequence[Any], repo: Any) -> Any:
    parts = [(_stamp(repo, part.config_path), part.package, part.primary) for part in defaults]
    return _once(tuple(parts), lambda: merged(loader, defaults, repo))


def by_copy() -> None:
    """From now on, in this process and those forked from it."""
    ConfigRepository.load_config = _read  # type: ignore[method-assign]
    ConfigLoaderImpl._compose_config_from_defaults_list = _merged  # type: ignore[method-assign]
