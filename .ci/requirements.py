"""Writes requirements.txt and requirements-dev.txt from conda.yaml, the one list of versions."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HEADER = "# Made from conda.yaml by `python .ci/requirements.py`; change that file, not this one.\n"
DEVELOPMENT = "# development"


def requirements(conda_yaml: str) -> dict[str, str]:
    """Contents of the two files by name."""
    pins = conda_yaml.split("- pip:\n", 1)[1]
    runtime, development = pins.split(DEVELOPMENT, 1)
    return {
        "requirements.txt": HEADER + "\n".join(_listed(runtime)) + "\n",
        "requirements-dev.txt": HEADER
        + "-r requirements.txt\n"
        + "\n".join(_listed(development))
        + "\n",
    }


def _listed(block: str) -> list[str]:
    lines = (line.strip() for line in block.splitlines())
    return [line[2:] for line in lines if line.startswith("- ")]


if __name__ == "__main__":
    for name, content in requirements((ROOT / "conda.yaml").read_text()).items():
        (ROOT / name).write_text(content)
