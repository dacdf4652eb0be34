"""Measures the figures of README.md, docs/results.md and docs/tutorial.md.

    python .ci/figures.py [folder]

The main command in a clone of the newest commit; what stands between the marks `<!-- figures -->`
and `<!-- output -->` of the pages is written anew, with the date, the commit and the machine. A
folder that is given keeps the clone, whose `.ci/screenshots.py` makes the pictures of it.
"""

from __future__ import annotations

import os
import platform
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


def measured(folder: Path) -> tuple[dict[str, object], str]:
    """Metrics and tags of the main command, by the names that the text has for them; its output."""
    clone = folder / "daytrade"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_")}
    done = subprocess.run(
        MAIN.split(), cwd=clone, env=kept | {"PYTHONPATH": str(clone)},
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{clone}/mlflow.db")
    (run,) = client.search_runs(["0"], "tags.stage = 'retrain'")
    values = {**run.data.tags, **run.data.metrics}
    named = {name.replace("/", "_").replace(".", "_"): value for name, value in values.items()}
    return named, done.stdout[done.stdout.index(TABLE) :].rstrip()


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
    values, printed = measured(folder)
    text = TEXT.format(**values | of_run).replace("%", " %").replace("  %", " %")
    for page in (ROOT / "README.md", ROOT / "docs" / "results.md"):
        written(page, "figures", text)
    written(ROOT / "docs" / "tutorial.md", "output", f"\n```text\n{printed}\n```\n")


if __name__ == "__main__":
    if sys.argv[1:]:
        main(Path(sys.argv[1]).resolve())
    else:
        with tempfile.TemporaryDirectory() as own:
            main(Path(own))
