"""The summary of a retrain: what it says, and that nothing in it is ever nan."""

from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest

from pipeline.gates.gates import Answer, GateResult, Gates
from pipeline.gates.verdict import evaluate, gate_table
from pipeline.report.gates import printed_gates, refusals
from pipeline.report.headlines import HEADLINES, headline_table, metric_text, why_undefined
from pipeline.report.meaning import EARNS_ITS_COST, EARNS_LESS, NO_ORDER, meaning, skill
from pipeline.report.summary import (
    RetrainSummary,
    headline_sentence,
    markdown_summary,
    printed_headlines,
    printed_summary,
    version_summary,
)
from pipeline.report.tear_sheet.header import (
    NO_GATES,
    REFITTED,
    backtest_header,
    break_even_sentence,
    retrain_header,
    trading_facts,
)
from tests.report import made_sheet

GATES = Gates.model_validate({
    "min_sessions": 60, "evidence_max_age_sessions": 63,
    "sharpe": {"metric": "backtest/sharpe", "operator": ">", "threshold": 1.2,
               "when_unknown": "refuse", "required": True},
})  # fmt: skip
SKILL = {
    "test/r2": 0.0012, "test/mae": 0.0123, "test/rank_ic": 0.0345, "test/rank_ic_t": 1.25,
    "baseline/ridge_r2": -0.001, "backtest/looks": 2.0,
}  # fmt: skip


def summary_of(sessions: int, trades: int, **metrics: float) -> RetrainSummary:
    opened, close = made_sheet.market(sessions)
    books = made_sheet.books(opened, close, trades)
    universe = (close / opened - 1.0).mean(axis=1)
    measured = {**SKILL, **made_sheet.performance(books, universe), **metrics}
    return RetrainSummary(
        registered_model="intraday_return", version=7, model="ranked", features="extended",
        data_source="sample", seed=42, windows="development 2021-01-04..2021-02-26",
        metrics=measured, gates=evaluate(measured, GATES), sessions_a_year=252,
        survivorship="1 of 7 symbols ends before the last session",
    )  # fmt: skip


def value_of(summary: RetrainSummary, metric: str) -> str:
    table = headline_table(summary.metrics).set_index("metric")
    return str(table.loc[metric, "value"])


IDLE = "\N{EN DASH} (no trades)"
UNDEFINED_WITHOUT_TRADES = {
    "backtest/sharpe", "backtest/sharpe_ci_low", "backtest/sharpe_ci_high",
    "backtest/deflated_sharpe", "backtest/win_rate", "backtest/break_even_bps",
}  # fmt: skip


def test_without_trades_every_undefined_figure_says_so_and_none_is_nan() -> None:
    idle = summary_of(70, 0)
    undefined = {name for name in UNDEFINED_WITHOUT_TRADES if math.isnan(idle.metrics[name])}
    assert undefined == UNDEFINED_WITHOUT_TRADES
    assert {value_of(idle, name) for name in undefined} == {IDLE}
    assert value_of(idle, "backtest/trades") == "0"
    assert version_summary(idle).splitlines()[0] == f"{idle.verdict.capitalize()}."
    for text in (markdown_summary(idle), version_summary(idle), printed_summary(idle)):
        assert text.count(IDLE) >= len(undefined)
        assert "nan" not in text.lower()
    assert f"Sharpe {IDLE}, 0 trades in 70 sessions" in headline_sentence(idle.metrics)
    assert "nothing was traded" in markdown_summary(idle)


@pytest.mark.parametrize("name", [headline.metric for headline in HEADLINES])
def test_no_single_undefined_figure_is_nan_anywhere(name: str) -> None:
    broken = summary_of(70, 50, **{name: math.nan})
    if name == "backtest/sessions":
        broken = replace(broken, metrics={**broken.metrics, "backtest/trades": 0.0})
    dash = f"\N{EN DASH} ({why_undefined(name, broken.metrics)})"
    assert value_of(broken, name) == dash
    for text in (markdown_summary(broken), printed_summary(broken)):
        assert dash in text
        assert "nan" not in text.lower()


@pytest.mark.parametrize(
    ("name", "metrics", "why"),
    [
        ("test/r2", {}, "not measured"),
        ("backtest/sharpe", {"backtest/trades": 0.0, "backtest/sessions": 1.0}, "no trades"),
        ("backtest/sharpe", {"backtest/trades": 1.0, "backtest/sessions": 1.0}, "one session"),
        ("backtest/sharpe", {"backtest/trades": 1.0, "backtest/sessions": 9.0},
         "returns do not vary"),
        ("test/rank_ic", {}, "not measured"),
        ("test/rank_ic_t", {"test/rank_ic": math.nan}, "forecasts all equal"),
        ("test/rank_ic_t", {"test/rank_ic": 0.1}, "too few sessions"),
        ("baseline/ridge_r2", {"baseline/ridge_r2": math.nan}, "every return is 0"),
        ("test/mae", {"test/mae": math.nan}, "too little data"),
    ],
)  # fmt: skip
def test_the_reason_is_the_nearest_one(name: str, metrics: dict[str, float], why: str) -> None:
    known = metrics if why == "not measured" else {name: math.nan, **metrics}
    assert metric_text(name, known, "{:.2f}") == f"\N{EN DASH} ({why})"


def test_defined_figures_stand_beside_what_they_would_need_to_be() -> None:
    table = headline_table({"backtest/sharpe": 1.234, "test/r2": 0.0012, "time/fit_seconds": 3.0})
    assert table.to_dict("records") == [
        {"metric": "test/r2", "meaning": "R² against zero, out of sample", "value": "0.1200%",
         "target": "> 8 %, > 15 %"},
        {"metric": "backtest/sharpe", "meaning": "Sharpe, net, a year", "value": "1.23",
         "target": "> 1.2"},
    ]  # fmt: skip
    assert list(headline_table({})) == ["metric", "meaning", "value", "target"]


def test_the_headline_is_one_line_with_the_interval_of_the_sharpe() -> None:
    metrics = {**SKILL, "backtest/sharpe": 1.5, "backtest/sharpe_ci_low": -1.04,
               "backtest/sharpe_ci_high": 4.06, "backtest/trades": 50.0,
               "backtest/sessions": 21.0}  # fmt: skip
    assert headline_sentence(metrics) == (
        "R² 0.120%, rank IC 0.0345 (t 1.2), Sharpe 1.50 [-1.0, 4.1] net of costs, "
        "50 trades in 21 sessions"
    )
    few = headline_sentence({**metrics, "test/rank_ic_t": math.nan})
    assert "rank IC 0.0345, t \N{EN DASH} (too few sessions), Sharpe" in few


def test_the_markdown_summary_opens_with_the_verdict_and_tells_windows_gates_and_recipe() -> None:
    text = markdown_summary(summary_of(70, 50))
    assert text.startswith("## intraday_return v7: rejected\n\n**R² 0.120%")
    lines = text.splitlines()
    assert "development 2021-01-04..2021-02-26" in lines
    assert "| metric | meaning | value | target |" in lines
    assert "| test/rank_ic_t | ... its t-statistic | 1.25 |  |" in lines
    assert any(line.startswith("| sharpe | fail | backtest/sharpe is ") for line in lines)
    assert "Universe: 1 of 7 symbols ends before the last session." in lines
    assert lines[-1] == "Model `ranked`, features `extended`, data `sample`, seed 42."


def test_the_printed_summary_names_the_challenger_and_what_comes_next() -> None:
    text = printed_summary(summary_of(21, 20))
    assert "intraday_return version 7 is the challenger; gates: not enough evidence." in text
    assert "Universe: 1 of 7 symbols ends before the last session." in text
    assert text.splitlines()[-1].startswith("Compare: mlflow run . -e ui")
    again = replace(summary_of(21, 20), is_new=False, is_challenger=False)
    told = "version 7 (an equal model, registered before) leaves challenger as it is; gates:"
    assert told in printed_summary(again).replace("\n", " ")


@pytest.mark.parametrize(
    ("sessions", "words", "proves_nothing"),
    [(21, "21 sessions has a standard error of about 3.5 a year", True),
     (252, "252 sessions has a standard error of about 1.0 a year", True),
     (1008, "1008 sessions has a standard error of about 0.5 a year.", False)],
)  # fmt: skip
def test_a_short_history_proves_nothing_and_says_so(
    sessions: int, words: str, proves_nothing: bool
) -> None:
    text = meaning({"backtest/trades": 5.0, "backtest/sessions": float(sessions)}, 252)
    assert words in text
    assert ("proves nothing" in text) == proves_nothing


@pytest.mark.parametrize(
    ("t", "earned", "phrase"),
    [(1.9, 0.1, NO_ORDER), (2.0, -0.1, EARNS_LESS), (2.0, 0.1, EARNS_ITS_COST),
     (-3.0, 0.1, NO_ORDER), (math.nan, 0.1, "")],
)  # fmt: skip
def test_a_forecast_with_skill_is_told_from_one_that_is_worth_its_cost(
    t: float, earned: float, phrase: str
) -> None:
    metrics = {"test/rank_ic": 0.02, "test/rank_ic_t": t, "backtest/total_return": earned,
               "backtest/trades": 5.0, "backtest/sessions": 21.0}  # fmt: skip
    assert skill(metrics) == phrase
    said = meaning(metrics, 252)
    assert phrase[1:] in said
    assert "no edge" not in said


def test_where_nothing_is_traded_the_skill_is_still_told() -> None:
    said = meaning({"test/rank_ic": 0.02, "test/rank_ic_t": 4.3, "backtest/total_return": 0.0,
                    "backtest/trades": 0.0, "backtest/sessions": 500.0}, 252)  # fmt: skip
    assert said.startswith("Orders the symbols, earns less than its cost (rank IC t 4.3).")
    assert said.endswith("nothing was traded.")


def test_the_text_of_a_walk_forward_speaks_of_its_evidence() -> None:
    metrics = {"backtest/trades": 5.0, "backtest/sessions": 504.0, "backtest/sharpe": 1.25,
               "backtest/deflated_sharpe": 0.91, "backtest/looks": 3.0}  # fmt: skip
    assert "Evidence" not in meaning(metrics, 252)
    said = meaning(metrics, 252, refits=24)
    assert said.endswith(
        "Evidence of this recipe: 24 refits, each judged on later sessions alone; Sharpe 1.25, "
        "deflated Sharpe (probability) 0.910 after 3 looks known here."
    )


@pytest.mark.parametrize(("sessions", "is_shown"), [(21, False), (59, False), (60, True)])
def test_few_sessions_are_never_told_as_a_year(sessions: int, is_shown: bool) -> None:
    table = headline_table(summary_of(sessions, 20).metrics).set_index("metric")
    assert ("backtest/annualized_return" in table.index) == is_shown
    assert "backtest/total_return" in table.index


@pytest.mark.parametrize("trades", [0, 20])
def test_the_printed_table_fits_a_terminal_of_a_hundred_columns(trades: int) -> None:
    metrics = summary_of(70, trades).metrics
    unranked = {"test/rank_ic": math.nan, "test/rank_ic_t": math.nan}
    selective = {"selective/trades": 0.0, "selective/sharpe": math.nan}
    for case in (metrics, {**metrics, **unranked, **selective}):
        assert max(map(len, printed_headlines(case).splitlines())) <= 100


def answer(name: str, kind: Answer, why: str, *, decisive: bool = True) -> GateResult:
    return GateResult(
        name=name, answer=kind, value=math.nan, threshold=1.0, sessions=21, explanation=why,
        decisive=decisive,
    )  # fmt: skip


def test_refusals_are_the_deciding_gates_failed_ones_first_joined_by_reason() -> None:
    results = [
        answer("sessions", Answer.UNKNOWN, "too few"),
        answer("sharpe", Answer.FAIL, "no trades"),
        answer("r2", Answer.PASS, "fine"),
        answer("shown", Answer.FAIL, "no trades", decisive=False),
        answer("win_rate", Answer.FAIL, "no trades"),
    ]
    assert refusals(results) == [
        "sharpe, win_rate: fail: no trades.",
        "sessions: not enough evidence: too few.",
    ]
    assert gate_table(results)["decides"].tolist() == ["yes", "yes", "yes", "no", "yes"]
    assert gate_table([]).empty


def test_the_header_of_a_retrain_names_kind_end_facts_and_reasons() -> None:
    summary, days = summary_of(21, 0), pd.bdate_range("2021-01-04", periods=3)
    header = retrain_header(
        summary,
        {"Data": "sample"},
        development=days,
        last_predicted=days[-1],
        fits=1,
        drivers=(),
        searches=pd.DataFrame(),
    )
    assert header.title == "Retrain of ranked until 2021-01-06"
    assert header.facts == {
        "Data": "sample", "Model": "ranked", "Features": "extended",
        "Newest development": "2021-01-04 to 2021-01-06", "Fits": "1", "Seed": "42",
        "Survivorship": "1 of 7 symbols ends before the last session",
    }  # fmt: skip
    assert header.verdict == summary.verdict
    assert header.reasons == [meaning(summary.metrics, 252), *refusals(summary.gates)]
    walked = retrain_header(
        summary,
        {},
        development=days,
        last_predicted=days[-1],
        fits=2,
        drivers=(),
        searches=pd.DataFrame(),
    )
    assert walked.title.startswith("Walk-forward of ranked")


def test_the_header_of_a_backtest_says_that_it_asks_no_gates() -> None:
    header = backtest_header(3, {}, verdict="rejected", refitted=False)
    assert (header.title, header.verdict) == ("Backtest of version 3", "rejected")
    assert header.reasons == [NO_GATES]
    refitted = backtest_header(3, {}, verdict=None, refitted=True)
    assert (refitted.verdict, refitted.reasons) == ("not evaluated", [NO_GATES, REFITTED])


def test_the_facts_of_the_trading_tell_the_break_even_cost_or_why_there_is_none() -> None:
    opened, close = made_sheet.market(21)
    traded, idle = (made_sheet.books(opened, close, trades) for trades in (20, 0))
    facts = trading_facts(traded, data_source="sample", universe="all", strategy="default",
                          max_positions=10, bankroll=1e5)  # fmt: skip
    assert facts["Out of sample"] == "2021-03-01 to 2021-03-29"
    assert facts["Data"] == "sample, universe all"
    assert facts["Strategy"] == "default, at most 10 at once"
    assert facts["Bankroll"] == "100,000"
    assert facts["Break-even cost"].endswith(" bp a round trip; 10.0 bp were charged")
    assert break_even_sentence(idle.ledger) == IDLE


def test_printed_gates_put_the_deciding_ones_first_and_fit_a_hundred_columns() -> None:
    long = "backtest/sharpe_ci_low is -0.01234, needed > 0.123456"
    results = [answer("shown", Answer.FAIL, long, decisive=False),
               answer("not_worse_than_champion", Answer.UNKNOWN, long)]  # fmt: skip
    text = printed_gates(results)
    assert text.index("not_worse_than_champion") < text.index("shown, decides nothing")
    assert max(map(len, text.splitlines())) <= 100
    assert "nan" not in text.lower()
