"""Real files as they reached people: each is loaded, refused, or loaded with rows set aside."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.store.store import Store
from tests.io.sources.files.hand_made import files

ROOT = Path(__file__).resolve().parents[4]
SHARED = Path(os.environ.get("SHARED", ROOT.parent / "shared"))
BROKEN = SHARED / "data" / "broken"
FILES = sorted(BROKEN.glob("*")) if BROKEN.exists() else []

pytestmark = pytest.mark.skipif(not FILES, reason=f"no {BROKEN}: real files are not shipped")

EXPECTED: dict[str, tuple[int, dict[str, int]] | str] = {
    "api_error_json_as_csv_BF.B.csv": "a web service's answer, saved as one: { Error Message }",
    "cnuge_nan_rows_BHF.csv": (142, {"price missing": 1}),
    "cnuge_nan_rows_CHD.csv": (1258, {"low above another price": 1}),
    "dmy_dates_moferg_nasdaq_CHNR.csv": (6120, {"no trading: one price and no volume": 443}),
    "dmy_dates_moferg_nyse_WLL.csv": (4472, {"empty row": 1, "high below another price": 1}),
    "ffill_calendar_days_GSPC.csv": (
        1259, {"forward fill: a day without session repeats the bar before": 566}
    ),
    "intraday_timestamp_dates_MSFT.csv": (1511, {}),
    "split_seam_incremental_KLAC.csv": "is a split 1:10 that was not applied before it, or a move",
    "szrlee_low0_HD.csv": (
        3006,
        {"low above another price": 9, "high below another price": 3,
         "price not positive": 1, "price missing": 1},
    ),
    "ticker_collision_moferg_nyse_DHG.csv": "another currency, of another company",
    "tz_aware_string_dates_IXIC.csv": (5032, {}),
    "unadjusted_with_split_coefficient_AAPL.csv": (5402, {}),
    "vix_holiday_rows_volume0.csv": (9227, {"no session of XNYS": 3}),
    "yahoo_web_mdy_thousands_desc_IXIC.csv": (2805, {}),
    "yf_flat_multiindex_header_UHS.csv": (6427, {"high below another price": 1}),
    "zero_ohl_holiday_rows_IXIC.csv": (
        4088,
        {"low above another price": 60, "no session of XNYS": 54, "high below another price": 35,
         "forward fill: a day without session repeats the bar before": 1},
    ),
}  # fmt: skip


def outcome(file: Path, store: Store) -> tuple[int, dict[str, int]] | str:
    """Bars in the store and bars set aside by reason, or the message of a refusal."""
    source = files(file)
    try:
        store.write_symbols(source.symbols())
    except InvalidData as error:
        return error.found
    deliveries = (source.bars(), source.index_bars())
    written = sum(store.write_bars(delivery).rows for delivery in deliveries)
    reasons = pd.concat([delivery.quarantine["reason"] for delivery in deliveries])
    return written, reasons.value_counts().to_dict()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_broken_file_ends_as_expected_and_without_a_traceback(file, tmp_path):
    store = Store.open(tmp_path / "files.db")
    found = outcome(file, store)
    store.close()
    print(f"\n{file.name:45s} {_told(found)}")
    expected = EXPECTED[file.name]
    assert expected in found if isinstance(expected, str) else found == expected


def test_no_broken_file_stops_the_others_of_its_folder():
    delivery = files(BROKEN).bars()
    loaded = ["AAPL", "BHF", "CHD", "CHNR", "HD", "MSFT", "UHS", "WLL"]
    assert sorted(delivery.bars.index.unique("symbol")) == loaded
    assert sorted(delivery.refused) == ["DHG", "KLAC", "api_error_json_as_csv_BF.B.csv"]


def test_splits_of_the_coefficient_column_make_aapl_continuous():
    bars = files(BROKEN / "unadjusted_with_split_coefficient_AAPL.csv").bars().bars
    close = bars["close"].droplevel("symbol")
    assert close["2014-06-06"] == pytest.approx(645.57 / 7.000007 / 4)
    assert (bars["open"] / bars["close"].shift()).dropna().between(0.4, 1.3).all()


def _told(found: tuple[int, dict[str, int]] | str) -> str:
    if isinstance(found, str):
        return f"refused: {' '.join(found.split())}"
    bars, reasons = found
    aside = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
    return f"{bars} bars" + (f"; set aside: {aside}" if aside else "")
