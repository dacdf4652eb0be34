"""The command printed next is the command that runs: form, quoting, and every one in the code."""

from __future__ import annotations

import ast
import itertools
import shlex
import subprocess
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given
from hypothesis import strategies as st
from mlflow.projects._project_spec import load_project
from omegaconf import OmegaConf

from pipeline import commands
from pipeline.commands import Command, Form, detect, override, translate
from pipeline.config.compose import check, compose

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "pipeline").rglob("*.py"))
MADE = "mlflow-" + "0123456789" * 4
RUN = {"MLFLOW_RUN_ID": "1"}
AWKWARD = [
    "data.path=it's/prices",
    'data.path="it\'s here, all of it"',
    "symbols=[A, B]",
    "model.learners={a: {b: 'c d'}}",
    'promote.reason=say "yes" for $5 & `go`!',
    "data.path=back\\slash\\",
    "data.columns.volume=<column>",
    "backtest.sweep={strategy.max_positions: [5, 10]}",
    "empty=",
    "a=b=c",
]


def overrides_of(line: str) -> list[str]:
    """What a stage makes of a printed line: through MLproject's command, or directly."""
    words = shlex.split(line)
    if words[0] == "python":
        return translate(words[3:])
    if words[0] == "daytrade":
        return translate(words[2:])
    entry = load_project(str(ROOT)).get_entry_point(words[words.index("-e") + 1])
    given_ = dict(w.split("=", 1) for flag, w in itertools.pairwise(words) if flag == "-P")
    values = {name: given_.get(name, "") for name in entry.parameters} | given_  # others come last
    return translate([w for name, value in values.items() for w in (f"--{name}", value)])


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("word", AWKWARD)
def test_what_is_printed_gives_the_overrides_back(form: Form, word: str) -> None:
    command = Command("features", word, "seed=3", date="2024-07-01")
    assert overrides_of(command.render(form)) == ["date=2024-07-01", word, "seed=3"]


words = st.text(st.sampled_from(" '\"\\$`!{}[](),;:#&*~=<>|?a1.-\n\té"), min_size=1)


@given(st.lists(words.map("k={}".format), min_size=1, max_size=3), st.sampled_from(Form))
def test_any_text_gives_the_overrides_back(overrides: list[str], form: Form) -> None:
    assert overrides_of(Command("status", *overrides).render(form)) == overrides


@given(words.map("k={}".format), st.sampled_from([Form.LOCAL, Form.DIRECT]))
def test_a_shell_reads_the_words_that_shlex_reads(word: str, form: Form) -> None:
    line = Command("status", word).render(form)
    done = subprocess.run(
        ["sh", "-c", f"printf '%s\\0' {line}"], capture_output=True, check=True, cwd="/"
    )
    assert done.stdout.decode().split("\0")[:-1] == shlex.split(line)


@example("\\${a}")
@example("\\\\${")
@given(words | st.sampled_from(["null", "True", "inf", "1e3", "0x1", "...", "/a/b.csv", "a: b"]))
def test_a_value_in_an_override_is_the_value_hydra_reads(text: str) -> None:
    parsed = OverridesParser.create().parse_override(override("key", text))
    assert OmegaConf.create({"key": parsed.value()})["key"] == text


def test_a_command_says_what_it_was_given_and_no_more() -> None:
    assert str(Command("labels", date="")) == "mlflow run . -e labels"
    assert str(Command("labels", date="2024-07-01")) == "mlflow run . -e labels -P date=2024-07-01"
    assert len({Command("a", "b", date="c"), Command("a", "b", date="c"), Command("a")}) == 2


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (Form.CONDA, "mlflow run . -e status -P seed=1"),
        (Form.LOCAL, "mlflow run . -e status --env-manager local -P seed=1"),
        (Form.UV, "mlflow run . -e status --env-manager uv -P seed=1"),
        (Form.VIRTUALENV, "mlflow run . -e status --env-manager virtualenv -P seed=1"),
        (Form.DIRECT, "python -m pipeline.stages.status seed=1"),
    ],
)
def test_each_form_has_its_line(form: Form, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_current", Form.CONDA)
    commands.use(form)
    assert str(Command("status", "seed=1")) == line


def environment_at(prefix: Path, *, conda: bool = False, config: str | None = None) -> Path:
    prefix.mkdir(parents=True)
    if conda:
        (prefix / "conda-meta").mkdir()
    if config is not None:
        (prefix / "pyvenv.cfg").write_text(config)
    return prefix


UV = "home = /usr/bin\nuv = 0.9.1\nversion_info = 3.12\n"
VENV = "home = /opt/uv = here\nversion = 3.12\n"


def test_without_a_run_of_mlflow_a_stage_was_started_directly(tmp_path: Path) -> None:
    made = environment_at(tmp_path / ".mlflow/envs" / MADE, config=UV)
    assert detect({"HOME": str(tmp_path)}, made) is Form.DIRECT
    assert detect({"HOME": str(tmp_path), "MLFLOW_RUN_ID": ""}, made) is Form.DIRECT


@pytest.mark.parametrize(("config", "form"), [(UV, Form.UV), (VENV, Form.VIRTUALENV)])
def test_an_environment_mlflow_made_tells_by_what(tmp_path: Path, config: str, form: Form) -> None:
    made = environment_at(tmp_path / ".mlflow/envs" / MADE, config=config)
    elsewhere = environment_at(tmp_path / "roomy" / MADE, config=config)
    root = {"MLFLOW_ENV_ROOT": str(tmp_path / "roomy")}
    assert detect(RUN | {"HOME": str(tmp_path)}, made) is form
    assert detect(RUN | {"HOME": str(tmp_path)} | root, elsewhere) is form
    assert detect(RUN | {"HOME": str(tmp_path)} | root, made) is Form.LOCAL


def test_conda_needs_no_flag_where_mlflow_made_the_environment(tmp_path: Path) -> None:
    made = environment_at(tmp_path / "miniconda/envs" / MADE, conda=True)
    own = environment_at(tmp_path / "miniconda/envs/trading", conda=True)
    assert detect(RUN, made) is Form.CONDA
    assert detect(RUN, own) is Form.LOCAL  # MLflow would make one more


def test_an_activated_environment_is_local(tmp_path: Path) -> None:
    assert detect(RUN, environment_at(tmp_path / ".venv", config=UV)) is Form.LOCAL


# What the code says.


def calls() -> list[tuple[str, ast.Call]]:
    found = []
    for module in MODULES:
        for node in ast.walk(ast.parse(module.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Command"):
                found.append((f"{module.relative_to(ROOT)}:{node.lineno}", node))
    return found


def text_of(node: ast.expr) -> str | None:
    """A constant text; what is filled in stands as `filled`; None where it is a variable."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(p.value) if isinstance(p, ast.Constant) else "filled" for p in node.values
        )
    return None


@pytest.mark.parametrize(("place", "call"), calls(), ids=[place for place, _ in calls()])
def test_every_command_in_the_code_is_one_of_mlproject(place: str, call: ast.Call) -> None:
    project = load_project(str(ROOT))
    stage = text_of(call.args[0])
    if stage is not None:
        assert stage in project._entry_points
        declared = set(project.get_entry_point(stage).parameters) - {"overrides"}
        assert {keyword.arg for keyword in call.keywords} <= declared
    if any(isinstance(node, ast.Starred) for node in call.args):
        return
    texts = [text_of(node) for node in call.args[1:]]
    flags = [text for text in texts if text in ("--cfg", "job")]
    overrides = [text for text in texts if text is not None and text not in flags]
    OverridesParser.create().parse_overrides(overrides)
    if all(isinstance(node, ast.Constant) for node in call.args[1:]):
        compose(overrides)


def test_no_command_is_written_out() -> None:
    """A text would be wrong for all but one form, and no test would know it."""
    for module in MODULES:
        if module.name == "commands.py":
            continue
        tree = ast.parse(module.read_text())
        documented = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        } | {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        raw = [
            node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documented
            and ("mlflow run ." in node.value or "python -m pipeline" in node.value)
        ]
        assert not raw, f"{module.relative_to(ROOT)}: {raw}"


def test_the_console_command_prints_its_own_form(tmp_path: Path) -> None:
    assert detect({commands.CONSOLE_NAME: "1"}, tmp_path) is Form.CONSOLE
    assert detect({commands.CONSOLE_NAME: "1", **RUN}, tmp_path) is not Form.CONSOLE
    assert Command("retrain", "model=ridge").render(Form.CONSOLE) == "daytrade retrain model=ridge"


def test_what_a_process_was_given_is_known_without_its_flags() -> None:
    commands.use_overrides(["-m", "seed=1,2"])
    assert commands.given() == ("seed=1,2",)
    commands.use_overrides([])


def test_a_key_that_mlproject_does_not_declare_is_an_override_too() -> None:
    """`mlflow run . -e retrain -P model=ridge` appends ``--model ridge`` to the command."""
    typed = ["--start_date", "", "--overrides", "seed=3", "--model", "ridge", "--hpo.n_trials", "4"]
    assert translate(typed) == ["model=ridge", "hpo.n_trials=4", "seed=3"]


def test_an_empty_named_parameter_means_not_given_and_overrides_win() -> None:
    words = ["--start_date", "", "--end_date", "2010-01-05", "--overrides", "end_date=2010-01-04"]
    arguments = translate(words)
    assert arguments == ["end_date=2010-01-05", "end_date=2010-01-04"]
    assert str(check(compose(arguments)).end_date) == "2010-01-04"


def test_undeclared_parameters_and_multirun_flags_are_passed_on() -> None:
    words = ["--overrides", "-m seed=1,2", "--hpo.n_trials", "5"]
    assert translate(words) == ["-m", "hpo.n_trials=5", "seed=1,2"]
