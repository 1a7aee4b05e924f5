"""One call an item over all cores, in order, and none of them can take the others down."""

import multiprocessing
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Generic, TypeVar

__all__ = ["Workers"]

_AHEAD = 8  # items given out per process: results wait for their turn, and memory is bounded
_CONTEXT = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


class Workers(Generic[_Item, _Result]):
    """Call a function in processes of their own.

    Parameters
    ----------
    function : callable
        Of a module's top level; it takes one item.
    when_lost : callable
        Gives the result for an item that killed its process.
    processes : int
        1 calls in this process, without protection.
    prepare : callable
        Called first in every process, with `shared`; where processes are forked, nothing of it is
        copied.
    shared : object
    """

    def __init__(
        self,
        function: Callable[[_Item], _Result],
        when_lost: Callable[[_Item], _Result],
        processes: int,
        prepare: Callable[[object], None],
        shared: object = None,
    ) -> None:
        self._function, self._when_lost = function, when_lost
        self._processes, self._prepare, self._shared = processes, prepare, shared

    def __call__(self, items: Iterable[_Item]) -> Iterator[_Result]:
        """Give the results one by one, in the order of the items."""
        if self._processes == 1:
            self._prepare(self._shared)
            yield from map(self._function, items)
            return
        rest = iter(items)
        retry: list[_Item] = []
        while True:
            for item in retry:
                yield self._alone(item)
            retry = yield from self._together(rest)
            if not retry:
                return

    def _pool(self, processes: int) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(processes, _CONTEXT, self._prepare, (self._shared,))

    def _together(self, items: Iterator[_Item]) -> Generator[_Result, None, list[_Item]]:
        """Give results until a process dies; return the items under way then."""
        waiting: deque[_Item] = deque()
        results: deque[Future[_Result]] = deque()
        with self._pool(self._processes) as pool:
            try:
                while True:
                    for item in islice(items, _AHEAD * self._processes - len(waiting)):
                        waiting.append(item)
                        results.append(pool.submit(self._function, item))
                    if not results:
                        return []
                    result = results[0].result()
                    results.popleft()
                    waiting.popleft()
                    yield result
            except BrokenProcessPool:
                return list(waiting)

    def _alone(self, item: _Item) -> _Result:
        with self._pool(1) as pool:
            try:
                return pool.submit(self._function, item).result()
            except BrokenProcessPool:
                return self._when_lost(item)
