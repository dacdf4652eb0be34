from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from pipeline.gates.gates import Gates
from pipeline.gates.verdict import evaluate, gate_table, gate_tags, unmeasured_excuses, verdict
from pipeline.report.gates import awaits_only

GATES = Path(__file__).parents[2] / "conf" / "gates"

GOOD = {
    "backtest/sessions": 250.0,
    "backtest/trades": 900.0,
    "backtest/trading_sessions": 240.0,
    "backtest/real_opens": 0.98,
    "backtest/excess_return": 0.0004,
    "backtest/residual_sharpe_ci_low": 0.3,
    "backtest/residual_deflated_sharpe": 0.98,
    "test/rank_ic": 0.03,
    "test/rank_ic_t": 4.0,
    "test/timing_ic_t": 3.5,
    "test/spa_relative_pvalue": 0.01,
    "version/age_sessions": 5.0,
    "version/data_agreement": 1.0,
    "version/holdout_pvalue": 0.4,
    "test/r2": 0.001,
    "test/r2_vs_train_mean": 0.001,
    "test/mae": 0.012,
    "test/ridge_pvalue": 0.4,
    "test/champion_pvalue": 0.3,
    "backtest/deflated_sharpe": 0.97,
    "backtest/sharpe_ci_low": 0.2,
    "backtest/sharpe": 1.5,
    "backtest/annualized_return": 0.2,
    "backtest/win_rate": 0.53,
    "backtest/max_drawdown": 0.1,
}


def composed(name: str) -> DictConfig:
    with initialize_config_dir(str(GATES), version_base=None):
        return compose(name)


def shipped(name: str) -> Gates:
    return Gates.model_validate(OmegaConf.to_container(composed(name)))


def one_gate(**changes: Any) -> Gates:
    gate = {
        "metric": "test/r2",
        "operator": ">",
        "threshold": 0.0,
        "when_unknown": "refuse",
        "required": True,
    }
    limits = {"min_sessions": 60, "evidence_max_age_sessions": 63}
    return Gates.model_validate({**limits, "beats_zero": gate | changes})


def answers(metrics: dict[str, float], thresholds: Gates) -> dict[str, str]:
    return {result.name: result.answer for result in evaluate(metrics, thresholds)}


@pytest.mark.parametrize(
    ("operator", "value", "answer"),
    [
        (">", 0.1, "pass"),
        (">", 0.0, "fail"),
        (">=", 0.0, "pass"),
        ("<", 0.0, "fail"),
        ("<", -0.1, "pass"),
        ("<=", 0.0, "pass"),
        ("<=", 0.1, "fail"),
        (">", math.nan, "not enough evidence"),
    ],
)
def test_gate_compares_its_metric_with_its_threshold(operator, value, answer):
    metrics = {**GOOD, "test/r2": value}
    assert answers(metrics, one_gate(operator=operator))["beats_zero"] == answer


def test_result_shows_value_threshold_and_sessions():
    result = evaluate(GOOD, one_gate())[1]
    assert (result.value, result.threshold, result.sessions) == (0.001, 0.0, 250)
    assert result.explanation == "test/r2 is 0.001, needed > 0"


def test_under_the_minimum_of_sessions_nothing_is_evidence():
    few = {**GOOD, "backtest/sessions": 59.0}
    results = evaluate(few, shipped("strict"))
    suspicions = {name for name, gate in shipped("strict").named.items() if gate.unless}
    assert {r.answer for r in results if r.name not in suspicions} == {"not enough evidence"}
    assert verdict(results) == "not enough evidence"
    assert verdict(evaluate({**GOOD, "backtest/sessions": 60.0}, shipped("strict"))) == "accepted"


def test_unknown_number_of_sessions_is_none():
    unknown = {name: value for name, value in GOOD.items() if name != "backtest/sessions"}
    assert answers(unknown, one_gate())["min_sessions"] == "not enough evidence"


@pytest.mark.parametrize(
    ("when_unknown", "outcome"), [("refuse", "not enough evidence"), ("ignore", "accepted")]
)
def test_unknown_value_is_never_a_pass_and_is_ignored_only_where_that_is_said(
    when_unknown, outcome
):
    results = evaluate({**GOOD, "test/r2": math.nan}, one_gate(when_unknown=when_unknown))
    assert results[1].answer == "not enough evidence"
    assert verdict(results) == outcome


def test_gate_that_is_not_required_is_shown_and_decides_nothing():
    results = evaluate({**GOOD, "test/r2": -1.0}, one_gate(required=False))
    assert results[1].answer == "fail"
    assert verdict(results) == "accepted"


def test_one_fail_rejects_whatever_else_is_unknown():
    weak = {**GOOD, "test/r2": -0.001, "test/ridge_pvalue": math.nan}
    assert verdict(evaluate(weak, shipped("strict"))) == "rejected"


def test_no_answer_is_not_an_acceptance():
    assert verdict([]) == "not enough evidence"


def test_no_trades_is_a_fail_and_no_variance_is_not_enough():
    gate = one_gate(metric="backtest/sharpe_ci_low")
    undefined = {**GOOD, "backtest/sharpe_ci_low": math.nan}
    idle = evaluate({**undefined, "backtest/trades": 0.0}, gate)[1]
    assert (idle.answer, idle.explanation) == ("fail", "no trades")
    assert evaluate(undefined, gate)[1].answer == "not enough evidence"


@pytest.mark.parametrize(
    ("r2", "audit", "answer"),
    [
        (0.005, {}, "pass"),
        (0.0051, {}, "fail"),
        (0.09, {"audit/passed": 0.0}, "fail"),
        (0.09, {"audit/passed": math.nan}, "fail"),
        (0.09, {"audit/passed": 1.0}, "pass"),
    ],
)
@pytest.mark.parametrize("sessions", [21.0, 250.0])
def test_r2_too_good_to_be_true_needs_a_passed_audit(r2, audit, answer, sessions):
    metrics = {**GOOD, **audit, "test/r2": r2, "backtest/sessions": sessions}
    results = {result.name: result for result in evaluate(metrics, shipped("strict"))}
    assert results["no_leak_suspected"].answer == answer
    assert answer == "pass" or "audit" in results["no_leak_suspected"].explanation


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({}, "accepted"),
        ({"test/r2": 0.0}, "rejected"),
        ({"test/r2_vs_train_mean": -0.001}, "rejected"),
        ({"test/ridge_pvalue": 0.05}, "rejected"),
        ({"test/ridge_pvalue": math.nan}, "not enough evidence"),
        ({"backtest/deflated_sharpe": 0.5}, "rejected"),
        ({"backtest/deflated_sharpe": 0.6, "backtest/sharpe_ci_low": -0.3}, "accepted"),
        ({"backtest/residual_sharpe_ci_low": 0.0}, "rejected"),
        ({"test/champion_pvalue": 0.05}, "rejected"),
        ({"test/champion_pvalue": math.nan}, "accepted"),
        ({"test/r2": 0.09}, "rejected"),
        ({"test/rank_ic": 0.11}, "rejected"),
        ({"test/rank_ic_t": 8.5}, "rejected"),
        ({"test/rank_ic_t": 3.0}, "rejected"),
        ({"test/timing_ic_t": 3.0}, "rejected"),
        ({"test/spa_relative_pvalue": 0.05}, "rejected"),
        ({"backtest/excess_return": 0.0}, "rejected"),
        ({"backtest/residual_deflated_sharpe": 0.95}, "rejected"),
        ({"backtest/trades": 99.0}, "rejected"),
        ({"backtest/trading_sessions": 39.0}, "rejected"),
        ({"backtest/real_opens": 0.79}, "rejected"),
        ({"version/age_sessions": 64.0}, "rejected"),
        ({"version/data_agreement": 0.96}, "rejected"),
        ({"version/data_agreement": math.nan}, "not enough evidence"),
        ({"version/learned_unchanged": 0.0}, "accepted"),
        ({"version/holdout_pvalue": 0.05}, "rejected"),
        ({"version/holdout_pvalue": math.nan}, "accepted"),
        ({"test/mae": 0.03, "backtest/win_rate": 0.4, "backtest/max_drawdown": 0.5}, "accepted"),
    ],
)
def test_strict_gates(changes, outcome):
    assert verdict(evaluate({**GOOD, **changes}, shipped("strict"))) == outcome


@pytest.mark.parametrize(
    ("gate", "metric", "at_target", "better"),
    [
        ("target_r2_good", "test/r2", 0.08, 0.081),
        ("target_r2_excellent", "test/r2", 0.15, 0.151),
        ("target_mae", "test/mae", 0.015, 0.0149),
        ("target_annualized_return", "backtest/annualized_return", 0.15, 0.151),
        ("target_sharpe", "backtest/sharpe", 1.2, 1.21),
        ("target_win_rate", "backtest/win_rate", 0.5, 0.501),
        ("target_max_drawdown", "backtest/max_drawdown", 0.2, 0.199),
    ],
)
@pytest.mark.parametrize("config", ["strict", "targets"])
def test_published_targets_are_shown_by_both_and_must_be_exceeded(
    config, gate, metric, at_target, better
):
    thresholds = shipped(config)
    assert answers({**GOOD, metric: at_target}, thresholds)[gate] == "fail"
    assert answers({**GOOD, metric: better}, thresholds)[gate] == "pass"


def test_targets_alone_decide_by_the_published_numbers():
    enough = {**GOOD, "test/r2": 0.1, "audit/passed": 1.0, "backtest/deflated_sharpe": 0.1}
    assert verdict(evaluate(enough, shipped("targets"))) == "accepted"
    assert verdict(evaluate({**enough, "test/mae": 0.02}, shipped("targets"))) == "rejected"


@pytest.mark.parametrize(
    ("metrics", "wanted"),
    [
        ({"test/r2": 0.0051}, {"audit/passed"}),
        ({"test/r2": 0.005}, set()),
        ({"test/rank_ic": 0.101}, {"audit/passed"}),
        ({"test/rank_ic_t": 8.1}, {"audit/passed"}),
        ({"test/rank_ic": 0.1, "test/rank_ic_t": 8.0}, set()),
        ({"test/r2": math.nan}, set()),
        ({}, set()),
        ({"test/r2": 0.5, "audit/passed": 0.0}, set()),
        ({"test/r2": 0.5, "audit/passed": math.nan}, {"audit/passed"}),
    ],
)
def test_an_audit_is_wanted_where_it_would_decide_and_was_never_made(metrics, wanted):
    assert unmeasured_excuses(metrics, shipped("strict")) == wanted


def test_answers_come_in_the_order_of_the_config_that_of_the_sessions_first():
    gates = shipped("strict")
    assert [result.name for result in evaluate(GOOD, gates)] == ["min_sessions", *gates.named]
    assert list(gates.named)[:2] == ["no_leak_suspected", "no_leak_in_order"]


def test_table_shows_all_answers_and_tags_the_decisive_ones():
    gates = Gates.model_validate(
        {
            **one_gate().model_dump(),
            "shown": one_gate(threshold=0.5, required=False).named["beats_zero"],
        }
    )
    results = evaluate(GOOD, gates)
    assert gate_table(results).to_dict("list") == {
        "gate": ["min_sessions", "beats_zero", "shown"],
        "answer": ["pass", "pass", "fail"],
        "decides": ["yes", "yes", "no"],
        "value": [250.0, 0.001, 0.001],
        "threshold": [60.0, 0.0, 0.5],
        "sessions": [250, 250, 250],
        "explanation": [
            "250 sessions out of sample, needed at least 60",
            "test/r2 is 0.001, needed > 0",
            "test/r2 is 0.001, needed > 0.5",
        ],
    }
    assert gate_tags(results) == {
        "gates.passed": "min_sessions, beats_zero",
        "gates.failed": "none",
        "gates.unknown": "none",
    }


def test_an_ignored_unknown_gate_is_in_no_tag():
    results = evaluate({**GOOD, "test/r2": math.nan}, one_gate(when_unknown="ignore"))
    assert gate_tags(results)["gates.passed"] == "min_sessions"
    assert gate_tags(results)["gates.unknown"] == "none"


@pytest.mark.parametrize("path", sorted(GATES.glob("*.yaml")), ids=lambda path: path.stem)
def test_first_line_says_what_the_gates_are_and_when_to_choose_them(path):
    assert path.read_text().startswith("# ")


def test_gates_that_differ_from_their_file_are_named_with_both_values():
    gates = shipped("strict")
    content = OmegaConf.to_container(composed("strict"))
    assert isinstance(content, dict)
    content["min_sessions"] = 20
    content["residual_sharpe"]["threshold"] = 0.5
    content["trades"]["required"] = False
    content["easy"] = {**content["trades"], "threshold": 0.0}
    del content["excess"]
    changed = Gates.model_validate(content)
    assert gates.overridden(shipped("strict")) == {}
    overridden = changed.overridden(gates)
    assert set(overridden) == {"min_sessions", "residual_sharpe", "trades", "easy", "excess"}
    assert overridden["min_sessions"] == "20 (as shipped: 60)"
    assert "> 0.5, required" in overridden["residual_sharpe"]
    assert "> 0.95, required" in overridden["residual_sharpe"]
    assert set(gates.overridden(None)) >= set(gates.named)


def test_every_key_of_a_gate_counts_as_overridden():
    gates = shipped("strict")
    before = gates.model_dump()
    for key, value in {
        "metric": "test/r2", "operator": ">=", "threshold": 1.0, "when_unknown": "ignore",
        "required": False, "unless": "audit/passed",
    }.items():  # fmt: skip
        changed = {**before, "excess": {**before["excess"], key: value}}
        assert set(Gates.model_validate(changed).overridden(gates)) == {"excess"}


@pytest.mark.parametrize(
    ("metrics", "awaited"),
    [
        ({"test/rank_ic_t": 14.0}, True),
        ({"test/rank_ic_t": 14.0, "test/r2": 0.01}, True),
        ({"test/rank_ic_t": 14.0, "audit/passed": 0.0}, False),
        ({"test/rank_ic_t": 14.0, "audit/passed": 1.0}, False),
        ({"test/rank_ic_t": 14.0, "backtest/residual_sharpe_ci_low": -0.1}, False),
        ({}, False),
    ],
)
def test_only_an_audit_is_awaited_where_nothing_else_is_in_the_way(metrics, awaited):
    answers = evaluate(GOOD | metrics, shipped("strict"))
    assert awaits_only(answers, "audit/passed") is awaited
