"""A Dask cluster as a pool: in threads of this process here; processes and kills are soak tests."""

from __future__ import annotations

import ast
import operator
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from distributed import LocalCluster

from pipeline.config import build
from pipeline.config.compose import check, compose
from pipeline.errors import NotReady, Refused
from pipeline.io.cluster import pool as cluster_pool
from pipeline.io.cluster.likeness import fingerprint
from pipeline.io.cluster.pool import Cluster, opened
from pipeline.learning.pool import Threads
from pipeline.learning.search.folds import Fold, prepared_folds
from pipeline.paths import ROOT
from tests.learning import made
from tests.learning.search.test_search import RIDGE, run, told
from tests.recipe.history import History, history
from tests.recipe.test_evaluate import evaluated, walking

WAIT = 5.0
IMPORTS = (ast.Import, ast.ImportFrom)


@contextmanager
def scheduler(workers: int = 2) -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    ) as started:
        yield started


@contextmanager
def joined(started: LocalCluster) -> Iterator[Cluster]:
    address = started.scheduler_address
    with opened("retrain", workers=1, threads=1, address=address, wait_seconds=WAIT) as pool:
        yield pool


@pytest.fixture(scope="module")
def started() -> Iterator[LocalCluster]:
    with scheduler() as cluster:
        yield cluster


@pytest.fixture
def pool(started: LocalCluster) -> Iterator[Cluster]:
    with joined(started) as cluster:
        yield cluster


def slower(factor: int, item: int) -> int:
    time.sleep(0.02 * (item % 3))
    return factor * item


def test_results_come_in_the_order_of_the_items(pool: Cluster) -> None:
    assert list(pool.map(slower, range(20), 3)) == [3 * n for n in range(20)]


def test_each_result_is_kept_as_soon_as_it_is_there(pool: Cluster) -> None:
    kept: list[int] = []

    def keep(item: int, result: int) -> int:
        kept.append(item)
        return -result

    assert list(pool.map(slower, range(6), 2, keep=keep)) == [-2 * n for n in range(6)]
    assert sorted(kept) == list(range(6))


def test_items_are_taken_as_the_work_goes_on(pool: Cluster) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(60):
            taken.append(number)
            yield number

    results = pool.map(slower, items(), 1)
    assert next(results) == 0
    assert len(taken) < 20
    assert len(list(results)) == 59


def length(values: list[float], item: int) -> int:
    return len(values) + item


def test_what_is_shared_is_sent_once_however_often_it_is_used(
    pool: Cluster,
) -> None:
    values, other = [0.0] * 1000, [1.0]
    list(pool.map(length, range(3), values))
    first = pool._sent[0][1].key
    list(pool.map(length, range(3), values))
    assert [own.key for _, own in pool._sent] == [first]
    list(pool.map(length, range(3), other))  # what is used no more is forgotten there
    assert [sent is other for sent, _ in pool._sent] == [True]


def test_what_a_task_raises_is_raised(pool: Cluster) -> None:
    with pytest.raises(ZeroDivisionError):
        list(pool.map(operator.truediv, [1, 0], 1))
    assert list(pool.map(operator.truediv, [1, 2], 1)) == [1.0, 0.5]


@pytest.mark.parametrize("workers", [1, 2, 4, 16])
def test_a_search_decides_the_same_with_any_number_of_workers(make_folds, workers: int) -> None:
    folds: list[Fold] = make_folds
    alone, trials = run(folds, RIDGE, n_trials=5)
    with scheduler(workers) as cluster, joined(cluster) as pool:
        best, spread = run(folds, RIDGE, n_trials=5, pool=pool)
    assert told(spread) == told(trials)
    pd.testing.assert_series_equal(best.out_of_fold, alone.out_of_fold, check_exact=True)


@pytest.fixture(scope="module")
def make_folds() -> list[Fold]:
    world = history(sessions=40, symbols=8)
    dataset = world.dataset(world.sessions, ["signal", "noise"])
    splitter = made.walk_forward(folds=3, fold_sessions=4, min_train_sessions=10)
    return prepared_folds(dataset, splitter, made.target())


def test_a_walk_forward_predicts_the_same_bits(pool: Cluster) -> None:
    world: History = history()
    _, here = evaluated(walking(), world)
    _, there = evaluated(walking(), world, pool=pool)
    pd.testing.assert_frame_equal(there.predicted, here.predicted, check_exact=True)
    pd.testing.assert_frame_equal(there.steps, here.steps, check_exact=True)


def test_a_configuration_says_where_fits_run(started: LocalCluster) -> None:
    address = f"compute.address='{started.scheduler_address}'"
    there = check(compose(["compute=dask", address, "compute.wait_seconds=5"]))
    with build.pool(there.compute, "retrain") as pool:
        assert isinstance(pool, Cluster)
        assert list(pool.map(slower, range(3), 2)) == [0, 2, 4]
    with build.pool(check(compose(["compute.workers=3"])).compute, "retrain") as pool:
        assert pool == Threads(3)


def test_dask_is_imported_only_where_it_is_chosen() -> None:
    for module in (ROOT / "pipeline").rglob("*.py"):
        at_once = [n for n in ast.parse(module.read_text()).body if isinstance(n, IMPORTS)]
        assert not [n for n in at_once if "distributed" in ast.unparse(n).split()], module


# ---- what goes wrong ----


def test_no_scheduler_is_one_clear_error() -> None:
    address = "tcp://127.0.0.1:9"
    with (
        pytest.raises(NotReady, match=r"tcp://127.0.0.1:9 does not work") as refused,
        opened("retrain", workers=1, threads=1, address=address, wait_seconds=0.5),
    ):
        pass
    assert "compute=local" in str(refused.value)


def test_a_scheduler_without_workers_is_one_clear_error() -> None:
    with (
        scheduler(0) as empty,
        pytest.raises(NotReady, match="does not work"),
        opened("retrain", workers=1, threads=1, address=empty.scheduler_address, wait_seconds=0.5),
    ):
        pass


def older_here() -> dict[str, str]:
    is_here = threading.current_thread() is threading.main_thread()
    return fingerprint() | ({"numpy": "1.0"} if is_here else {})


def test_a_worker_with_other_versions_is_refused(
    started: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_pool, "fingerprint", older_here)
    with pytest.raises(Refused, match=rf"numpy {np.__version__} instead of 1.0"), joined(started):
        pass


def test_the_data_are_sent_again_where_all_workers_with_them_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with scheduler(1) as cluster, joined(cluster) as pool:
        results = pool.map(length, range(30), [0.0] * 10)
        assert next(results) == 10
        cluster.scale(0)
        cluster.sync(cluster._correct_state)
        cluster.scale(1)
        assert list(results) == [10 + n for n in range(1, 30)]


def test_the_work_ends_with_a_clear_error_where_no_worker_comes_back() -> None:
    with scheduler(1) as cluster, joined(cluster) as pool:
        pool.wait_seconds = 1.0
        results = pool.map(slower, range(30), 1)
        next(results)
        cluster.scale(0)
        with pytest.raises(NotReady, match="the same command goes on"):
            list(results)
