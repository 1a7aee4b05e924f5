"""Work in stages that go on at once: one waits for MongoDB while another one computes."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

__all__ = ["ahead"]

T = TypeVar("T")


def ahead(items: Iterable[T]) -> Iterator[T]:
    """Yield items of which the next is made by a thread while one is worked on.

    Comparing, copying in numpy and waiting for a socket let other threads go on, so that stages of
    which each is ahead of the next take as long as the slowest of them.
    """
    source = iter(items)
    with ThreadPoolExecutor(1, "ahead") as thread:
        coming = thread.submit(_next, source)
        while made := coming.result():
            coming = thread.submit(_next, source)
            yield from made


def _next(source: Iterator[T]) -> list[T]:
    return list(islice(source, 1))
