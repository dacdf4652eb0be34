"""What came of a session against what the backtest says: data, signal, fill and cost, to the cent.

Four books of the same session, from what could have been to what was, each in whole cents:

1. *backtest*: the version's forecasts as they are made from the data of now, traded by its rules;
2. *derived*: the forecasts that were sealed on the evening, traded by the same rules now;
3. *sealed*: the orders that were sealed on the evening, at the session's open and close;
4. *account*: the fills, at their prices and fees.

signal = 2 - 1, data = 3 - 2 (prices and liquidity that orders were sized by have changed since),
fill = 4 - 3, all before costs; cost = what the backtest charged less the fees paid. The four add up
to the account's net P&L less the backtest's.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd

from pipeline.errors import Fault, InvalidData
from pipeline.monitor.orders import SealedOrder
from pipeline.trading.strategy import LONG

CENTS = 100
COLUMNS = ("session", "symbol", "side", "shares", "price", "fees")
PARTS = ("data", "signal", "fill", "cost")


class Book(NamedTuple):
    """P&L of a session before costs, and the costs, in whole cents."""

    gross: int
    costs: int

    @property
    def net(self) -> int:
        """After costs."""
        return self.gross - self.costs


class Split(NamedTuple):
    """The difference of account and backtest of a session and its parts, in whole cents."""

    session: str
    backtest: int
    account: int
    data: int
    signal: int
    fill: int
    cost: int

    @property
    def difference(self) -> int:
        """Account less backtest."""
        return self.account - self.backtest


def split(session: str, backtest: Book, derived: Book, sealed: int, account: Book) -> Split:
    """The parts of the difference.

    Parameters
    ----------
    sealed
        Of the sealed orders before costs, in cents.

    Examples
    --------
    >>> made = split("2024-05-01", Book(1000, 100), Book(1200, 100), 1150, Book(1100, 30))
    >>> made.difference, made.signal + made.data + made.fill + made.cost
    (170, 170)
    """
    made = Split(
        session=session,
        backtest=backtest.net,
        account=account.net,
        data=sealed - derived.gross,
        signal=derived.gross - backtest.gross,
        fill=account.gross - sealed,
        cost=backtest.costs - account.costs,
    )
    assert sum(getattr(made, part) for part in PARTS) == made.difference
    return made


def fills_of(text: str, name: str) -> pd.DataFrame:
    """A CSV of fills: columns session, symbol, side (buy or sell), shares, price, fees.

    Raises
    ------
    InvalidData
        Every row that cannot be read is a fault of it, and every symbol that was not flat at the
        end.
    """
    rows = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    rows.columns = rows.columns.str.strip().str.lower()
    missing = [column for column in COLUMNS if column not in rows]
    if missing:
        raise InvalidData(
            "reconcile", f"{name} lacks {', '.join(missing)}", ", ".join(COLUMNS),
            faults=[Fault(column, "no such column") for column in missing],
        )  # fmt: skip
    numbers = {c: pd.to_numeric(rows[c], errors="coerce") for c in ("shares", "price", "fees")}
    read = pd.DataFrame(
        {
            "session": pd.to_datetime(rows["session"], errors="coerce", format="%Y-%m-%d"),
            "symbol": rows["symbol"].str.strip(),
            "side": rows["side"].str.strip().str.lower(),
            **numbers,
        }
    )
    wrong = (
        read.isna().any(axis=1)
        | ~read["side"].isin(["buy", "sell"])
        | ~(read["shares"] > 0.0)
        | ~(read["price"] > 0.0)
        | (read["symbol"] == "")
    )
    faults = [
        Fault(f"row {place + 2}", ",".join(rows.iloc[place][list(COLUMNS)]))
        for place in wrong.to_numpy().nonzero()[0]
    ]
    signed = read["shares"].where(read["side"] == "buy", -read["shares"])
    left = signed.groupby([read["session"], read["symbol"]]).sum().round(9)
    faults += [
        Fault(
            f"{row.symbol} on {pd.Timestamp(str(row.session)):%Y-%m-%d}",
            f"{float(str(row.shares)):g} shares left at the end",
        )
        for row in left[left != 0.0].rename("shares").reset_index().itertuples()
    ]
    if faults:
        more = f"; and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise InvalidData(
            "reconcile",
            f"{name}: " + "; ".join(map(str, faults[:10])) + more,
            "shares and prices above 0, fees as a number, side buy or sell, every position closed",
            faults=faults,
        )
    return read


def account_book(fills: pd.DataFrame) -> Book:
    """P&L of a session's fills before fees, and the fees.

    Parameters
    ----------
    fills
        Of one session: side, shares, price (currency per share), fees (currency).
    """
    sign = fills["side"].map({"buy": -1.0, "sell": 1.0})
    money = float((sign * fills["shares"] * fills["price"]).sum())
    return Book(cents(money), cents(float(fills["fees"].sum())))


def sealed_pnl(orders: Sequence[SealedOrder], opened: pd.Series, closed: pd.Series) -> int:
    """P&L of sealed orders from open to close, in cents.

    A symbol without a price in and out was not traded, nor one that opened beyond its limit.

    Parameters
    ----------
    opened, closed
        Currency by symbol, the hedge's too.
    """
    total = 0
    for order in orders:
        sign = 1.0 if order.side == LONG else -1.0
        start, end = (float(each.get(order.symbol, math.nan)) for each in (opened, closed))
        if math.isnan(end - start) or sign * (start - order.limit) > 0.0:
            continue
        total += cents(sign * order.shares * (end - start))
    return total


def cents(money: float) -> int:
    """Money in whole cents."""
    return round(money * CENTS)


def split_table(splits: list[Split]) -> pd.DataFrame:
    """Currency by session, and a last row of the totals; each row adds up to the cent."""
    rows = [{**each._asdict(), "difference": each.difference} for each in splits]
    table = pd.DataFrame(rows)
    total = {**table.drop(columns="session").sum().to_dict(), "session": "total"}
    whole = pd.concat([table, pd.DataFrame([total])], ignore_index=True)
    for name in whole.columns.drop("session"):
        whole[name] = whole[name].astype("int64") / CENTS
    return whole[["session", "backtest", *PARTS, "account", "difference"]]
