"""Tasks of one call under way on a cluster, and their results in order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

from threadpoolctl import ThreadpoolController

from pipeline.learning.pool import Keep, Result


class Work:
    """Items under way: each is waiting, under way, come back, or handed on."""

    def __init__(self, source: Iterator[tuple[int, Any]], keep: Keep[Any, Any] | None) -> None:
        self._source, self._keep = source, keep
        self._next = 0
        self.waiting: dict[int, Any] = {}
        self.futures: dict[int, Any] = {}
        self.results: dict[int, Any] = {}

    def take(self, count: int) -> bool:
        """Fill up to so many waiting items; whether there are any."""
        while len(self.waiting) < count:
            following = next(self._source, None)
            if following is None:
                break
            self.waiting[following[0]] = following[1]
        return bool(self.waiting)

    def unsent(self) -> list[tuple[int, Any]]:
        """Items that wait, by number, without a future."""
        return [each for each in self.waiting.items() if each[0] not in self.futures]

    def arrived(self, number: int, result: Any) -> None:
        """Take the result of an item."""
        item = self.waiting.pop(number)
        del self.futures[number]
        self.results[number] = result if self._keep is None else self._keep(item, result)

    def in_order(self) -> Iterator[Any]:
        """Results that are next in order."""
        while self._next in self.results:
            yield self.results.pop(self._next)
            self._next += 1


_limited = threading.local()


def alone(task: Callable[..., Result], item: Any, *shared: Any) -> Result:
    """The task with one thread, as everywhere: another number gives other last bits."""
    if not getattr(_limited, "done", False):
        ThreadpoolController().limit(limits=1)  # for good: this thread does nothing else
        _limited.done = True
    return task(*shared, item)
