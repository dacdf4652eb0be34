"""Errors that name several faults carry each of them, also those that their text leaves out."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from pipeline import errors
from pipeline.audit.checks import CheckResult, refusal
from pipeline.commands import Command
from pipeline.errors import Fault, PipelineError
from pipeline.io.cluster.jobs import Ended, JobsFailed
from pipeline.io.quotes import parsed
from pipeline.io.sources.bar_rules import require_symbols
from pipeline.io.sources.files.columns import fields
from pipeline.io.sources.files.numbers import _check_money
from pipeline.io.sources.files.refusals import nothing
from pipeline.io.sources.files.symbol_table import given_splits
from pipeline.io.sources.lists import Limit, read_list
from pipeline.io.sources.universe import read_universe
from pipeline.io.store.coverage import StaleResult, require_current
from pipeline.io.tracking.safe_models import listed
from pipeline.io.tracking.values import ModelVersion
from pipeline.monitor.reconcile import fills_of
from pipeline.serving.morning import Believed
from pipeline.serving.verdicts import not_proven, require_reason_for_gates

SOURCES = Path(__file__).resolve().parents[1] / "pipeline"
FILLS = "session,symbol,side,shares,price,fees\n"


def caught(call: Callable[[], object]) -> PipelineError:
    with pytest.raises(PipelineError) as raised:
        call()
    return raised.value


def raising(error: PipelineError) -> Callable[[], object]:
    def throw() -> None:
        raise error

    return throw


def written(folder: Path, text: str) -> Path:
    file = folder / "given.csv"
    file.write_text(text)
    return file


def keys(call: Callable[[], object]) -> list[str]:
    return [fault.key for fault in caught(call).faults]


def test_of_data_files_each_that_is_refused_and_each_rule() -> None:
    names = [f"{number}.csv" for number in range(7)]
    left_out = pd.DataFrame({"reason": ["high below low", "high below low"]})
    error = nothing(Path("prices"), dict.fromkeys(names, "no date"), left_out)
    assert "6.csv" not in error.found
    assert error.faults == (
        *(Fault(name, "no date") for name in names),
        Fault("2 bars", "high below low"),
    )


def test_of_symbols_each_that_is_none() -> None:
    names = ["A", *(f"={number}" for number in range(7))]
    assert keys(lambda: require_symbols(names)) == names[1:]


def test_of_columns_each_that_is_missing() -> None:
    names = ["date", "open", "high", "low"]
    assert keys(lambda: fields(names, {"close": "c", "volume": "v"}, "x")) == [
        "data.columns.close=c",
        "data.columns.volume=v",
    ]
    assert keys(lambda: fields(names[:3], {}, "x")) == ["data.columns.low", "data.columns.close"]
    assert keys(lambda: parsed("symbol\n", "x", "UTC")) == ["price", "time"]
    assert keys(lambda: fills_of("session,symbol,side,price\n", "x")) == ["shares", "fees"]


def test_of_a_list_each_column_each_split_and_each_membership(tmp_path: Path) -> None:
    file = written(tmp_path, "a,b\n1,2\n")
    assert keys(lambda: read_list(file, ("symbol", "ratio"), Limit(1))) == ["symbol", "ratio"]
    file = written(tmp_path, "symbol,session,ratio\nA,x,2\nB,2024-01-02,3\nC,2024-01-02,0\n")
    error = caught(lambda: given_splits(file, 1, share_class_by_dot=True))
    assert [fault.key for fault in error.faults] == ["A,x,2", "C,2024-01-02,0"]
    assert error.found == "given.csv: 'A,x,2' is no split, nor are 1 others"
    lines = "A,2024-02-01,2024-01-01\nB,,\nC,2024-02-02,2024-01-01\n"
    file = written(tmp_path, f"symbol,from,to\n{lines}")
    assert keys(lambda: read_universe(file, str, 1)) == ["A", "C"]
    file = written(tmp_path, "symbol,from\nA,soon\nB,2024-01-01\nC,late\n")
    assert keys(lambda: read_universe(file, str, 1)) == ["A", "C"]


def test_of_prices_each_currency() -> None:
    columns = {"open": pd.Series(["$1", "$2"]), "close": pd.Series(["£1", "£2"])}
    assert keys(lambda: _check_money(columns, "x")) == ["$", "£"]


def test_of_fills_each_row_and_each_open_position() -> None:
    rows = "".join(f"2024-05-01,S{number},buy,0,1,0\n" for number in range(11))
    left = "2024-05-02,A,buy,3,1,0\n"
    error = caught(lambda: fills_of(FILLS + rows + left, "x"))
    assert [fault.key for fault in error.faults] == [
        *(f"row {number + 2}" for number in range(11)),
        "A on 2024-05-02",
    ]
    assert error.found.endswith("row 11: 2024-05-01,S9,buy,0,1,0; and 2 more")


def test_of_an_audit_each_check() -> None:
    leaks = pd.DataFrame(
        {"column": ["x"], "session": [""], "symbol": [""], "stored": ["1"], "recomputed": ["2"]}
    )
    leaking = CheckResult(3, 1, leaks)
    results = {"labels": leaking, "folds": CheckResult(1), "features": leaking}
    assert keys(raising(refusal(results))) == ["labels", "features"]
    unclear = CheckResult(1, sufficient=False, summary="IC 0.1")
    assert refusal({"labels": CheckResult(1), "one": unclear, "two": unclear}).faults == (
        Fault("one", "IC 0.1"),
        Fault("two", "IC 0.1"),
    )


def test_of_results_of_other_bars_each() -> None:
    since = pd.Timestamp("2024-01-02")
    stale = [StaleResult(name, since, "bars changed") for name in ("indicators", "features")]
    error = caught(lambda: require_current("retrain", stale))
    assert error.faults == tuple(
        Fault(name, "from 2024-01-02 on (bars changed)") for name in ("indicators", "features")
    )


def test_of_a_sweep_each_job_that_failed() -> None:
    ended = [Ended(("seed=1",), 0, "a"), Ended(("seed=2",), 2, ""), Ended(("seed=3",), 1, "")]
    error = JobsFailed("retrain", ended, Command("retrain"))
    assert error.faults == (Fault("seed=2", "exit 2"), Fault("seed=3", "exit 1"))


def test_of_a_model_each_type_that_is_not_trusted() -> None:
    assert keys(lambda: listed(["os.system", "builtins.eval", "numpy.dtype"])) == [
        "builtins.eval",
        "os.system",
    ]


def test_of_a_morning_each_symbol_without_a_quote() -> None:
    quotes = Believed(pd.Series({"A": 1.0}), pd.Series({"B": "too old", "C": "no quote"}))
    assert caught(lambda: quotes.require(0.5)).faults == (
        Fault("B", "too old"),
        Fault("C", "no quote"),
    )


def test_of_a_version_each_rule_and_each_gate() -> None:
    version = ModelVersion("intraday_return", "1", 0)
    error = not_proven(version, ["a", "b"], "signals", "x")
    assert error.faults == (Fault("rules", "a"), Fault("rules", "b"))
    overridden = {"one": "is off", "two": "is 1"}
    assert keys(lambda: require_reason_for_gates(overridden, "")) == ["one", "two"]


NOT_SEVERAL = {
    "config/compose.py: a quote that is never closed": "both kinds of quotes of one override",
    "config/installed.py: the feature set": "two packages of one name",
    "errors.py: map(str, unique)": "where the faults themselves are kept",
    "io/sources/files/date_orders.py: dates with": "two proofs that contradict each other",
    "io/sources/files/layouts.py: no header": "the first line",
    "io/sources/files/layouts.py: names no known column": "the first line",
    "io/sources/files/sheets.py: saved as one": "the first words of a file",
    "io/sources/files/symbols.py: and its name": "two readings of one name",
    "io/store/database.py: is not a store": "tables of another program",
    "trading/market.py: a market that knows": "what there is instead",
}
"""Texts that join words which are no faults of their own, each with what they are."""

JOINS = re.compile(r"(?<!' ')\.join\(|\b(in_words|listed_names)\(")
"""Words put side by side; a space alone makes one text of another library's lines."""


def test_an_error_whose_text_joins_several_carries_each() -> None:
    flat = []
    for module in sorted(SOURCES.rglob("*.py")):
        name = module.relative_to(SOURCES).as_posix()
        for line, text, keywords in joined_errors(module):
            excused = any(
                name == place and words in text
                for place, _, words in (each.partition(": ") for each in NOT_SEVERAL)
            )
            if not {"faults", "damages"} & keywords and not excused:
                flat.append(f"{name}:{line}: {text[:80]}")
    assert flat == []


def joined_errors(module: Path) -> Iterator[tuple[int, str, set[str | None]]]:
    """Line, source of the text and keywords of each error made of joined words."""
    for scope in ast.walk(ast.parse(module.read_text())):
        if isinstance(scope, ast.FunctionDef):
            for call in ast.walk(scope):
                if isinstance(call, ast.Call) and is_error(call.func) and len(call.args) > 1:
                    text = whole_source(call.args[1], scope)
                    if JOINS.search(text):
                        yield call.lineno, text, {word.arg for word in call.keywords}


def is_error(name: ast.expr) -> bool:
    known = isinstance(name, ast.Name) and isinstance(getattr(errors, name.id, None), type)
    return (known and name.id != "Fault") or ast.unparse(name) == "super().__init__"


def whole_source(value: ast.expr, scope: ast.FunctionDef, depth: int = 3) -> str:
    """Source of an expression and, where it reads names, of what the function assigns to them."""
    text = ast.unparse(value)
    names = {each.id for each in ast.walk(value) if isinstance(each, ast.Name)}
    for each in ast.walk(scope):
        if isinstance(each, ast.Assign) and each.value is not value and depth:
            targets = {target.id for target in each.targets if isinstance(target, ast.Name)}
            text += whole_source(each.value, scope, depth - 1) if names & targets else ""
    return text
