"""Where a store is, by its settings and by what the environment says of the database."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.config.compose import check, compose
from pipeline.config.settings import Settings
from pipeline.config.store_sections import DATABASE_URL, PostgresStore
from pipeline.errors import InvalidSettings
from pipeline.io.objects import ObjectPath
from pipeline.io.store.postgres import Postgres
from pipeline.io.store.sqlite import Sqlite
from pipeline.paths import ROOT

SECRET = "hunter2"


def chosen(*words: str) -> Settings:
    return check(compose(words))


def postgres_place(*words: str) -> Postgres:
    place: Any = chosen("store=postgres", *words).store.database
    assert isinstance(place, Postgres)
    return place


def test_by_default_a_store_is_a_file_with_its_snapshots_beside_it() -> None:
    store = chosen().store
    assert store.database == Sqlite(ROOT / "artifacts" / "sample.db")
    assert store.snapshot_root == ROOT / "artifacts" / "snapshots"


def test_each_source_has_a_schema_and_a_machine_its_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(DATABASE_URL, raising=False)
    place = postgres_place("data=yfinance")
    assert (place.schema, place.folder) == ("yfinance", ROOT / "artifacts" / "postgres")
    assert place.name == "postgresql:///daytrade (schema yfinance)"
    assert chosen("store=postgres").store.snapshot_root == place.folder / "snapshots"


def test_shared_snapshots_lie_where_the_settings_say(tmp_path: Path) -> None:
    store = chosen("store=postgres", f"store.snapshots={tmp_path}").store
    assert store.snapshot_root == tmp_path


@pytest.mark.parametrize("store", ["sqlite", "postgres"])
def test_snapshots_may_lie_in_an_object_store(store: str) -> None:
    root = chosen(f"store={store}", "store.snapshots=s3://team/snapshots").store.snapshot_root
    assert root == ObjectPath("s3://team/snapshots")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        (f"s3://key:{SECRET}@team/snapshots", "AWS_SECRET_ACCESS_KEY"),
        ("ftp://team/snapshots", "of no object store: s3"),
    ],
)
def test_other_addresses_of_snapshots_are_refused(address: str, told: str) -> None:
    with pytest.raises(InvalidSettings, match=told) as refused:
        chosen(f'store.snapshots="{address}"')
    assert SECRET not in str(refused.value)


def test_an_address_of_the_environment_is_used_and_kept_out_of_what_a_run_logs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DATABASE_URL, f"postgres://me:{SECRET}@db.example.com:6432/prices")
    place = postgres_place()
    assert place.name == "postgresql://db.example.com:6432/prices (schema sample)"
    assert SECRET not in str(chosen("store=postgres").content) + repr(place)
    typed = postgres_place("store.url=postgresql://other.example.com/prices")
    assert typed.name == "postgresql://other.example.com/prices (schema sample)"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://me:{SECRET}@host/db",
        f"postgresql+psycopg://me:{SECRET}@at@host:5432/db",
        f"postgresql://host/db?user=me&password={SECRET}",
    ],
)
def test_a_password_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(InvalidSettings, match=r"PGPASSWORD.*pgpass") as refused:
        chosen("store=postgres", f'store.url="{address}"')
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("address", ["postgresql://me@host/db", "postgresql://host:5432/db"])
def test_an_address_without_one_is_taken(address: str) -> None:
    store = chosen("store=postgres", f'store.url="{address}"').store
    assert isinstance(store, PostgresStore)
    assert store.url == address


def test_a_file_given_as_an_address_is_told_how_a_database_is_chosen() -> None:
    with pytest.raises(InvalidSettings, match="store=postgres") as refused:
        chosen(f'store.path="postgresql://me:{SECRET}@host/db"')
    assert SECRET not in str(refused.value)
    assert str(refused.value).count("store.path:") == 1


@pytest.mark.parametrize("name", ["Sample", "a-b", 'x";drop', "1st", ""])
def test_a_schema_has_a_plain_name(name: str) -> None:
    with pytest.raises(InvalidSettings, match=r"store\.schema_name"):
        chosen("store=postgres", f"store.schema_name='{name}'")
