"""Measures the figures of README.md and docs/results.md: `python .ci/figures.py`.

The default retrain of the embedded sample, in a folder of its own; what stands between the marks
`<!-- figures -->` in both pages is written anew, with the date, the commit and the machine.
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
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")
START, END = "<!-- figures -->", "<!-- end of figures -->"

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


def measured() -> dict[str, object]:
    """Metrics and tags of a default retrain, by the names that the text has for them."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        words = [sys.executable, "-m", "pipeline.stages.retrain", f"store.path={folder}/sample.db"]
        subprocess.run(words, cwd=ROOT, env=os.environ | {"MLFLOW_TRACKING_URI": uri}, check=True)
        from mlflow import MlflowClient

        (run,) = MlflowClient(uri).search_runs(["0"], "tags.stage = 'retrain'")
    values = {**run.data.tags, **run.data.metrics}
    return {name.replace("/", "_").replace(".", "_"): value for name, value in values.items()}


def written(page: str, text: str) -> str:
    """A page with the text between its marks."""
    before, _, rest = page.partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}{text}{END}{after}"


def main() -> None:
    """Measure, and write both pages."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    here = f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}"
    of_run = {"today": f"{date.today()}", "commit": commit.strip(), "machine": here}
    text = TEXT.format(**measured() | of_run).replace("%", " %").replace("  %", " %")
    for page in PAGES:
        page.write_text(written(page.read_text(), text))


if __name__ == "__main__":
    main()
