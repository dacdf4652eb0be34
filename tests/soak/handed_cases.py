"""Every handed case and broken file through the real command: outcome beside the right answer.

``python -m tests.soak.handed_cases SHARED/data OUT [word ...]`` prints a line a case.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pipeline.io.store.store import Store

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Case:
    """One command and what is right: a text in what it says, or bars and first close by symbol."""

    name: str
    words: tuple[str, ...]
    bars: dict[str, tuple[int, float]]
    says: str = ""


CHINESE = tuple(
    f"data.columns.{field}={name}"
    for field, name in {
        "date": "日期", "symbol": "股票代码", "open": "开盘", "high": "最高", "low": "最低",
        "close": "收盘", "volume": "成交量",
    }.items()
)  # fmt: skip

CASES = (
    Case("number_thousands_by_point", ("data.path={}", "data.exchange_calendar=XETR"),
         {"AAA": (25, 1218.07), "BBB": (25, 45.60), "CCC": (25, 1998.0)}),
    Case("number_thousands_by_point",
         ("data.path={}", "data.exchange_calendar=XETR", 'data.decimal=","'),
         {"AAA": (25, 1218.07), "BBB": (25, 45.60), "CCC": (25, 1998.0)}),
    Case("number_lakh_grouping", ("data.path={}", "data.exchange_calendar=XBOM"),
         {"MRFX": (25, 132590.96)}),
    Case("missing_bloomberg", ("data.path={}",), {"FFF": (24, 39.62)}, "quarantined: empty row 1"),
    Case("file_names_of_other_markets/RELIANCE.NS.csv",
         ("data.path={}", "data.exchange_calendar=XBOM"), {"RELIANCE.NS": (25, 2899.76)}),
    Case("file_names_of_other_markets/7203.T.csv",
         ("data.path={}", "data.exchange_calendar=XTKS"), {"7203.T": (25, 3577.57)}),
    Case("file_names_of_tradingview", ("data.path={}",), {"AAB": (25, 179.22)}),
    Case("file_names_with_years", ("data.path={}",), {"AAB": (25, 181.20)}),
    Case("file_names_of_freqtrade", ("data.path={}", "data.exchange_calendar=24/7"),
         {"BTC_USDT": (25, 0.0), "ETH_BTC": (25, 0.0)}),
    Case("split_quandl_wiki", ("data.path={}",), {"JJJ": (25, 101.9075)}, "splits applied"),
    Case("split_reverse_unusual", ("data.path={}",), {}, "data.splits_path with a line"),
    Case("outlier_one_high_100x", ("data.path={}", "data.exchange_calendar=XLON"),
         {"EZX.L": (24, 626.73)}, "high more than 2.5 times"),
    Case("parquet_binary_symbol", ("data.path={}",), {"AAB": (25, 0.0), "BRK-B": (25, 0.0)}),
    Case("parquet_upper_suffix", ("data.path={}",), {"AAB": (25, 0.0), "BRK-B": (25, 0.0)}),
    Case("parquet_hive_by_symbol", ("data.path={}/prices",),
         {"AAB": (25, 0.0), "BRK-B": (25, 0.0)}),
    Case("epoch_seconds_of_tradingview", ("data.path={}", "data.columns.date=time"),
         {"AAB": (25, 39.46)}),
    Case("header_chinese", ("data.path={}", "data.exchange_calendar=XSHG", *CHINESE),
         {"600001": (25, 30.11)}),
    Case("header_utf16", ("data.path={}",), {"QQX": (25, 40.12)}),
    Case("header_unknown_symbol_column", ("data.path={}/prices.csv",), {},
         "data.columns.symbol=code"),
    Case("zip_beside_csv", ("data.path={}",), {"ABC": (25, 0.0), "XYZ": (25, 59.52)}),
    Case("universe_header_symbol",
         ("data.path={}/long.csv", "universe.path={}/constituents.csv"),
         {"AAB": (25, 20.03), "BRK-B": (25, 0.0)}),
    Case("calendar_saudi", ("data.path={}/long.csv", "data.exchange_calendar=XSAU"),
         {"2222.SR": (0, 30.05)}),
    Case("last_session_twice", ("data.path={}",), {"HIND": (25, 578.37)}),
    Case("index_of_another_market",
         ("data.path={}/px", "data.index_path={}/ix", "data.exchange_calendar=XLON"),
         {"AZNX.L": (0, 0.0)}),
    Case("three_symbols", ("data.path={}",), {"AAB": (0, 30.05)}),
)  # fmt: skip
"""A count or a close of 0 is not looked at."""


def outcome(words: list[str], store: Path) -> tuple[int, str, dict[str, tuple[int, float]]]:
    """Exit code, all that was said, and bars and first close by symbol."""
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store.parent / 'm.db'}"}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.stages.ingest", "data=files", f"store.path={store}",
         *words],
        cwd=ROOT, env=environment, text=True, capture_output=True, timeout=300,
    )  # fmt: skip
    bars: dict[str, tuple[int, float]] = {}
    if store.exists():
        with Store.open(store, create=False) as held:
            closes = held.bars()["close"].groupby("symbol")
            bars = {str(n): (len(c), round(float(c.iloc[0]), 4)) for n, c in closes}
            closes = held.bars(kind="index")["close"].groupby("symbol")
            bars |= {str(n): (len(c), round(float(c.iloc[0]), 4)) for n, c in closes}
    return done.returncode, " ".join((done.stdout + done.stderr).split()), bars


def right(case: Case, said: str, bars: dict[str, tuple[int, float]]) -> bool:
    if case.says not in said or "Traceback" in said:
        return False
    if not case.bars:
        return not bars
    return all(
        name in bars and count in (0, bars[name][0]) and close in (0.0, bars[name][1])
        for name, (count, close) in case.bars.items()
    )


def main() -> None:
    data, out, *chosen = sys.argv[1:]
    folder = Path(out)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    broken = [Case(f"broken/{file.name}", ("data.path={}",), {}, "") for file in
              sorted((Path(data) / "broken").glob("*"))]  # fmt: skip
    for number, case in enumerate((*CASES, *broken)):
        if chosen and not any(word in case.name for word in chosen):
            continue
        is_broken = case in broken
        where = Path(data) / ("" if is_broken else "cases") / case.name
        words = [word.format(where) for word in case.words]
        code, said, bars = outcome(words, folder / f"{number}.db")
        verdict = "see" if is_broken else "right" if right(case, said, bars) else "WRONG"
        shown = str(bars) if bars else said[-300:]
        print(f"{verdict:5} {code} {case.name}: {shown[:300]}", flush=True)


if __name__ == "__main__":
    main()
