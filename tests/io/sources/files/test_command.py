"""Files through the real command: what it says, and that it reads nothing twice."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlparse

from tests.io.sources.files.hand_made import HEADER, rows, write
from tests.stages.conftest import Project


def test_ingest_tells_how_files_were_read_and_then_is_up_to_date(tmp_path: Path) -> None:
    write(tmp_path / "prices/ABC.csv", HEADER, *rows(), "2021-03-13,1,2,1,2,5")
    write(tmp_path / "prices/BAD.csv", "{", "}")
    project = Project(tmp_path)
    words = ("data=files", f"data.path={tmp_path / 'prices'}")
    said = project.python("ingest", *words).stdout
    for part in ("5 bars new", "ABC.csv: one symbol a file, dates: year first", "BAD.csv: no table",
                 "stocks quarantined: no session of XNYS 1 1"):  # fmt: skip
        assert part in " ".join(said.split()).replace("nothing was read from BAD.csv: ", "")
    metrics = project.newest("ingest").data.metrics
    assert metrics["ingest/rows"] == 5
    assert metrics["ingest/set_aside"] == 1
    logged = Path(unquote(urlparse(project.newest("ingest").info.artifact_uri).path))
    page = (logged / "data" / "quality.html").read_text()
    assert "<b>BAD.csv</b>" in page
    assert "no session of XNYS" in page
    again = project.python("ingest", *words).stdout
    assert "up to date" in again
    assert "nothing was read from BAD.csv" in again


def test_a_row_given_twice_is_kept_once_and_counted(tmp_path: Path) -> None:
    lines = rows()
    write(tmp_path / "prices/ABC.csv", HEADER, *lines, lines[1])
    project = Project(tmp_path)
    project.python("ingest", "data=files", f"data.path={tmp_path / 'prices'}")
    metrics = project.newest("ingest").data.metrics
    assert metrics["ingest/rows"] == 5
    assert metrics["ingest/quarantined/row given twice kept once"] == 1


def test_what_files_alone_understand_is_refused_elsewhere_and_a_path_is_needed(
    tmp_path: Path,
) -> None:
    project = Project(tmp_path)
    done = project.python("ingest", "data.day_first=true", "data.columns.close=Last", code=1)
    assert "data.day_first, data.columns.close: only with data=files" in done.stderr
    assert "data=files without data.path" in project.python("ingest", "data=files", code=1).stderr
