"""Times the backtest on a large panel, beside vectorbt on the same orders.

    python tests/benchmarks/backtest_speed.py [--sessions 3396] [--symbols 500] [--vectorbt PYTHON]

Prices and forecasts are generated; with the environment variable SHARED set, the panel under
``data/`` in it is traded too. Every line is a process of its own: CPU seconds of its first and its
best pass (user + system, set-up and imports left out), and the peak of its memory, set-up and
imports included. PYTHON is the interpreter of an environment with vectorbt, which is no dependency
of this project: its licence (Apache 2.0 with the Commons Clause) is not an open one.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[2]
PANEL = Path(os.environ.get("SHARED", "")) / "data" / "sp500_2010_2023.parquet"
BANKROLL = 100_000.0
PASSES = 3
JOBS = (
    "orders given",  # sized, filled and booked; already selected
    "equity",  # from bars and forecasts by the default rules to net returns
    "ledger",  # and to the ledger
    "sweep",  # 50 settings of it, each with its ledger
    "long_short", "institutional", "stops",  # other rules, ledger included
)  # fmt: skip


def generated(sessions: int, symbols: int) -> Any:
    """Bars of random walks."""
    from pipeline.schemas import BarPanel

    rng = np.random.default_rng(7)
    shape = (sessions, symbols)
    days = pd.bdate_range("2010-01-04", periods=sessions, name="session").as_unit("us")
    names = pd.Index([f"S{number:03d}" for number in range(symbols)], name="symbol")
    closes = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, shape), axis=0))
    opens = closes * np.exp(rng.normal(0.0, 0.01, shape))
    highs, lows = np.maximum(opens, closes) * 1.005, np.minimum(opens, closes) * 0.995
    fields = (opens.round(2), highs, lows, closes.round(2), rng.uniform(1e5, 1e7, shape))
    return BarPanel(*(pd.DataFrame(values, days, names) for values in fields))


def real() -> Any:
    """Bars of the shared panel."""
    from pipeline.schemas import BarPanel

    rows = pd.read_parquet(PANEL).rename(columns={"date": "session"})
    rows["session"] = pd.to_datetime(rows["session"]).astype("datetime64[us]")
    wide = {
        name: rows.pivot_table(index="session", columns="symbol", values=name).sort_index(axis=1)
        for name in ("open", "high", "low", "close", "volume")
    }
    return BarPanel(**wide)


def case(source: str, sessions: int, symbols: int) -> tuple[pd.DataFrame, Callable[[], Any]]:
    """Forecasts, and what makes a new market of the same bars."""
    from pipeline.trading.market import Market

    bars = real() if source == "real" else generated(sessions, symbols)
    rng = np.random.default_rng(11)
    forecasts = pd.DataFrame(
        rng.normal(0.0, 0.001, bars.close.shape), bars.sessions, bars.symbols
    ).where(bars.close.shift().notna())
    regimes = pd.Series("RANGING", bars.sessions)
    sectors = pd.Series("X", bars.symbols)
    return forecasts, lambda: Market.of_bars(
        bars, bars.sessions, regimes, sectors, bars.sessions[0] - pd.Timedelta(days=1)
    )


def rules(preset: str = "top_n", **changes: Any) -> Any:
    """The rules of a file in conf/strategy."""
    from pipeline.config import build
    from pipeline.config.compose import check, compose

    return build.rules(check(compose([f"strategy={preset}"]))).changed(**changes)


def job(name: str, forecasts: pd.DataFrame, market: Callable[[], Any]) -> Callable[[], Any]:
    """What is timed."""
    from pipeline.trading.backtest import backtest, backtests, traded_returns

    if name == "orders given":
        return filling(forecasts, market())
    default = rules()
    if name == "equity":
        return lambda: traded_returns(forecasts, market(), default, BANKROLL)
    if name == "ledger":
        return lambda: backtest(forecasts, market(), default, BANKROLL).ledger
    if name == "sweep":
        many = [rules(commission_bps=float(k % 5), max_positions=5 + k // 5) for k in range(50)]
        asked = [(chosen, BANKROLL) for chosen in many]
        return lambda: [each.net_returns for each in backtests(forecasts, market(), asked)]
    chosen = rules(name)
    return lambda: backtest(forecasts, market(), chosen, BANKROLL).ledger


def filling(forecasts: pd.DataFrame, market: Any) -> Callable[[], Any]:
    """Sizes, fills and books positions that are already selected."""
    from pipeline.trading.booking import equity_path
    from pipeline.trading.fills import fills, quotes
    from pipeline.trading.forecasts import Forecasts
    from pipeline.trading.slots import mapped
    from pipeline.trading.strategy import planned

    known = Forecasts(forecasts, market)
    orders = mapped(lambda values: values[:, None], planned(known, rules()))

    def filled() -> Any:
        traded = fills(orders, quotes(known, orders), 100)
        return equity_path(orders, traded, np.array([100 * BANKROLL]), 100)

    return filled


def timed(work: Callable[[], Any]) -> dict[str, float]:
    """CPU seconds of the first and the best pass, peak MB."""
    seconds = []
    for _ in range(PASSES):
        began = time.process_time()
        work()
        seconds.append(time.process_time() - began)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"first": seconds[0], "best": min(seconds), "peak_mb": peak}


VECTORBT = """
import json, resource, sys, time
began = time.process_time()
import numpy as np, pandas as pd, vectorbt as vbt
imports = time.process_time() - began
given = np.load(sys.argv[1])
price, size = pd.DataFrame(given["price"]), pd.DataFrame(given["size"])
seconds = []
for _ in range(3):
    began = time.process_time()
    books = vbt.Portfolio.from_orders(price, size, fees=0.0005, init_cash=float(given["bankroll"]),
                                      cash_sharing=True, group_by=True, freq="12h")
    equity = books.value().to_numpy()[1::2]
    seconds.append(time.process_time() - began)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"first": seconds[0], "best": min(seconds), "peak_mb": peak, "imports": imports,
                  "difference": float(np.abs(equity / given["equity"] - 1).max())}))
"""


def write_orders(path: Path, source: str, sessions: int, symbols: int, by_slot: bool) -> None:
    """Shares and prices of the default rules, two rows a session: bought, then sold.

    By symbol, as a panel of prices comes; or by slot, gathered to as many columns as positions.
    """
    from pipeline.trading.backtest import backtest

    forecasts, market = case(source, sessions, symbols)
    traded = market()
    result = backtest(forecasts, traded, rules(), BANKROLL, units=10**9)
    ledger = result.ledger
    row = forecasts.index.get_indexer(pd.Index(ledger["session"]))
    column = ledger["rank"].to_numpy() - 1
    width = int(ledger["rank"].max())
    prices = np.ones((2 * len(forecasts), width))
    if not by_slot:
        column = forecasts.columns.get_indexer(pd.Index(ledger["symbol"]))
        width = forecasts.shape[1]
        opens, closes = traded.open.to_numpy(), traded.close.to_numpy()
        prices = np.stack([opens, closes], axis=1).reshape(-1, width)
        prices = np.where(np.isnan(prices), 1.0, prices)
    size = np.full(prices.shape, np.nan)
    for offset, sign, name in ((0, 1.0, "open"), (1, -1.0, "exit_price")):
        size[2 * row + offset, column] = sign * ledger["shares_filled"]
        prices[2 * row + offset, column] = ledger[name].fillna(1.0)
    np.savez(path, price=prices, size=size, equity=result.equity.iloc[1:], bankroll=BANKROLL)


def measured(words: list[str]) -> dict[str, float]:
    """The figures that a process prints last."""
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Print one table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--sessions", type=int, default=3396)
    asked.add_argument("--symbols", type=int, default=500)
    asked.add_argument("--vectorbt", metavar="PYTHON")
    asked.add_argument("--one", nargs=2, metavar=("SOURCE", "JOB"), help=argparse.SUPPRESS)
    given = asked.parse_args()
    size = (given.sessions, given.symbols)
    if given.one:
        source, name = given.one
        print(json.dumps(timed(job(name, *case(source, *size)))))
        return
    own = [sys.executable, __file__, "--sessions", str(size[0]), "--symbols", str(size[1])]
    lines: dict[str, dict[str, float]] = {}
    for source in ["generated", *(["real"] if PANEL.exists() else [])]:
        for name in JOBS:
            lines[f"{source}: {name}"] = measured([*own, "--one", source, name])
        if given.vectorbt:
            for by_slot in (False, True):
                with tempfile.TemporaryDirectory() as folder:
                    orders = Path(folder) / "orders.npz"
                    write_orders(orders, source, *size, by_slot)
                    called = [given.vectorbt, "-c", VECTORBT, str(orders)]
                    form = "slot" if by_slot else "symbol"
                    lines[f"{source}: vectorbt, orders by {form}"] = measured(called)
    figures = pd.DataFrame(lines).T.round({"first": 3, "best": 3, "peak_mb": 0, "imports": 1})
    print(figures.to_string(na_rep=""))


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
