"""What a process is and runs on, on any system."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from pipeline.contract import Tags
from pipeline.io import process
from pipeline.paths import ROOT


@pytest.mark.parametrize(("known", "expected"), [("a processor", "a processor"), ("", "arm64")])
def test_a_system_without_proc_tells_its_processor_or_its_architecture(
    monkeypatch: pytest.MonkeyPatch, known: str, expected: str
) -> None:
    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", missing)
    monkeypatch.setattr(platform, "processor", lambda: known)
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert process.environment(ROOT)[Tags.PROCESSOR] == expected
