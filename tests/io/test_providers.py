from __future__ import annotations

import pytest

from pipeline.errors import InvalidSettings, NotReady
from pipeline.io.providers import provider
from pipeline.io.providers.sample import Sample


def test_a_source_is_found_by_its_name():
    assert isinstance(provider("sample"), Sample)


def test_yahoo_without_a_list_of_symbols_says_how_to_give_one():
    with pytest.raises(NotReady, match="universe=sp500"):
        provider("yfinance")


def test_files_need_a_path():
    with pytest.raises(InvalidSettings, match=r"without data\.path"):
        provider("files")


def test_an_unknown_source_is_answered_with_the_known_ones():
    with pytest.raises(InvalidSettings, match="sample, files, yfinance"):
        provider("bloomberg")


def test_the_sample_refuses_a_path(tmp_path):
    with pytest.raises(InvalidSettings, match="no paths"):
        provider("sample", path=tmp_path)
