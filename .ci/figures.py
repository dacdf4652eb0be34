"""Measures the figures of README.md, docs/results.md and docs/tutorial.md, and makes the pictures.

    python .ci/figures.py [folder]

The main command in a clone of the newest commit, then what docs/results.md times beside it; what
stands between the marks `<!-- figures -->`, `<!-- output -->` and `<!-- speed -->` of the pages is
written anew, with the date, the commit and the machine. `.ci/screenshots.py` of the clone makes the
pictures of what was run. A folder that is given keeps the clone.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAIN = "mlflow run . -e retrain --env-manager local"
TABLE = "meaning  "
"""Start of the printed result; above it are log lines."""

TEXT = """
The default retrain of the embedded sample, `mlflow run . -e retrain`: {data_sessions:.0f} sessions of development
({window_start} to {window_end}, {data_rows:,.0f} rows), {backtest_sessions:.0f} of holdout ({holdout_start} to
{holdout_end}), {cv_trials:.0f} trials, 10 basis points a round trip. Measured {today} at commit {commit}, on {machine}.

| metric | value | it would need to be |
|---|---|---|
| R² against zero, out of sample | {test_r2:.3%} (ridge on the return: {baseline_ridge_r2:.2%}) | > 8 % "good" by the published targets; an honest daily model is happy above 0.02 %, and above 0.5 % it is asked for its audit |
| MAE | {test_mae:.4f} (zero forecast: {baseline_zero_mae:.4f}) | < 0.015, which a forecast of zero reaches too |
| rank IC, t over sessions | {test_rank_ic:.3f}, t {test_rank_ic_t:.1f} | t > 2 over 60 sessions and more |
| trades of the ten best forecasts above zero | {backtest_trades:.0f}, {backtest_win_rate:.1%} of them winning; {backtest_total_return:.1%} in {backtest_sessions:.0f} sessions, drawdown {backtest_max_drawdown:.1%} | some hundred |
| trades above the cost alone (`selective/trades`) | {selective_trades:.0f} | |
| Sharpe, net, a year | {backtest_sharpe:.2f}, 95 % interval {backtest_sharpe_ci_low:.1f} to {backtest_sharpe_ci_high:.1f}; deflated {backtest_deflated_sharpe:.2f} | lower end of its interval > 0, deflated > 0.95, over at least 60 sessions |
| universe, equal weight, open to close | {benchmark_total_return:+.1%} over the {backtest_sessions:.0f} sessions | to be beaten, and not by holding more of it |
| gates | {verdict} | accepted |
"""  # noqa: E501


TIMED = {
    "ridge": "retrain model=ridge hpo.n_trials=8",
    "search": "retrain model=ridge hpo.n_trials=200",
    "backtest": "backtest",
    "sweep": "backtest backtest=sweep",
    "walk": "retrain evaluation=walk_forward",
}
"""What is run after the main command, on its store."""

SPEED = """
The README's command from nothing to its table, data stages and MLflow's own start included: {main:.0f} CPU seconds. On the same
store, each command without MLflow's own start: `retrain model=ridge hpo.n_trials=8` {ridge:.0f}, with 200 trials
{search:.0f}; `backtest` {backtest:.1f}, `backtest backtest=sweep` (36 settings, each a nested run) {sweep:.1f};
`retrain evaluation=walk_forward` {walk:.0f}. Measured {today} at commit {commit}, on {machine}.
"""  # noqa: E501


def called(words: list[str], clone: Path) -> tuple[float, str]:
    """CPU seconds of a command in the clone, its children's included, and what it printed."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        words, cwd=clone, env=kept | {"PYTHONPATH": str(clone)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def measured(clone: Path) -> tuple[dict[str, object], str]:
    """Metrics and tags of the main command, by the names that the text has for them; its output."""
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    seconds, printed = called(MAIN.split(), clone)
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{clone}/mlflow.db")
    (run,) = client.search_runs(["0"], "tags.stage = 'retrain'")
    values = {**run.data.tags, **run.data.metrics}
    named = {name.replace("/", "_").replace(".", "_"): value for name, value in values.items()}
    return named | {"main": seconds}, printed[printed.index(TABLE) :].rstrip()


def timed(clone: Path) -> dict[str, float]:
    """CPU seconds of what is run after the main command, by name."""
    stages = {name: words.split() for name, words in TIMED.items()}
    return {
        name: called([sys.executable, "-m", f"pipeline.stages.{stage}", *words], clone)[0]
        for name, (stage, *words) in stages.items()
    }


def written(page: Path, mark: str, text: str) -> None:
    """Write a page with the text between its marks."""
    start, end = f"<!-- {mark} -->", f"<!-- end of {mark} -->"
    before, _, rest = page.read_text().partition(start)
    _, _, after = rest.partition(end)
    page.write_text(f"{before}{start}{text}{end}{after}")


def main(folder: Path) -> None:
    """Measure, and write the pages."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    here = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    of_run = {"today": f"{date.today()}", "commit": commit.strip(), "machine": here}
    clone = folder / "daytrade"
    values, printed = measured(clone)
    text = TEXT.format(**values | of_run).replace("%", " %").replace("  %", " %")
    for page in (ROOT / "README.md", ROOT / "docs" / "results.md"):
        written(page, "figures", text)
    written(ROOT / "docs" / "tutorial.md", "output", f"\n```text\n{printed}\n```\n")
    speed = SPEED.format(main=values["main"], **timed(clone) | of_run)
    written(ROOT / "docs" / "results.md", "speed", speed)
    pictures = str(ROOT / "docs" / "pictures")
    called([sys.executable, ".ci/screenshots.py", pictures], clone)


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as own:
            main(Path(own))
