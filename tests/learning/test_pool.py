"""Threads as a pool: results in order, items taken as the work goes on."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from pipeline.learning.pool import Threads

WORKERS = [1, 2, 4, 16]


def scaled(factor: int, item: int) -> int:
    return factor * item


@pytest.mark.parametrize("workers", WORKERS)
def test_results_come_in_the_order_of_the_items(workers: int) -> None:
    assert list(Threads(workers).map(scaled, range(50), 3)) == [3 * n for n in range(50)]


def test_a_slow_first_task_holds_no_other_one_up() -> None:
    others_done = threading.Event()
    done: list[int] = []

    def task(item: int) -> int:
        if item == 0:
            assert others_done.wait(10), "the others waited for the first one"
        done.append(item)
        if len(done) == 9:
            others_done.set()
        return item

    assert list(Threads(2).map(task, range(10))) == list(range(10))
    assert done[-1] == 0


def test_items_are_taken_as_the_work_goes_on() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            taken.append(number)
            yield number

    results = Threads(2).map(scaled, items(), 1)
    assert next(results) == 0
    assert len(taken) < 20
    assert list(results) == list(range(1, 100))


def test_each_result_is_kept_as_soon_as_it_is_there() -> None:
    kept: list[tuple[int, int]] = []

    def keep(item: int, result: int) -> int:
        kept.append((item, result))
        return -result

    assert list(Threads(3).map(scaled, range(4), 2, keep=keep)) == [0, -2, -4, -6]
    assert sorted(kept) == [(n, 2 * n) for n in range(4)]


def test_what_a_task_raises_is_raised() -> None:
    def task(item: int) -> float:
        return 1 / item

    results = Threads(2).map(task, [1, 0, 1])
    assert next(results) == 1.0
    with pytest.raises(ZeroDivisionError):
        list(results)
