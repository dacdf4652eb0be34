"""Never run against the live service: answers are made by hand, see `yahoo_answers`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.errors import NotReady
from pipeline.io import calendar
from pipeline.io.sources.protocol import DELISTED, NOT_DELIVERED, Delivery
from pipeline.io.sources.settings import YahooData
from pipeline.io.sources.universe import read_universe, spelling
from pipeline.io.sources.yahoo.cleaning import BAR_MISSING, ENDED, with_late_splits
from pipeline.io.sources.yahoo.download import NO_BARS
from pipeline.io.sources.yahoo.source import Yahoo
from pipeline.io.store.increments import Increment, increment
from pipeline.io.store.store import Store
from pipeline.schemas import BAR_FIELDS, SYMBOL
from tests.io.sources import yahoo_answers as answers
from tests.io.sources.yahoo_answers import Listing, Servers

pytestmark = pytest.mark.usefixtures("forgetful_yfinance")

SESSIONS = calendar.sessions("XNYS", pd.Timestamp("2024-05-01"), pd.Timestamp("2024-06-05"))
EVENING = "2024-06-05 22:00"
INDICES = ("^GSPC", "^IXIC", "^VIX")


def listings(*symbols: str) -> dict[str, Listing]:
    stocks = {name: Listing(answers.bars(SESSIONS)) for name in symbols}
    indices = {name: Listing(answers.bars(SESSIONS, 5000, 0), kind="INDEX") for name in INDICES}
    return stocks | indices


@pytest.fixture
def yahoo(tmp_path: Path) -> Callable[..., Yahoo]:
    """A provider on the servers given, at a moment in UTC; it never waits."""

    def made(servers: Servers, symbols: str = "", now: str = EVENING, **rules: object) -> Yahoo:
        universe = tmp_path / "universe.csv"
        names = symbols.split() or [name for name in servers.listings if name[0] != "^"]
        universe.write_text("\n".join(["symbol", *names]) + "\n")
        values = {
            "start": "2024-05-01", "batch_size": 50, "threads": 2, "attempts": 3,
            "backoff_seconds": 5, "timeout_seconds": 1, "close_delay_minutes": 30,
            "overlap_sessions": 4,
        }  # fmt: skip
        chosen = {"name": "yfinance", "market_index": None, "exchange_calendar": "XNYS"}
        waits: list[float] = []
        how = YahooData.model_validate(chosen | {"download": values | rules})
        source = Yahoo(
            how,
            read_universe(universe, spelling(how), 50),
            now=lambda: pd.Timestamp(now, tz="UTC"),
            session=servers,
            pause=waits.append,
        )
        source.waits = waits  # type: ignore[attr-defined]
        return source

    return made


@pytest.fixture
def store(tmp_path: Path):
    opened = Store.open(tmp_path / "yfinance.db")
    yield opened
    opened.close()


def reasons(delivery: Delivery) -> dict[str, str]:
    return delivery.gaps.set_index(SYMBOL)["reason"].to_dict()


def ingest(source: Yahoo, store: Store, **asked: pd.Timestamp) -> Increment:
    """What the stage does."""
    store.write_symbols(source.symbols())
    stocks = list(source.symbols().query("kind == 'stock'").index)
    read = increment(source, store, stocks, 4, **asked)
    store.write_bars(read.stocks, read.readjusted)
    store.write_bars(read.indices)
    return read


# ---- symbols ----


def test_share_classes_are_written_with_a_dash_and_indices_are_of_their_own_kind(yahoo):
    listed = yahoo(Servers(listings("BRK.B", "AAPL"))).symbols()
    assert list(listed.index) == ["AAPL", "BRK-B", "^GSPC", "^IXIC", "^VIX"]
    assert list(listed["kind"]) == ["stock", "stock", "index", "index", "index"]


def test_the_universe_that_ships_has_unique_symbols_with_exchange_sector_and_name():
    source = build.source(check(compose(["data=yfinance", "universe=sp500"])))
    stocks = source.symbols().query("kind == 'stock'")
    assert len(stocks) == 503
    assert stocks.notna().all(axis=None)
    assert stocks["sector"].nunique() == 11
    assert {"BRK-B", "BF-B"} <= set(stocks.index)


def test_five_symbols_on_the_command_line_are_a_universe_also_for_a_whole_refresh():
    settings = check(compose(["data=yfinance", "symbols=[AAPL,brk.b]"]))
    for chosen in (settings, settings.whole_history()):
        stocks = build.source(chosen).symbols().query("kind == 'stock'")
        assert list(stocks.index) == ["AAPL", "BRK-B"]
        assert build.members(chosen) == ("AAPL", "BRK-B")
        assert not build.selection(chosen).is_partial


def test_splits_and_dividends_are_a_table_of_their_own(yahoo):
    listed = listings("NVDA", "KO")
    listed["KO"].dividends = {"2024-05-15": 0.485}
    listed["NVDA"].splits = {"2024-05-20": (10, 1)}
    actions = yahoo(Servers(listed)).bars().actions.astype({"session": "str"})
    assert actions.fillna(0.0).to_numpy().tolist() == [
        ["2024-05-15", "KO", 0.0, 0.485], ["2024-05-20", "NVDA", 10.0, 0.0],
    ]  # fmt: skip


def test_all_splits_are_known_of_a_whole_history_alone(yahoo):
    listed = listings("NVDA", "KO")
    listed["NVDA"].splits = {"2024-05-20": (10, 1)}
    source = yahoo(Servers(listed))
    assert source.bars().all_splits == {"NVDA", "KO"}
    later = pd.Timestamp(SESSIONS[0]) + pd.Timedelta(days=1)
    assert source.bars(start=later).all_splits == frozenset()


# ---- what is stored ----


def test_bars_of_several_symbols_arrive_as_yahoo_keeps_them(yahoo):
    servers = Servers(listings("AAPL", "BRK.B") | {"BRK-B": Listing(answers.bars(SESSIONS, 400))})
    found = yahoo(servers, "AAPL BRK.B").bars()
    assert list(found.bars.columns) == [*BAR_FIELDS, "final"]
    assert found.bars.index.is_monotonic_increasing
    assert found.bars.loc[("2024-05-02", "BRK-B"), "close"].item() == 400.01
    assert len(found.bars) == 2 * len(SESSIONS)
    assert found.gaps.empty
    assert found.quarantine.empty


def test_dividends_change_no_price_and_the_adjusted_close_is_left_out(yahoo):
    listed = listings("KO")
    listed["KO"].dividends = {"2024-05-15": 0.485}
    found = yahoo(Servers(listed)).bars().bars.xs("KO", level=SYMBOL)
    expected = answers.bars(SESSIONS)
    np.testing.assert_array_equal(found["close"], expected["close"])
    np.testing.assert_array_equal(found["open"], expected["open"])


def test_a_split_that_yahoo_has_applied_changes_nothing(yahoo):
    listed = listings("NVDA")
    listed["NVDA"].splits = {"2024-05-20": (10, 1)}
    found = yahoo(Servers(listed)).bars().bars.xs("NVDA", level=SYMBOL)
    np.testing.assert_array_equal(found["close"], answers.bars(SESSIONS)["close"])
    np.testing.assert_array_equal(found["volume"], 1e6)


def test_a_split_that_yahoo_only_announced_is_applied_to_prices_and_volumes(yahoo):
    listed = listings("NVDA")
    before = SESSIONS < "2024-05-20"
    late = listed["NVDA"].bars
    late.loc[before, ["open", "high", "low", "close"]] *= 10
    late.loc[before, "volume"] /= 10
    listed["NVDA"].splits = {"2024-05-20": (10, 1)}
    found = yahoo(Servers(listed)).bars().bars.xs("NVDA", level=SYMBOL)
    expected = answers.bars(SESSIONS)[list(BAR_FIELDS)]
    np.testing.assert_allclose(found[list(BAR_FIELDS)], expected, rtol=1e-12)


@given(st.sampled_from([2.0, 3.0, 10.0, 1.5, 0.1, 0.5]), st.integers(1, 18))
@settings(max_examples=30, deadline=None)
def test_a_late_split_leaves_open_to_close_and_dollar_volume_as_they_were(ratio, at):
    bars = answers.bars(SESSIONS)[list(BAR_FIELDS)]
    late = bars.copy()
    late.loc[SESSIONS[:at], ["open", "high", "low", "close"]] *= ratio
    late.loc[SESSIONS[:at], "volume"] /= ratio
    applied = with_late_splits(late.copy(), pd.Series({SESSIONS[at]: ratio}))
    np.testing.assert_allclose(applied, bars, rtol=1e-12)
    dollars = applied["close"] * applied["volume"]
    np.testing.assert_allclose(dollars, late["close"] * late["volume"], rtol=1e-12)


# ---- what is set aside, what is missing ----


def test_bad_bars_are_quarantined_with_their_reason(yahoo):
    listed = listings("BAD")
    bars = listed["BAD"].bars
    bars.loc["2024-05-02"] = np.nan
    bars.loc["2024-05-03", "open"] = np.nan
    bars.loc["2024-05-06", "low"] = 0
    bars.loc["2024-05-07", "high"] = 50
    bars.loc["2024-05-08", "low"] = 99.9
    bars.loc["2024-05-09", "volume"] = 0
    found = yahoo(Servers(listed)).bars()
    assert list(found.quarantine["reason"]) == [
        "price missing", "price missing", "price not positive", "high below another price",
        "low above another price", "no volume",
    ]  # fmt: skip
    assert len(found.bars) == len(SESSIONS) - 6
    assert found.gaps.empty


def test_an_index_needs_no_volume_but_a_session(yahoo):
    listed = listings("AAPL")
    memorial_day = pd.DatetimeIndex(["2024-05-27"])
    vix = answers.bars(SESSIONS.union(memorial_day), 15, 0)
    found = yahoo(Servers(listed | {"^VIX": Listing(vix, kind="INDEX")})).index_bars()
    assert set(found.bars.index.unique(SYMBOL)) == set(INDICES)
    assert found.quarantine[["symbol", "reason"]].to_numpy().tolist() == [
        ["^VIX", "not a session of the exchange"]
    ]


def test_sessions_without_a_bar_are_gaps_from_the_first_bar_on(yahoo):
    listed = listings("NEW", "OLD")
    listed["NEW"].bars = listed["NEW"].bars.loc["2024-05-20":].drop(pd.Timestamp("2024-05-22"))
    listed["OLD"].bars = listed["OLD"].bars.loc[:"2024-06-03"]
    found = yahoo(Servers(listed)).bars().gaps
    assert [(str(row.session.date()), row.symbol, row.reason) for row in found.itertuples()] == [
        ("2024-05-22", "NEW", BAR_MISSING),
        ("2024-06-04", "OLD", ENDED),
        ("2024-06-05", "OLD", ENDED),
    ]


def test_a_symbol_yahoo_no_longer_has_is_recorded_as_delisted_after_one_request(yahoo):
    servers = Servers(listings("AAPL"))
    found = yahoo(servers, "AAPL GONE").bars()
    assert reasons(found) == {"GONE": DELISTED}
    assert found.failed.empty
    assert len(servers.charts("GONE")) == 2  # yfinance repeats a refusal with its other cookie


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, answers.error({
            "code": "Bad Request",
            "description": "Data doesn't exist for startDate = 1714536000, endDate = 1717646400",
        })),
        (200, {"chart": {"result": [{
            "meta": answers.meta("NEW", listings("NEW")["NEW"]),
            "indicators": {"quote": [{}], "adjclose": [{}]},
        }], "error": None}}),
    ],
    ids=["said so", "empty result"],
)  # fmt: skip
def test_an_answer_without_bars_is_one_and_is_not_asked_for_again(yahoo, status, body):
    servers = Servers(listings("AAPL", "NEW"))
    servers.always["NEW"] = (status, body)
    source = yahoo(servers)
    assert reasons(source.bars()) == {"NEW": NO_BARS}
    assert source.waits == []


# ---- failures ----

DOWN = (502, b"<html><body>Bad Gateway</body></html>")
TOO_MANY = (429, b"Too Many Requests\r\n")
CRUMB = (401, {"finance": {"result": None, "error": {
    "code": "Unauthorized", "description": "Invalid Crumb"}}})  # fmt: skip
INTERNAL = (500, answers.error({"code": "Internal Server Error", "description": "try later"}))


@pytest.mark.parametrize("refusal", [DOWN, TOO_MANY, CRUMB, INTERNAL])
def test_what_may_pass_is_asked_for_again_after_waits_that_double(yahoo, refusal):
    servers = Servers(listings("AAPL", "MSFT"))
    servers.refusals["MSFT"] = [refusal] * 4
    source = yahoo(servers)
    found = source.bars()
    assert set(found.bars.index.unique(SYMBOL)) == {"AAPL", "MSFT"}
    assert found.gaps.empty
    assert source.waits == [5, 10]
    assert len(servers.charts("AAPL")) == 1


@pytest.mark.parametrize(
    ("refusal", "words"),
    [(DOWN, "JSON"), (TOO_MANY, "rate limited"), (CRUMB, "without prices"), (INTERNAL, "later")],
)
def test_what_never_passes_is_named_with_its_reason_and_the_rest_arrives(yahoo, refusal, words):
    servers = Servers(listings("AAPL", "MSFT"))
    servers.always["MSFT"] = refusal
    found = yahoo(servers).bars()
    assert list(found.bars.index.unique(SYMBOL)) == ["AAPL"]
    assert list(found.failed.index) == ["MSFT"]
    assert found.failed["MSFT"].startswith(NOT_DELIVERED)
    assert words in found.failed["MSFT"]


def test_a_broken_connection_is_named(yahoo, monkeypatch):
    servers = Servers(listings("AAPL"))

    def broken(*_: object, **__: object):
        raise ConnectionError("could not resolve host")

    monkeypatch.setattr(servers, "_chart", broken)
    assert "could not resolve host" in yahoo(servers).bars().failed["AAPL"]


def test_a_rate_limit_that_stays_ends_the_asking_and_names_who_was_not_asked_for(yahoo):
    servers = Servers(listings("A", "B", "C", "D"))
    servers.always["B"] = TOO_MANY
    found = yahoo(servers, batch_size=2).bars()
    assert list(found.bars.index.unique(SYMBOL)) == ["A"]
    assert list(found.failed.index) == ["B", "C", "D"]
    assert servers.charts("C") == []


def test_without_a_network_the_first_batch_ends_the_asking(yahoo):
    servers = Servers(listings("A", "B", "C", "D"))
    servers.always = dict.fromkeys("AB", DOWN)
    source = yahoo(servers, batch_size=2)
    assert list(source.bars().failed.index) == ["A", "B", "C", "D"]
    assert servers.charts("C") == []
    assert source.waits == [5, 10]


def test_hidden_errors_of_yfinance_are_hidden_again_afterwards(yahoo):
    import yfinance

    before = yfinance.config.debug.hide_exceptions
    yahoo(Servers(listings("AAPL"))).bars()
    assert yfinance.config.debug.hide_exceptions == before


# ---- the clock ----


@pytest.mark.parametrize(
    ("now", "closed", "opened"),
    [
        ("2024-06-05 13:00", "2024-06-04", "2024-06-04"),  # before the open
        ("2024-06-05 18:00", "2024-06-04", "2024-06-05"),  # in the session
        ("2024-06-05 20:29", "2024-06-04", "2024-06-05"),  # closed, the delay not over
        ("2024-06-05 20:30", "2024-06-05", "2024-06-05"),
        ("2024-05-27 22:00", "2024-05-24", "2024-05-24"),  # a holiday after a weekend
        ("2023-11-24 18:30", "2023-11-24", "2023-11-24"),  # closed early, at 13:00 in New York
    ],
)
def test_a_session_is_final_once_it_closed_and_the_delay_is_over(yahoo, now, closed, opened):
    source = yahoo(Servers(listings("AAPL")), now=now)
    assert source.last_session() == pd.Timestamp(closed)
    assert source.newest_session() == pd.Timestamp(opened)


def test_the_newest_bar_is_provisional_until_then(yahoo):
    found = yahoo(Servers(listings("AAPL")), now="2024-06-05 20:00").bars().bars["final"]
    assert not found.iloc[-1]
    assert found.iloc[:-1].all()


# ---- increments ----


def test_only_what_is_missing_and_the_overlap_are_asked_for(yahoo, store):
    servers = Servers(listings("AAPL"))
    first = ingest(yahoo(servers, now="2024-05-31 22:00"), store)
    servers.asked.clear()
    second = ingest(yahoo(servers), store)
    assert (first.requested, second.requested, second.readjusted) == (1, 1, ())
    asked = pd.to_datetime([p["period1"] for _, p in servers.charts()], unit="s").normalize()
    assert set(asked) == {pd.Timestamp("2024-05-28")}  # the last 4 final sessions, Memorial Day off
    assert second.stocks.bars.index[0][0] == pd.Timestamp("2024-05-28")
    assert len(store.bar_panel().close) == len(SESSIONS)


def test_what_goes_ex_is_stored_of_first_and_later_answers(yahoo, store):
    listed = listings("KO", "NVDA")
    listed["KO"].dividends = {"2024-05-15": 0.485, "2024-06-03": 0.485}
    listed["NVDA"].splits = {"2024-05-20": (10, 1)}
    servers = Servers(listed)
    for now in ("2024-05-31 22:00", "2024-06-05 22:00"):
        ingest(yahoo(servers, now=now), store)
    ex = store.goes_ex().stack()
    assert [(f"{day:%Y-%m-%d}", name) for day, name in ex[ex].index] == [
        ("2024-05-15", "KO"), ("2024-05-20", "NVDA"), ("2024-06-03", "KO"),
    ]  # fmt: skip


def test_nothing_is_asked_for_where_nothing_is_missing(yahoo, store):
    servers = Servers(listings("AAPL"))
    ingest(yahoo(servers), store)
    servers.asked.clear()
    revision = store.revision()
    read = ingest(yahoo(servers), store)
    assert servers.asked == []
    assert read.requested == 0
    assert store.revision() == revision


def test_the_provisional_bar_is_read_again_and_becomes_final(yahoo, store):
    listed = listings("AAPL")
    servers = Servers(listed)
    ingest(yahoo(servers, now="2024-06-05 15:00"), store)
    assert not store.final_mask().iloc[-1, 0]
    listed["AAPL"].bars.iloc[-1, 3] = 100.9
    ingest(yahoo(servers), store)
    assert store.final_mask().all(axis=None)
    assert store.bar_panel().close.iloc[-1, 0] == 100.9


def test_a_history_that_was_adjusted_again_is_read_as_a_whole(yahoo, store):
    listed = listings("NVDA", "AAPL")
    servers = Servers(listed)
    ingest(yahoo(servers, now="2024-05-31 22:00"), store)
    listed["NVDA"].bars[["open", "high", "low", "close"]] /= 10
    listed["NVDA"].bars["volume"] *= 10
    servers.asked.clear()
    read = ingest(yahoo(servers), store)
    assert read.readjusted == ("NVDA",)
    assert len(servers.charts("NVDA")) == 2
    assert len(servers.charts("AAPL")) == 1
    stored = store.bar_panel()
    np.testing.assert_allclose(stored.close["NVDA"], listed["NVDA"].bars["close"])
    np.testing.assert_allclose(stored.volume["NVDA"], 1e7)


def test_bars_of_the_old_adjustment_that_yahoo_no_longer_gives_do_not_stay(yahoo, store):
    listed = listings("NVDA")
    servers = Servers(listed)
    ingest(yahoo(servers, now="2024-05-31 22:00"), store)
    listed["NVDA"].bars = listed["NVDA"].bars.loc["2024-05-10":] / 10
    ingest(yahoo(servers), store)
    assert store.sessions()[0] == pd.Timestamp("2024-05-10")
    assert store.bar_panel().close["NVDA"].max() < 11
    gone = store.causes().set_index("what").loc["gone"]
    assert (gone["symbol"], gone["first_session"]) == ("NVDA", pd.Timestamp("2024-05-01"))


def test_a_changed_history_that_does_not_arrive_leaves_the_store_as_it_was(yahoo, store):
    listed = listings("AAPL", "NVDA")
    servers = Servers(listed)
    ingest(yahoo(servers, now="2024-05-31 22:00"), store)
    listed["NVDA"].bars[["open", "high", "low", "close"]] /= 10
    servers.refusals["NVDA"] = [None, *[TOO_MANY] * 6]  # the overlap comes, the history does not
    read = ingest(yahoo(servers), store)
    assert read.readjusted == ()
    assert list(read.stocks.failed.index) == ["NVDA"]
    stored = store.bar_panel().close["NVDA"].dropna()
    assert stored.index[-1] == pd.Timestamp("2024-05-31")
    assert stored.min() == 100


def test_a_single_corrected_price_is_written_without_reading_everything(yahoo, store):
    listed = listings("AAPL")
    servers = Servers(listed)
    ingest(yahoo(servers, now="2024-05-31 22:00"), store)
    listed["AAPL"].bars.loc["2024-05-28", "close"] = 101
    read = ingest(yahoo(servers), store)
    assert read.readjusted == ()
    assert store.bar_panel().close.loc["2024-05-28", "AAPL"] == 101


def test_a_range_of_older_sessions_is_joined_only_to_history_of_the_same_adjustment(yahoo, store):
    listed = listings("NVDA")
    servers = Servers(listed)
    ingest(yahoo(servers, start="2024-05-20"), store)
    listed["NVDA"].bars[["open", "high", "low", "close"]] /= 10
    read = ingest(yahoo(servers, start="2024-05-20"), store, first=SESSIONS[0], last=SESSIONS[3])
    assert read.readjusted == ("NVDA",)
    assert store.bar_panel().close["NVDA"].max() < 11
    assert store.sessions()[0] == SESSIONS[0]


def test_a_new_symbol_is_read_from_the_start_beside_known_ones(yahoo, store):
    servers = Servers(listings("AAPL", "MSFT"))
    ingest(yahoo(servers, "AAPL", now="2024-05-31 22:00"), store)
    read = ingest(yahoo(servers, "AAPL MSFT"), store)
    assert read.requested == 2
    assert store.bar_panel().close.notna().all(axis=None)


def test_no_answer_at_all_is_refused_and_says_why(yahoo, store):
    servers = Servers(listings("AAPL", "MSFT"))
    servers.always = {"AAPL": TOO_MANY, "MSFT": TOO_MANY}
    with pytest.raises(NotReady, match="any of 2 symbols: rate limited"):
        ingest(yahoo(servers), store)
    assert store.sessions().empty


def test_a_gap_ends_when_its_bar_arrives(yahoo, store):
    servers = Servers(listings("AAPL", "MSFT"))
    servers.always["MSFT"] = DOWN
    ingest(yahoo(servers), store)
    assert list(store.gaps()["symbol"]) == ["MSFT"]
    servers.always.clear()
    read = ingest(yahoo(servers), store)
    assert read.requested == 1
    assert store.gaps().empty
