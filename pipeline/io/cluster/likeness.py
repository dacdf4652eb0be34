"""Whether a worker has the code and the versions of the process that sends it tasks."""

from __future__ import annotations

import hashlib
from importlib.metadata import version
from pathlib import Path

import pipeline

LIBRARIES = ("distributed", "lightgbm", "numpy", "pandas", "scikit-learn", "scipy")
"""Those whose versions may change a number."""


def fingerprint() -> dict[str, str]:
    """What a worker must have in common with the process that sends it tasks."""
    code = hashlib.sha256()
    root = Path(str(pipeline.__file__)).parent
    for file in sorted(root.rglob("*.py")):
        code.update(f"{file.relative_to(root)}\n".encode() + file.read_bytes())
    return {"pipeline": code.hexdigest()[:12], **{name: version(name) for name in LIBRARIES}}


def differences(here: dict[str, str], there: dict[str, str]) -> str:
    """What differs there, in words."""
    return ", ".join(
        f"{name} {there.get(name)} instead of {mine}"
        for name, mine in here.items()
        if there.get(name) != mine
    )
