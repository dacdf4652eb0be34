"""Where the project lies, and paths that begin there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator

from pipeline.secrets import masked

ROOT = Path(__file__).resolve().parents[1]
"""Folder of MLproject; relative paths of the configuration start here."""

CONFIG = ROOT / "conf"
ARTIFACTS = ROOT / "artifacts"


def _under_root(value: object) -> object:
    if isinstance(value, str) and "://" in value:
        raise ValueError(f"{masked(value)} is an address, a path of this machine is needed")
    return ROOT / Path(value).expanduser() if isinstance(value, str) and value else value


ProjectPath = Annotated[Path, BeforeValidator(_under_root)]
"""A path; a relative one starts at the root of the project, wherever the command was typed."""
