from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from pipeline.errors import InvalidData
from pipeline.io.sources.files.splits import nearest_ratio
from pipeline.io.store.events import price_factor
from tests.io.sources.files.hand_made import WEEK, files, write

HEADER = "date,open,high,low,close,volume"
DAYS = pd.bdate_range("2021-02-16", periods=30).strftime("%Y-%m-%d").tolist()


def bars(before: float, after: float, volumes: tuple[int, int], seam: int = 20) -> list[str]:
    """Thirty sessions around two prices; from place `seam` on the second."""
    prices = [before] * seam + [after] * (len(DAYS) - seam)
    sizes = [volumes[0]] * seam + [volumes[1]] * (len(DAYS) - seam)
    return [
        f"{day},{p},{p * 1.01},{p * 0.99},{p},{size}"
        for day, p, size in zip(DAYS, prices, sizes, strict=True)
    ]


def closes(source) -> np.ndarray:
    return source.bars().bars["close"].to_numpy()


def test_a_split_column_beside_raw_prices_is_applied_backwards(tmp_path):
    lines = [
        f"{line},{4 if place == 20 else 1}" for place, line in enumerate(bars(400, 100, (50, 200)))
    ]
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},split_coefficient", *lines))
    np.testing.assert_allclose(closes(source), 100)
    np.testing.assert_allclose(source.bars().bars["volume"], 200)
    assert f"splits applied: ABC {DAYS[20]} 4" in source.bars().notes


def test_a_split_column_beside_adjusted_prices_changes_nothing(tmp_path):
    lines = [
        f"{line},{4 if place == 20 else 0}" for place, line in enumerate(bars(100, 101, (50, 50)))
    ]
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},Stock Splits", *lines))
    np.testing.assert_allclose(closes(source), [100] * 20 + [101] * 10)
    assert not any("splits applied" in note for note in source.bars().notes)


def test_a_split_on_a_session_without_a_good_bar_holds_for_the_next_one(tmp_path):
    lines = [
        f"{line},{2 if place == 20 else 1}" for place, line in enumerate(bars(200, 100, (9, 18)))
    ]
    lines[20] = f"{DAYS[20]},,,,,,2"
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},split_coefficient", *lines))
    np.testing.assert_allclose(closes(source), 100)


def test_an_adjusted_close_proves_a_split_of_the_raw_prices(tmp_path):
    lines = [f"{line},98" for line in bars(200, 100, (50, 100))]
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},adj close", *lines))
    np.testing.assert_allclose(closes(source), 100)


def test_dividends_are_applied_only_when_asked_for(tmp_path):
    lines = [
        f"{line},{99 if place < 20 else 100}" for place, line in enumerate(bars(100, 100, (9, 9)))
    ]
    file = write(tmp_path / "ABC.csv", f"{HEADER},adj close", *lines)
    np.testing.assert_allclose(closes(files(file)), 100)
    assert "adjusted close not used" in files(file).bars().notes[0]
    adjusted = files(file, adjust_dividends=True).bars().bars
    np.testing.assert_allclose(adjusted["close"], [99.0] * 20 + [100.0] * 10)
    np.testing.assert_allclose(adjusted["open"], adjusted["close"])
    with pytest.raises(InvalidData, match="there is no adjusted close"):
        files(
            write(tmp_path / "XYZ.csv", HEADER, *bars(1, 1, (9, 9))), adjust_dividends=True
        ).bars()


SEAM = bars(1400, 141, (1_000, 11_000))


def test_a_split_that_nobody_applied_is_refused_with_both_readings(tmp_path):
    with pytest.raises(InvalidData, match=r"a split 1:10 .* or a move of -90 %") as caught:
        files(write(tmp_path / "KLAC.csv", HEADER, *SEAM)).bars()
    assert f"KLAC,{DAYS[20]},10" in caught.value.found


def test_a_line_of_the_splits_file_applies_it_or_says_that_the_move_was_real(tmp_path):
    file = write(tmp_path / "KLAC.csv", HEADER, *SEAM)
    said = write(tmp_path / "splits.txt", "symbol,session,ratio", f"KLAC,{DAYS[20]},10")
    np.testing.assert_allclose(closes(files(file, splits_path=said))[:20], 140)
    write(said, "symbol,session,ratio", f"KLAC,{DAYS[20]},1")
    np.testing.assert_allclose(closes(files(file, splits_path=said))[:20], 1400)


def test_news_that_halve_the_price_bring_volume_and_are_no_split(tmp_path):
    lines = bars(200, 100, (1_000, 2_000))
    lines[20] = f"{DAYS[20]},100,104,96,100,30000"
    assert len(closes(files(write(tmp_path / "ABC.csv", HEADER, *lines)))) == 30


def test_a_move_too_large_to_pass_without_a_word_is_told(tmp_path):
    lines = bars(1, 37, (1_000, 900_000))
    (note,) = [
        n for n in files(write(tmp_path / "A.csv", HEADER, *lines)).bars().notes if "over" in n
    ]
    assert f"A {DAYS[20]} 1 to 37" in note


def test_a_wrong_line_of_the_splits_file_is_shown(tmp_path):
    file = write(tmp_path / "ABC.csv", HEADER, f"{WEEK[0]},1,1,1,1,1")
    said = write(tmp_path / "splits.txt", "symbol,session,ratio", "ABC,08.03.2021,2")
    with pytest.raises(InvalidData, match=r"'ABC,08\.03\.2021,2' is no split"):
        files(file, splits_path=said).bars()


def test_the_nearest_ratio_of_a_split_by_distance_in_the_logarithm():
    steps, right = [9.4, 0.52, 1.45, 2.7, 3.4, 1 / 3.4], [9, 0.5, 1.5, 2.5, 3, 1 / 3]
    np.testing.assert_allclose(nearest_ratio(np.array(steps)), right)


def test_a_column_that_the_prices_contradict_settles_nothing(tmp_path):
    rows = bars(100, 400, (200, 50))
    lines = [f"{line},{4 if place == 20 else 1}" for place, line in enumerate(rows)]
    with pytest.raises(InvalidData, match="split 4:1 reverse that was not applied"):
        files(write(tmp_path / "ABC.csv", f"{HEADER},split", *lines)).bars()


@pytest.mark.parametrize(
    ("after", "ratio", "told"),
    [(80, "1.25", "4:5"), (75, "1.33333333", "3:4"), (125, "0.8", "5:4 reverse"),
     (100 / 1.75, "1.75", "4:7")],
)  # fmt: skip
def test_a_small_step_that_nothing_else_marks_is_refused_until_somebody_says_what_it_was(
    tmp_path, after, ratio, told
):
    file = write(tmp_path / "prices/ABC.csv", HEADER, *bars(100, after, (60, 60)))
    with pytest.raises(InvalidData, match=f"is a split {told} that was not applied"):
        files(file).bars()
    said = write(tmp_path / "splits.csv", "symbol,session,ratio", f"ABC,{DAYS[20]},{ratio}")
    assert closes(files(file, splits_path=said))[0] == pytest.approx(after)
    assert closes(files(file, accept=(f"ABC:{DAYS[20]}",)))[0] == 100


@pytest.mark.parametrize("odd", ["wide range", "moved as far before"])
def test_a_small_step_on_a_day_of_news_or_of_a_restless_symbol_stays_and_is_named(tmp_path, odd):
    lines = bars(100, 80, (60, 60))
    if odd == "wide range":
        lines[20] = f"{DAYS[20]},80,84,78,80,60"
    else:
        lines[5] = f"{DAYS[5]},120,120,99,100,60"
    source = files(write(tmp_path / "ABC.csv", HEADER, *lines))
    assert closes(source)[0] == 100
    assert any("taken as real" in n and f"ABC,{DAYS[20]},1.25" in n for n in source.bars().notes)


def test_what_all_symbols_did_overnight_is_no_split_of_one(tmp_path):
    for place in range(12):
        first = 100 + 7 * place
        write(tmp_path / f"AB{place}X.csv", HEADER, *bars(first, first * 0.8, (60, 60)))
    delivery = files(tmp_path).bars()
    assert not delivery.refused
    assert not any("small splits" in note for note in delivery.notes)


@pytest.mark.parametrize("column", ["Split Coef", "stockSplit", "splits_ratio"])
def test_a_split_column_by_further_names_is_applied(tmp_path, column):
    lines = [
        f"{line},{4 if place == 20 else 1}" for place, line in enumerate(bars(400, 100, (50, 200)))
    ]
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},{column}", *lines))
    np.testing.assert_allclose(closes(source), 100)


@pytest.mark.parametrize("column", ["Ratio", "split_adj", "corporate_action", "SplitInfo"])
def test_a_column_that_may_be_of_splits_is_refused_with_the_key_that_says_so(tmp_path, column):
    lines = [
        f"{line},{1.1 if place == 20 else 1}" for place, line in enumerate(bars(110, 100, (50, 55)))
    ]
    with pytest.raises(InvalidData) as refused:
        files(write(tmp_path / "ABC.csv", f"{HEADER},{column}", *lines)).bars()
    assert "data.columns.split" in refused.value.needed


def test_a_text_of_a_split_column_that_is_no_ratio_is_refused_and_a_percentage_is_one(tmp_path):
    def written(text: str) -> list[str]:
        rows = enumerate(bars(125, 100, (50, 60)))
        return [f"{line},{text if place == 20 else 0}" for place, line in rows]

    file = tmp_path / "ABC.csv"
    source = files(write(file, f"{HEADER},Stock Splits", *written("25%")))
    np.testing.assert_allclose(closes(source), 100)
    with pytest.raises(InvalidData, match="'one for four' in the column of splits is no ratio"):
        files(write(file, f"{HEADER},Stock Splits", *written("one for four"))).bars()


def test_the_line_that_a_refusal_shows_has_the_roundest_ratio_near_the_step(tmp_path):
    file = write(tmp_path / "ABC.csv", HEADER, *bars(2500, 102, (60, 1500)))
    with pytest.raises(InvalidData, match=f"a line ABC,{DAYS[20]},25 .with the ratio that was"):
        files(file).bars()


def ex(source) -> list[tuple[str, float, float]]:
    found = source.bars().actions.fillna(0.0)
    days = found["session"].dt.strftime("%Y-%m-%d")
    return list(zip(days, found["split"], found["dividend"].round(6), strict=True))


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ("dividend", {12: 0.4}, [(DAYS[12], 0.0, 0.4)]),
        ("adj close", dict.fromkeys(range(12), 49.6), [(DAYS[12], 0.0, 0.4)]),
        ("adj close", dict.fromkeys(range(0, 30, 2), 49.99), []),  # rounded to cents
        ("split", {12: 2}, [(DAYS[12], 2.0, 0.0)]),
    ],
)
def test_what_goes_ex_is_listed(tmp_path, column, values, expected):
    other = 50 if column == "adj close" else 0
    lines = [f"{line},{values.get(n, other)}" for n, line in enumerate(bars(50, 50, (9, 9)))]
    assert ex(files(write(tmp_path / "ABC.csv", f"{HEADER},{column}", *lines))) == expected


def quoted(source) -> list[float]:
    """Closes as they were quoted, by what the source says of its prices."""
    delivery = source.bars()
    days = pd.DatetimeIndex(delivery.bars.index.get_level_values("session"))
    factor = price_factor(delivery.actions.rename(columns={"split": "ratio"}).dropna(
        subset=["ratio"]), days)  # fmt: skip
    assert delivery.all_splits == {"ABC"}
    return (closes(source) * (1.0 if factor is None else factor["ABC"].to_numpy())).tolist()


@pytest.mark.parametrize(("before", "volume"), [(400, 50), (100, 200)], ids=["raw", "adjusted"])
def test_a_split_column_leads_back_to_the_quoted_price(tmp_path, before, volume):
    lines = [
        f"{line},{4 if place == 20 else 1}"
        for place, line in enumerate(bars(before, 100, (volume, 200)))
    ]
    source = files(write(tmp_path / "ABC.csv", f"{HEADER},split_coefficient", *lines))
    np.testing.assert_allclose(quoted(source), [400] * 20 + [100] * 10)


def test_an_adjusted_close_and_a_table_of_splits_lead_back_too(tmp_path):
    lines = [f"{line},98" for line in bars(200, 100, (50, 100))]
    source = files(write(tmp_path / "a" / "ABC.csv", f"{HEADER},adj close", *lines))
    np.testing.assert_allclose(quoted(source), [200] * 20 + [100] * 10)
    write(tmp_path / "b" / "ABC.csv", HEADER, *bars(400, 100, (50, 200)))
    table = write(tmp_path / "splits.csv", "symbol,date,ratio", f"ABC,{DAYS[20]},4")
    source = files(tmp_path / "b", splits_path=table)
    np.testing.assert_allclose(quoted(source), [400] * 20 + [100] * 10)


def test_prices_without_a_word_on_splits_or_scaled_for_dividends_lead_nowhere(tmp_path):
    source = files(write(tmp_path / "ABC.csv", HEADER, *bars(100, 101, (50, 50))))
    assert source.bars().all_splits == frozenset()
    lines = [f"{line},98" for line in bars(200, 100, (50, 100))]
    path = write(tmp_path / "d" / "ABC.csv", f"{HEADER},adj close", *lines)
    assert files(path, adjust_dividends=True).bars().all_splits == frozenset()
