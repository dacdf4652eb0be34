from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from pipeline.report.tear_sheet import tables
from pipeline.report.tear_sheet.key_figures import key_figures
from pipeline.report.tear_sheet.page import Page, page
from tests.report import made_sheet

VOID = {"meta", "br", "img", "link"}
HEADINGS = [
    "Equity and drawdown", "Rolling Sharpe", "Returns by month", "Returns by year",
    "Rank IC by session", "Return by forecast decile", "Costs and turnover", "Exposure",
    "Hit rate by regime, sector and weekday", "Distribution of returns", "Best and worst trades",
    "Calibration", "Skill over time", "What drives the forecasts",
    "Rank IC by month, regime and age", "Profit by symbol", "Chosen parameters over time", "Gates",
]  # fmt: skip
KINDS = {"long": (600, 600), "short": (21, 1), "idle": (70, 0)}


class Parsed(HTMLParser):
    """Elements, attributes and text of a page; every element must end where it should."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1:] != ["style"] and data.strip():
            self.text.append(data.strip())

    @property
    def words(self) -> str:
        return " ".join(self.text)


@pytest.fixture(scope="module")
def pages() -> dict[str, Page]:
    chosen = {"long": {"searches": made_sheet.SEARCHES}}
    return {
        name: page(made_sheet.sheet(*how, **chosen.get(name, {}))) for name, how in KINDS.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_is_well_formed_and_names_every_section(pages, kind):
    parsed = Parsed(pages[kind].html)
    assert parsed.tags["h1"] == 1
    assert not [heading for heading in HEADINGS if heading not in parsed.text]
    ids = Counter(value for name, value in parsed.attributes if name == "id")
    assert max(ids.values()) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_needs_nothing_else(pages, kind):
    html = pages[kind].html
    parsed = Parsed(html)
    assert "http" not in html
    assert not {"script", "link", "img", "iframe", "object", "image"} & set(parsed.tags)
    ids = {value for name, value in parsed.attributes if name == "id"}
    asked = [value for name, value in parsed.attributes if name in ("href", "xlink:href", "src")]
    asked += [f"#{name}" for name in re.findall(r"url\(#?([^)]*)\)", html)]
    assert {value.removeprefix("#") for value in asked} <= ids


def test_a_long_history_shows_every_section(pages):
    shown = pages["long"]
    words = Parsed(shown.html).words
    assert words.endswith("Left out Profit by symbol trades in 1 symbol, 16 are needed")
    assert sorted(shown.figures) == [
        "calibration.png", "costs.png", "cumulated.png", "deciles.png", "distribution.png",
        "drivers.png", "equity.png", "exposure.png", "rank_ic.png", "rolling_sharpe.png",
        "searches.png",
    ]  # fmt: skip
    assert all(figure.startswith(b"\x89PNG") for figure in shown.figures.values())
    assert Parsed(shown.html).tags["svg"] == len(shown.figures)


def test_a_month_has_no_table_of_years_but_a_line_that_says_why(pages):
    words = Parsed(pages["short"].html).words
    assert sorted(pages["short"].figures) == [
        "calibration.png", "cumulated.png", "deciles.png", "drivers.png", "equity.png",
        "rank_ic.png",
    ]  # fmt: skip
    assert "Returns by month 21 sessions (2021-03-01 to 2021-03-29), 42 are needed" in words
    assert "Returns by year 21 sessions (2021-03-01 to 2021-03-29), 252 are needed" in words
    assert "Rolling Sharpe 21 sessions (2021-03-01 to 2021-03-29), 83 are needed" in words
    assert "Exposure trades on 1 session, 5 are needed" in words
    assert "Distribution of returns 1 trade, 20 are needed" in words


def test_without_trades_the_page_says_so_in_words_and_what_a_trade_would_have_needed(pages):
    words = Parsed(pages["idle"].html).words
    assert "Nothing was traded, so the strategy's line is flat." in words
    assert "Best and worst trades no trades" in words
    assert re.search(r"Highest forecast [\d.]+\u202fbp a trade needs more than 10.0\u202fbp", words)
    assert "Sharpe, net, a year" not in words


@pytest.mark.parametrize("kind", KINDS)
def test_no_figure_of_the_page_is_nan(pages, kind):
    words = Parsed(pages[kind].html).words
    assert "nan" not in words.lower().split()


def key_figure(sheet, label):
    return next((f for f in key_figures(sheet) if f.label == label), None)


def test_an_undefined_key_figure_says_why_and_one_that_was_not_measured_is_left_out():
    sheet = made_sheet.sheet(1, 1)
    sharpe = key_figure(sheet, "Sharpe, net, a year")
    assert (sharpe.value, sharpe.note) == ("\N{EN DASH}", "one session")
    unmeasured = {name: v for name, v in sheet.metrics.items() if name != "backtest/sharpe"}
    assert key_figure(replace(sheet, metrics=unmeasured), "Sharpe, net, a year") is None
    assert key_figure(sheet, "Winning trades").note == "of 1 trade, after costs"


def test_a_constant_forecast_has_neither_rank_ic_nor_deciles():
    words = Parsed(page(made_sheet.sheet(21, 0, constant=True)).html).words
    assert "Rank IC by session the forecasts differed between symbols on 0 sessions only" in words
    assert "Return by forecast decile the forecasts of 0 sessions could be cut" in words


def test_one_session_is_enough_for_a_page():
    Parsed(page(made_sheet.sheet(1, 1)).html)


def test_the_verdict_comes_first_and_words_are_escaped(pages):
    html = pages["short"].html
    assert html.index("Gates: rejected") < html.index('class="key-figures"') < html.index("<svg")
    assert "too few &lt;sessions&gt; &amp; trades" in html


def test_the_same_sheet_gives_the_same_bytes(pages):
    again = made_sheet.sheet(*KINDS["long"], searches=made_sheet.SEARCHES)
    assert page(again) == pages["long"]


def texts(table: tables.Table) -> list[list[str]]:
    return [[cell.text for cell in row] for row in table.rows]


def test_months_are_in_per_cent_and_shaded_by_size():
    monthly = made_sheet.sheet(60, 60).monthly
    monthly.loc[2021, [3, 4, 5, "year"]] = [0.0123, -0.0246, 0.0, -0.02]
    table = tables.monthly(monthly)
    assert [cell.text for cell in table.head] == ["Year", "Mar", "Apr", "May", "All"]
    assert texts(table) == [["2021", "1.2", "\u22122.5", "0.0", "\u22122.0"]]
    most = tables.MAX_OPACITY
    colors = [cell.color for cell in table.rows[0]]
    assert colors[1] == f"rgba({tables.GOOD_RGB},{most / 2:.2f})"
    assert colors[2] == f"rgba({tables.BAD_RGB},{most:.2f})"


def test_months_without_sessions_neither_gain_nor_lose():
    sheet = made_sheet.sheet(60, 60)  # March, April and May of one year
    gained = int((sheet.monthly.loc[2021, [3, 4, 5]] > 0).sum())
    assert f"{100 * gained / 3:.0f}\u202f% of 3 months gained" in Parsed(page(sheet).html).words


def test_a_strip_spans_its_interval_on_the_scale_of_all_groups():
    rates = made_sheet.sheet(60, 60).hit_rates["sector"]
    rates.loc["Energy", ["low", "hit_rate", "high"]] = [0.40, 0.50, 0.55]
    (table,) = tables.hit_rates({"sector": rates})
    assert table.head[3].text == "40 to 60\u202f%"
    assert table.rows[0][3].strip == tables.Strip(at=50.0, left=0.0, width=75.0)


def test_a_gap_shows_where_trades_are_left_out():
    table = tables.extremes(made_sheet.sheet(60, 60).extremes)
    assert [row[0] for row in texts(table)] == [str(n) for n in (*range(1, 8), *range(54, 61))]
    assert table.breaks == [6]
