"""The page of a delivery names rules, refusals and the worst symbols, and shows their bars."""

from __future__ import annotations

import re

import pandas as pd

from pipeline.report.quality_page import HEIGHT, WORST, picture, printed_quality, quality_page
from pipeline.report.text_tables import TERMINAL

DAYS = pd.bdate_range("2024-03-04", periods=5)


def kept(name: str = "EZX") -> pd.DataFrame:
    index = pd.MultiIndex.from_product([DAYS, [name]], names=["session", "symbol"])
    return pd.DataFrame({"close": [10.0, 11, 12, 11, 10]}, index)


def quarantined(names: list[str]) -> pd.DataFrame:
    bars = {"open": 10.0, "high": 1000.0, "low": 9.0, "close": 10.0, "volume": 7.0}
    day = pd.Timestamp("2024-03-11")
    return pd.DataFrame(
        [{"session": day, "symbol": name, "reason": "high > bound", **bars} for name in names]
    )


def rules() -> pd.DataFrame:
    row = ("stocks", "quarantined", "high > bound", 1, 1, DAYS[0], pd.NaT)
    names = ["kind", "what", "rule", "bars", "symbols", "first", "last"]
    return pd.DataFrame([row], columns=names)


def test_the_page_has_each_rule_each_refusal_and_the_bar_with_the_words_that_overrule_it() -> None:
    refused = {"<b>.csv": "its name may be A or B"}
    html = quality_page(rules(), kept(), quarantined(["EZX"]), refused, {"high > bound"})
    assert "high &gt; bound" in html
    assert "<b>&lt;b&gt;.csv</b>: its name may be A or B" in html
    assert "EZX: 1 of 6 bars" in html
    assert "data.accept=[EZX:2024-03-11]" in html
    assert '<td class="n">1,000</td>' in html
    assert "nan" not in html.lower().replace("finance", "")
    assert "http" not in html, "nothing is loaded from elsewhere"


def test_the_symbols_with_most_quarantined_bars_come_first_and_not_all_of_hundreds() -> None:
    names = [f"S{n}" for n in range(30)] + ["ZZZ"] * 3
    html = quality_page(rules(), kept(), quarantined(names), {}, ())
    assert re.findall(r"<h3>(\w+):", html)[0] == "ZZZ"
    assert html.count("<h3>") == WORST
    assert "Nothing." in html
    assert "data.accept" not in html, "no rule of these is one that a person overrules"


def test_a_delivery_without_a_fault_has_a_page_too() -> None:
    html = quality_page(rules(), kept(), quarantined(["EZX"]).iloc[:0], {}, ())
    assert "<h3>" not in html


def test_a_picture_has_a_dot_for_each_bar_left_out_also_for_one_without_a_price() -> None:
    odd = pd.Series([1000.0, float("nan"), -1.0], DAYS[1:4])
    drawn = picture(kept().droplevel("symbol")["close"], odd)
    heights = [float(y) for y in re.findall(r'cy="([\d.]+)"', drawn)]
    assert heights[0] == min(heights)
    assert heights[1:] == [HEIGHT - 2] * 2
    assert len(re.search(r'points="([^"]*)"', drawn)[1].split()) == 5


def test_for_a_terminal_a_long_rule_goes_on_below_within_a_hundred_columns() -> None:
    rule = "high more than 5 times above the bar's other prices and its neighbours'"
    days = [pd.Timestamp("1990-01-02"), pd.NaT]
    of_rules = pd.DataFrame(
        [["indices", "of these provisional", rule, 123456789, 12345, *days]],
        columns=["kind", "what", "rule", "bars", "symbols", "first", "last"],
    )
    lines = printed_quality(of_rules).splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= TERMINAL
    assert "NaT" not in printed_quality(of_rules)
    assert " ".join(" ".join(lines).split()).count("its neighbours'") == 1
