"""No password gets out, whichever way it came in."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from pipeline.config.compose import check, compose
from pipeline.errors import Fault, InvalidSettings, PipelineError
from pipeline.paths import ProjectPath
from pipeline.secrets import holds_secret, masked, masked_values

SECRET = "hunter2"
ADDRESSES = [
    f"http://me:{SECRET}@host:5000",
    f"postgresql+psycopg://me:p@{SECRET}@host/runs",
    f"https://{SECRET}@host/path",
    f"https://host/path?x=1&token={SECRET}",
    f"host=db user=me password={SECRET}",
    f"Authorization: Bearer {SECRET}",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_every_form_of_a_password_is_masked(address: str) -> None:
    assert SECRET not in masked(f"no answer from {address}, tried twice")
    assert "tried twice" in masked(f"no answer from {address}, tried twice")


@pytest.mark.parametrize("text", ["http://host:5000/a@b", "me@example.com", "a=1&b=2", "C:/x"])
def test_what_holds_none_stays(text: str) -> None:
    assert masked(text) == text
    assert not holds_secret(text)


def test_errors_faults_and_nested_values_are_masked() -> None:
    address = ADDRESSES[0]
    error = PipelineError("x", address, address, f"open {address}")
    faults = InvalidSettings("x", faults=[Fault("tracking.uri", f"got {address}")])
    texts = [str(error), str(faults), str(faults.faults[0]), str(masked_values({"a": [address]}))]
    assert not [text for text in texts if SECRET in text]


def test_an_address_with_a_password_is_refused_as_a_setting_and_not_repeated() -> None:
    with pytest.raises(InvalidSettings, match="MLFLOW_TRACKING_PASSWORD") as refused:
        check(compose([f'tracking.uri="{ADDRESSES[0]}"']))
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("key", ["store.path", "store.snapshots", "universe.path"])
def test_a_path_takes_no_address(key: str) -> None:
    with pytest.raises(InvalidSettings, match="is an address") as refused:
        check(compose([f'{key}="{ADDRESSES[1]}"']))
    assert SECRET not in str(refused.value)


def test_a_path_with_an_address_inside_is_none() -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(ProjectPath).validate_python("sqlite:///x.db")
