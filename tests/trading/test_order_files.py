"""Order files, word for word; auctions take whole shares; deadlines of half days are earlier."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from pipeline.config.compose import check, compose
from pipeline.io.store.store import Store
from pipeline.serving.broker import write_order_files
from pipeline.trading.order_files import (
    Cutoffs,
    Deadlines,
    alpaca_orders,
    legs,
    plain_csv,
    tws_basket,
)
from tests.workspaces import workspace

NAN = float("nan")
ORDERS = pd.DataFrame(
    [["AAA", "long", 100.0, NAN, 0.01], ["BRK-B", "short", 7.9, 412.5, -0.01],
     ["CCC", "long", 0.4, NAN, 0.002], ["^GSPC", "short", 3.0, NAN, NAN]],
    columns=["symbol", "side", "shares", "limit", "prediction"],
)  # fmt: skip
STOCKS = ORDERS.iloc[:3]
NEW_YORK = Cutoffs(opening=2, closing=10)
SUMMER = Deadlines.of(
    pd.Timestamp("2024-05-01T13:30Z"), pd.Timestamp("2024-05-01T20:00Z"), NEW_YORK
)


CONFIGURED = check(compose([])).auctions


def test_each_exchange_has_its_own_deadline_and_others_the_default() -> None:
    opens, closes = (pd.Timestamp(f"2024-05-02T{hour}Z") for hour in ("01:30", "08:00"))
    hong_kong = Deadlines.of(opens, closes, CONFIGURED.of("XHKG"))
    assert hong_kong == (pd.Timestamp("2024-05-02T01:20Z"), closes)
    assert CONFIGURED.of("XNYS") == NEW_YORK
    assert CONFIGURED.of("XNAS").closing == 5
    assert CONFIGURED.of("XBOM") == CONFIGURED.default


def test_a_basket_has_a_header_before_each_type_of_order() -> None:
    head = "Action,Quantity,Symbol,SecType,Exchange,Currency,TimeInForce,OrderType"
    assert tws_basket(legs(STOCKS)) == (
        f"{head}\nBUY,100,AAA,STK,SMART,USD,OPG,MKT\n\n"
        f"{head},LmtPrice\nSELL,7,BRK B,STK,SMART,USD,OPG,LMT,412.50\n\n"
        f"{head}\nSELL,100,AAA,STK,SMART,USD,DAY,MOC\nBUY,7,BRK B,STK,SMART,USD,DAY,MOC\n"
    )


def test_alpaca_takes_texts_and_one_auction_each() -> None:
    first, second, *exits = json.loads(alpaca_orders(legs(STOCKS), "2024-05-01"))
    assert first == {"symbol": "AAA", "qty": "100", "side": "buy", "type": "market",
                     "time_in_force": "opg", "client_order_id": "2024-05-01-AAA-in"}  # fmt: skip
    assert (second["type"], second["limit_price"], second["symbol"]) == ("limit", "412.50", "BRK.B")
    assert [(each["side"], each["time_in_force"], each["type"]) for each in exits] == [
        ("sell", "cls", "market"), ("buy", "cls", "market"),
    ]  # fmt: skip


def test_the_plain_list_tells_until_when_each_order_is_taken() -> None:
    rows = plain_csv(legs(STOCKS), "2024-05-01", SUMMER).splitlines()
    assert rows[1] == "2024-05-01,AAA,BUY,100,market-on-open,,2024-05-01T13:28:00Z"
    assert rows[2] == "2024-05-01,BRK-B,SELL,7,limit-on-open,412.50,2024-05-01T13:28:00Z"
    assert rows[3] == "2024-05-01,AAA,SELL,100,market-on-close,,2024-05-01T19:50:00Z"


def test_no_cell_is_a_formula() -> None:
    listed = [leg._replace(symbol="=HYPERLINK(1)") for leg in legs(STOCKS)]
    assert ",'=HYPERLINK(1),BUY," in plain_csv(listed, "2024-05-01", SUMMER)


@pytest.mark.parametrize(
    ("session", "until"),
    [("2024-05-01", "13:28"), ("2024-01-10", "14:28"), ("2024-11-29", "14:28")],
)
def test_files_are_written_until_the_deadline_and_never_after(
    tmp_path: Path, session: str, until: str
) -> None:
    day = pd.Timestamp(session)
    deadline = pd.Timestamp(f"{session}T{until}Z")
    with Store.open(tmp_path / "s.db") as store:
        space = workspace(store)
        files, said = write_order_files(space, ORDERS, day, deadline)
        assert (files, "took orders for" in said) == ([], True)
        assert not (tmp_path / "orders").exists()
        files, said = write_order_files(space, ORDERS, day, deadline - pd.Timedelta(seconds=1))
    assert [path.name.removeprefix(session) for path in files] == [
        ".csv", "_tws_basket.csv", "_alpaca.json",
    ]  # fmt: skip
    assert "1 orders of less than a share are left out" in said
    assert "GSPC" not in files[0].read_text()
    said_times = "from 19:00 of the evening before, opg until 09:28, cls until "
    closing = "12:50" if session == "2024-11-29" else "15:50"
    assert f"Alpaca takes them {said_times}{closing}, New York time." in said


def test_a_half_day_closes_its_auction_early(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        moment = pd.Timestamp("2024-11-29T10:00Z")
        files, _ = write_order_files(workspace(store), ORDERS, pd.Timestamp("2024-11-29"), moment)
    assert "market-on-close,,2024-11-29T17:50:00Z" in files[0].read_text()


def test_orders_of_parts_of_shares_alone_make_no_file(tmp_path: Path) -> None:
    with Store.open(tmp_path / "s.db") as store:
        moment = pd.Timestamp("2024-05-01T10:00Z")
        parts = ORDERS.iloc[[2]]
        files, said = write_order_files(workspace(store), parts, pd.Timestamp("2024-05-01"), moment)
    assert (files, said) == ([], "No order files: there is no order of a whole share.")


def test_files_of_an_earlier_run_go_when_there_are_no_orders_left_but_not_after_the_deadline(
    tmp_path: Path,
) -> None:
    day, moment = pd.Timestamp("2024-05-01"), pd.Timestamp("2024-05-01T10:00Z")
    other = tmp_path / "orders" / "2024-05-02.csv"
    with Store.open(tmp_path / "s.db") as store:
        space = workspace(store)
        files, _ = write_order_files(space, ORDERS, day, moment)
        other.write_text("of another session")
        write_order_files(space, ORDERS.iloc[:0], day, SUMMER.opening)
        assert all(path.exists() for path in files)
        write_order_files(space, ORDERS.iloc[:0], day, moment)
    assert list(other.parent.iterdir()) == [other]


def test_formats_of_american_brokers_are_not_written_for_another_exchange(tmp_path: Path) -> None:
    day = pd.Timestamp("2024-05-01")
    with Store.open(tmp_path / "s.db") as store:
        space = workspace(store, exchange_calendar="XLON", cutoffs=CONFIGURED.of("XLON"))
        until = pd.Timestamp("2024-05-01T06:59Z")
        (file,), said = write_order_files(space, ORDERS, day, until - pd.Timedelta(seconds=1))
        assert write_order_files(space, ORDERS, day, until)[0] == []
    deadlines = [row.split(",")[-1] for row in file.read_text().splitlines()[1:]]
    assert set(deadlines) == {"2024-05-01T06:59:00Z", "2024-05-01T15:30:00Z"}
    assert "for American exchanges only" in said
    assert [path.name for path in (tmp_path / "orders").iterdir()] == ["2024-05-01.csv"]
