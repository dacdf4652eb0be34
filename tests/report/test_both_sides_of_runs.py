"""Both sides of what reports say of runs, models and orders: with something amiss, and without."""

from __future__ import annotations

import json
import re

import numpy as np
import pandas as pd
import pytest

from pipeline.commands import Command
from pipeline.config.compose import check, compose
from pipeline.errors import NotReady, Refused
from pipeline.gates.gates import Answer, GateResult
from pipeline.io.sources.files.spikes import BAR, REASONS
from pipeline.monitor.evidence import Promise
from pipeline.monitor.health import SERIES, Health, curves
from pipeline.monitor.history import Event
from pipeline.report.doubts import BY_ERROR, BY_PART, BY_YEAR, doubt_cells, sentences
from pipeline.report.gates import awaits_only, printed_gates, refusals
from pipeline.report.headlines import headline_table, headlines_first
from pipeline.report.life import health_table, printed_health, printed_history, summary_line
from pipeline.report.meaning import meaning
from pipeline.report.morning import MAX_NAMED, MAX_WATCHED, printed_orders, printed_watch_list
from pipeline.report.multirun import varied
from pipeline.report.next_steps import duration
from pipeline.report.numbers import counts_in_words, probability
from pipeline.report.quality_page import BARS_SHOWN, HEIGHT, picture, quality_page
from pipeline.report.readiness import Line, Readiness
from pipeline.report.reproduction import Reproduction
from pipeline.report.signals import SignalsSummary, orders_table, printed_signals
from pipeline.report.sweep import label
from pipeline.report.tear_sheet.live import Life, live_page
from pipeline.schemas import BAR_FIELDS, ROW
from tests.report.test_signals import orders_of

SESSION = pd.Timestamp("2024-03-11")
NAN = re.compile(r"(?<![\w.-])(?:nan|NaN|NaT|None|inf)(?![\w.-])")


def summary(orders: pd.DataFrame, **changed: object) -> SignalsSummary:
    values = {
        "session": SESSION, "needed": SESSION, "model_version": "3", "regime": "RANGING",
        "forecasts": pd.Series({"A": 0.0012, "B": 0.0004}), "min_edge": 0.0, "orders": orders,
        "watched": orders.iloc[:0], "late": "",
    }  # fmt: skip
    return SignalsSummary(**(values | changed))


@pytest.mark.parametrize("late", ["", "AAB (last 2024-03-08)"])
@pytest.mark.parametrize("places", [(), ("Kept: here",)])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_list_of_an_evening(late, places, count) -> None:
    said = printed_signals(summary(orders_of([1.0] * count, [12.0] * count), late=late,
                                   places=places))  # fmt: skip
    assert ("Left out" in said) == bool(late)
    assert (said.splitlines()[-2:] == ["", "Kept: here"]) == bool(places)
    assert ("No trades: the best forecast is 12.0 bp" in said) == (count == 0)
    assert ("Total: " in said) == (count > 0)
    assert not NAN.search(said)


def test_the_list_of_an_evening_on_which_no_symbol_has_a_forecast() -> None:
    nothing = pd.Series({"A": np.nan})
    said = printed_signals(summary(orders_of([], []), forecasts=nothing))
    assert "0 symbols" in said
    assert "No trades" in said
    assert not NAN.search(said)


def test_limits_and_stops_have_a_column_where_an_order_has_one() -> None:
    orders = orders_of([0.25, 2.0], [12.0, np.nan])
    assert "limit" not in orders_table(orders)
    said = orders_table(orders.assign(limit=[50.2, np.nan]))
    assert "limit" in said
    assert "50.20" in said
    assert "0.2500" in said
    assert not NAN.search(said)


@pytest.mark.parametrize("more", [0, 1])
def test_a_morning_with_orders_and_many_left_out(more) -> None:
    orders = orders_of([2.0, 0.0], [12.0, 12.0])
    names = [f"S{n:02d}" for n in range(MAX_NAMED + more)]
    said = printed_orders(
        orders, pd.Series("no quote", names, dtype="object"),
        session=SESSION, version="3", quoted=2, deadline="until 09:28", path="x.csv",
    )  # fmt: skip
    assert "Total: 1 order, notional 100" in said
    assert ("and 1 more" in said) == (more == 1)
    assert said.endswith("Written: x.csv")


@pytest.mark.parametrize("more", [0, 1])
def test_a_watch_list_as_long_as_is_shown_and_longer(more) -> None:
    table = pd.DataFrame({"symbol": [f"S{n}" for n in range(MAX_WATCHED + more)]})
    table[["close", "buy_below", "gap_bps"]] = 10.0, 9.9, -9.0
    said = printed_watch_list(table, SESSION, "3", "")
    assert (f"The nearest {MAX_WATCHED} of {MAX_WATCHED + 1} symbols" in said) == (more == 1)


def outcomes(sessions: int) -> pd.DataFrame:
    days = pd.bdate_range("2024-01-02", periods=sessions)
    table = pd.DataFrame({"session": days, "symbols": 5, "rank_ic": 0.02, "hit_rate": 0.5,
                          "calibration": 1.0, "decile_spread": 0.001,
                          "net_return": 0.001})  # fmt: skip
    table.loc[:0, "net_return"] = np.nan
    return table.assign(**{f"decile_{place}": 0.001 for place in range(1, 11)})


@pytest.mark.parametrize("reasons", [(), ("rank IC broke its promise",)])
@pytest.mark.parametrize("sessions", [0, 3])
def test_the_health_of_a_champion_and_of_a_shadow(reasons, sessions) -> None:
    health = Health("watch" if reasons else "healthy", reasons)
    judged = [("3", True, "live", outcomes(sessions), health),
              ("baseline", False, "live", outcomes(sessions), health)]  # fmt: skip
    table = health_table(judged)
    assert table["champion"].tolist() == ["yes", ""]
    assert table["health"].tolist() == [health.answer, ""]
    assert (table["last"] == "").all() == (sessions == 0)
    said = printed_health(table, 5)
    assert ("3: rank IC broke its promise" in said) == bool(reasons)
    assert not NAN.search(said)


def test_a_move_with_and_without_force_and_evidence() -> None:
    plain = Event("2026-11-01T20:00:00Z", "promote", 2, None, "passed", "ann")
    hard = Event("2026-11-02T20:00:00Z", "promote", 3, 2, "by hand", "bob", True, "run abc")
    said = printed_history([plain, hard]).splitlines()
    assert said[-2].endswith("promote: passed.")
    assert said[-1].endswith("promote (forced): by hand. Evidence: run abc.")
    assert not NAN.search(said[0])
    line = summary_line("daily", {"result": "ok", "note": "", "why": 'a "b"', "left": None})
    assert line == "daily result=ok note=\N{EN DASH} why=\"a 'b'\" left=\N{EN DASH}"


NO_DRIFT = pd.DataFrame(columns=["psi", "limit", "drifted"])
DRIFT = pd.DataFrame({"psi": [0.3, 0.1], "limit": 0.2, "drifted": [True, False]}, ["x", "y"])
KNOWN = {"rank_ic": Promise(0.03, 0.1, 250), "net_return": Promise(0.001, 0.01, 250)}


@pytest.mark.parametrize(
    ("model", "promises", "drift"), [("3", KNOWN, DRIFT), ("baseline", {}, NO_DRIFT)]
)
def test_the_live_page_with_and_without_a_promise_and_drift(model, promises, drift) -> None:
    given, limits = outcomes(3), check(compose([])).monitor
    drawn = curves(given, promises, limits)
    page = live_page(Life(model, "live", given, drawn, promises, Health("healthy"), drift, limits))
    assert ("version 3" in page) == (model == "3")
    assert page.count("nothing is known") == len(SERIES) - len(promises)
    assert (">yes<" in page) == (len(drift) > 0)
    assert not NAN.search(re.sub("<[^>]*>", " ", page))


def line(name: str, there: bool, blocks: bool = False, help_: str = "") -> Line:
    return Line(name, there, f"{name} as it is", Command(help_) if help_ else None, blocks)


def test_a_status_with_all_there_and_with_something_missing() -> None:
    ready = Readiness([line("bars", True, True), line("labels", True, True)])
    assert ready.is_ready
    ready.require_retrain()
    assert "-e signals" in str(ready.next_command)
    assert "NO" not in ready.printed([])
    assert "closed 2 runs of dead processes" in ready.printed(["a", "b"])
    missing = Readiness([line("bars", True), line("champion", False), line("x", False, True, "x")])
    assert not missing.is_ready
    assert "-e x" in str(missing.next_command), "the first that a command helps"
    assert missing.metrics == {"status/bars": 1.0, "status/champion": 0.0, "status/x": 0.0}
    assert "NO   champion" in missing.printed([])
    listed = json.loads(missing.as_json())["lines"]
    assert [each["next"] for each in listed] == ["", "", str(Command("x"))]
    with pytest.raises(NotReady, match="champion as it is"):
        missing.require_retrain()


def test_a_run_done_again_with_and_without_a_difference() -> None:
    was = {"a": 1.0, "b": np.nan, "c": 0.0, "time/total": 3.0}
    same = Reproduction.of(was, dict(was), 0.0, {})
    same.require_equal()
    assert same.printed().startswith("Code, versions and data are equal.\nReproduced: 3 metrics")
    assert "exactly" in same.printed()
    other = Reproduction.of(was, {"a": 1.0 + 1e-9, "b": np.nan}, 0.0, {})
    assert other.off["metric"].tolist() == ["c", "a"]
    with pytest.raises(Refused, match=r"2 of 3 metrics differ[^$]*since nothing else differs"):
        other.require_equal()
    elsewhere = Reproduction.of(was, was | {"a": 1.0 + 1e-9}, 0.0, {"environment": "Python 3.12"})
    elsewhere.require_equal()
    assert "What differs:\n  environment: Python 3.12" in elsewhere.printed()
    assert "within 1e-06" in elsewhere.printed()
    assert not Reproduction.of(was, dict(was), 0.1, {}).is_equal, "of predictions alone"


def gate(name: str, answer: Answer, *, decisive: bool = True, excuse: str = "") -> GateResult:
    return GateResult(
        name=name, answer=answer, value=1.0, threshold=1.0, sessions=90, explanation=f"why {name}",
        decisive=decisive, excuse=excuse,
    )  # fmt: skip


def test_gates_that_pass_fail_and_wait() -> None:
    passed, failed = gate("a", Answer.PASS), gate("b", Answer.FAIL)
    waiting = gate("c", Answer.UNKNOWN, excuse="audit")
    aside = gate("d", Answer.FAIL, decisive=False)
    assert refusals([passed, aside]) == []
    assert refusals([waiting, failed])[0].startswith("b: ")
    assert not awaits_only([passed], "audit")
    assert awaits_only([passed, waiting, aside], "audit")
    assert not awaits_only([waiting, failed], "audit")
    assert "decides nothing" not in printed_gates([passed, failed])
    assert "decides nothing" in printed_gates([passed, aside])


def test_figures_that_were_measured_and_that_were_not() -> None:
    metrics = {"backtest/annualized_return": 0.2, "test/rank_ic": 0.01, "data/rows": 3.0}
    assert next(iter(headlines_first(metrics))) == "test/rank_ic"
    assert headline_table(metrics)["metric"].tolist() == ["test/rank_ic"]
    full = headline_table(metrics | {"backtest/sessions": 60.0})
    assert "backtest/annualized_return" in full["metric"].tolist()
    assert counts_in_words({"no_bar": 0}) == "none"
    assert [probability(p) for p in (0.999, 0.5, 0.001)] == [
        "> 99\u202f%", "50\u202f%", "< 1\u202f%"
    ]  # fmt: skip
    assert [duration(s) for s in (3, 200, 9000)] == ["about 5 s", "about 4 min", "about 3 h"]


@pytest.mark.parametrize(
    ("traded", "words"),
    [
        ({"backtest/trades": 0.0}, "nothing was traded"),
        ({"backtest/trades": 9.0, "backtest/break_even_bps": -1.0}, "lost before costs"),
        ({"backtest/trades": 9.0, "backtest/break_even_bps": 3.0}, "break even at 3.0 bp"),
        ({"backtest/trades": 9.0, "backtest/break_even_bps": np.nan}, "A Sharpe over 90 sessions"),
    ],
)
def test_what_a_result_means_with_and_without_trades(traded, words) -> None:
    metrics = {"test/rank_ic": 0.01, "test/rank_ic_t": 1.0, "backtest/sessions": 90.0} | traded
    assert words in meaning(metrics, 252, 1)
    assert not NAN.search(meaning(metrics, 252, 1))


def test_doubts_without_a_trade_and_at_errors_that_pass_and_fail() -> None:
    errors = pd.DataFrame({"error_bps": [0.0, 20.0], "rank_ic": 0.01, "rank_ic_t": 1.0,
                           "gross_sharpe": np.nan, "sharpe": np.nan, "sharpe_5bp": np.nan,
                           "sharpe_10bp": np.nan, "sharpe_20bp": np.nan, "break_even_bps": np.nan,
                           "trades": 0, "gates": "fail"})  # fmt: skip
    years = pd.DataFrame({"error_bps": [0.0, 20.0], "year": 2021, "rank_ic": 0.01,
                          "sharpe": np.nan})  # fmt: skip
    parts = pd.DataFrame(columns=["by", "part", "trades", "net_bps", "net_pnl", "sharpe"])
    tables = {BY_ERROR: errors, BY_YEAR: years, BY_PART: parts}
    cells = doubt_cells(tables)
    assert BY_PART not in cells
    assert not NAN.search(cells[BY_ERROR].to_string())
    metrics = {"doubt/sharpe_fill_5bp": np.nan, "doubt/sharpe_fill_10bp": np.nan}
    said = {
        largest: sentences(metrics | {"doubt/largest_error_bps": largest})[0]
        for largest in (float("nan"), 1.0, 50.0)
    }
    words = ("none of these", "better than", "error of 50 bp")
    assert all(word in line for word, line in zip(words, said.values(), strict=True))


def test_names_of_jobs_and_of_values_that_are_swept() -> None:
    assert varied([["seed=1"]]) == ["seed=1"]
    assert varied([["hpo=none"], ["hpo=none", "seed=2"]]) == ["as given", "seed=2"]
    assert [label(v) for v in (True, 0.5, 2.0, None, np.nan)] == [
        "True", "0.5", "2", "none", "none"
    ]  # fmt: skip


@pytest.mark.parametrize("count", [1, BARS_SHOWN, BARS_SHOWN + 1])
@pytest.mark.parametrize("close", [10.0, np.nan])
def test_a_page_of_few_and_of_many_odd_bars_drawn_and_not(count, close) -> None:
    days = pd.bdate_range("2024-01-02", periods=count)
    odd = pd.DataFrame({"session": days, "symbol": "AAB", "reason": BAR})
    odd[list(BAR_FIELDS)] = close
    bars = odd.set_index(ROW)[list(BAR_FIELDS)].iloc[:0]
    rules = pd.DataFrame({"what": ["kept"], "bars": [None]})
    page = quality_page(rules, bars, odd, {}, REASONS)
    assert ("and 1 more" in page) == (count > BARS_SHOWN)
    assert ("No close that could be drawn" in page) == (close != close)
    assert not NAN.search(re.sub("<[^>]*>", " ", page))


def test_a_picture_of_one_close_and_of_one_that_is_none() -> None:
    one = pd.Series([10.0], pd.DatetimeIndex([SESSION]))
    assert "<svg" in picture(one, one.iloc[:0])
    lower_edge = f'cy="{HEIGHT - 2:.1f}"'
    assert lower_edge in picture(one, one * 0)
    assert lower_edge not in picture(one, one)
    assert "No close" in picture(one * 0, one.iloc[:0])
