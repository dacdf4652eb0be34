"""The test suite, in the project's environment."""

from __future__ import annotations

import shlex
import subprocess
import sys

from pipeline.config.settings import Settings
from pipeline.errors import PipelineError
from pipeline.paths import ROOT
from pipeline.stages._cli import command


def run(settings: Settings) -> None:
    """Run pytest; its own exit code decides."""
    words = shlex.split(settings.test.arguments)
    code = subprocess.call([sys.executable, "-m", "pytest", *words], cwd=ROOT)
    if code:
        raise PipelineError("test", f"pytest ended with {code}", "a green suite", "see above")


if __name__ == "__main__":
    command("test", run, tracked=False)
