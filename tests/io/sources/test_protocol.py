from __future__ import annotations

import pytest

from pipeline.commands import translate
from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.errors import InvalidSettings, NotReady
from pipeline.io.sources.files.source import Files
from pipeline.io.sources.protocol import Provider
from pipeline.io.sources.sample import Sample
from pipeline.io.sources.settings import Download
from pipeline.io.sources.yahoo.source import Yahoo


def settings(*overrides: str) -> Settings:
    return check(compose(translate(overrides)))


def opened(*overrides: str) -> Provider:
    return build.source(settings(*overrides))


def faults(*overrides: str) -> str:
    with pytest.raises(InvalidSettings) as caught:
        settings(*overrides)
    return caught.value.found


def test_each_model_opens_its_own_source(tmp_path):
    assert isinstance(opened(), Sample)
    assert isinstance(opened("data=files", f"data.path={tmp_path}"), Files)
    assert isinstance(opened("data=yfinance", "universe=sp500"), Yahoo)


def test_yahoo_without_a_list_of_symbols_says_how_to_give_one():
    with pytest.raises(NotReady, match="universe=sp500"):
        opened("data=yfinance")


def test_files_need_a_path():
    with pytest.raises(InvalidSettings, match=r"without data\.path"):
        opened("data=files")


def test_an_unknown_source_is_answered_with_the_known_ones():
    found = faults("data.name=bloomberg")
    assert "'sample', 'files', 'yfinance'" in found


def test_keys_of_another_source_are_one_fault_that_names_the_source():
    found = faults("data.day_first=true", "data.columns.close=Last", "data.download.threads=3")
    assert found.startswith("1 fault in")
    assert "data.day_first, data.columns.close: only with data=files" in found
    assert "data.download.threads: only with data=yfinance" in found
    assert "data.path: only with data=files" in faults("data=yfinance", "data.path=prices")


def test_zero_is_a_value_and_false_is_none():
    assert "data.max_withdrawn: only with data=files" in faults("data.max_withdrawn=0")
    assert settings("data.adjust_dividends=false").data.name == "sample"


def test_a_key_of_no_source_is_refused():
    assert "data.pth: " in faults("data.pth=x")


def test_a_config_logged_when_every_source_had_every_key_still_loads():
    columns = dict.fromkeys(["date", "symbol", "open", "high", "low", "close", "volume"])
    old = {
        "path": None, "index_path": None, "symbols_path": None, "splits_path": None,
        "columns": columns, "day_first": None, "decimal": None, "adjust_dividends": False,
        "accept": None, "max_withdrawn": None, "download": None,
    }  # fmt: skip
    now = settings()
    content = now.model_dump(mode="json", by_alias=True)
    content["data"] = old | content["data"]
    assert Settings.from_config(content) == now


def test_code_can_ask_every_source_whether_it_is_asked_again_and_what_may_be_withdrawn():
    sample, yahoo, files = (
        settings(*words).data for words in ([], ["data=yfinance"], ["data=files"])
    )
    assert (sample.download, sample.max_withdrawn) == (None, None)
    assert (files.download, files.max_withdrawn) == (None, 0.2)
    assert isinstance(yahoo.download, Download)
    assert yahoo.max_withdrawn is None
