from __future__ import annotations

from pipeline.io.files import quarantine_file


def test_damaged_files_are_kept_under_names_of_their_own(tmp_path):
    for text in ("one", "two"):
        (tmp_path / "study.log").write_text(text)
        quarantine_file(tmp_path / "study.log")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "study.log.damaged": "one",
        "study.log.damaged2": "two",
    }
