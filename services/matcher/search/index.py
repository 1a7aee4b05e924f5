"""The protected images in memory: loaded at the start, and as fresh as the store at every search.

The store is the truth. Whatever changes there carries a new time of change, so a poll from the
newest one that is known finds all of it; a change stream says when to look, and every search looks
before it begins. What begins or ends by itself is looked up again at its moment.
"""

import asyncio
import contextlib
import ctypes
import gc
import heapq
import logging
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from functools import partial

from services.matcher.search.shared_lock import SharedLock
from services.matcher.search.store import ImageStore, is_protected_at
from srpitp_contracts.matching import MatchingMode, Thresholds
from srpitp_contracts.model import utc_now
from srpitp_fingerprint import Description, load_backend
from srpitp_matching import Budgets, Looked, Picture, Pictures, Rules, picture_of
from srpitp_servicekit.background import Loop
from srpitp_servicekit.mongo import Document, PyMongoError, unpacked
from srpitp_servicekit.problems import UnavailableError

logger = logging.getLogger(__name__)

# A registration's time of change is set before it is committed, by another machine's clock: what
# changed this long before the newest change that we know is looked at again.
_OVERLAP = timedelta(seconds=60)
_AT_A_TIME = 500  # changed images that are read at a time
_WATCH_AGAIN_SECONDS = 1

OnChange = Callable[[Iterable[str]], None]
"""Takes the ids of images that changed or went."""


class LiveIndex:
    """The protected images, for comparing.

    Parameters
    ----------
    images
        Where they are.
    budgets
        How verdicts are taken.
    points_limit
        See `Pictures`.
    tags_from
        Once more images are protected, only those with a tag in common are compared.
    poll_seconds
        How often to look for changes when nothing tells of any.
    stale_seconds
        After how long without a look the index is not ready any more.
    on_change
        Told of the images that changed.
    """

    def __init__(
        self,
        images: ImageStore,
        budgets: Budgets,
        *,
        points_limit: int,
        tags_from: int = 0,
        poll_seconds: float = 1.0,
        stale_seconds: float = 15.0,
        on_change: OnChange = lambda _: None,
    ) -> None:
        self._images = images
        self._budgets = budgets
        self._points_limit = points_limit
        self._tags_from = tags_from
        self._stale_seconds = stale_seconds
        self._on_change = on_change
        self._pictures = Pictures(budgets.mode)
        self._lock = SharedLock()
        self._is_loaded = False
        self._looked_at = 0.0
        self._newest: datetime | None = None
        self._recent: dict[str, datetime] = {}
        self._due: list[tuple[datetime, str, str]] = []
        self._polling = asyncio.Lock()
        self._next_poll: asyncio.Task[None] | None = None
        self._loop = Loop("index", self._keep_current, interval_seconds=poll_seconds)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Load, and keep current, for as long as the block lasts."""
        watching = asyncio.create_task(self._watch(), name="index-watch")
        try:
            async with self._loop.running():
                yield
        finally:
            watching.cancel()
            polling = [self._next_poll] if self._next_poll else []
            await asyncio.gather(watching, *polling, return_exceptions=True)

    @property
    def age_seconds(self) -> float:
        """How long ago the store was looked at; infinite before the first time."""
        return time.monotonic() - self._looked_at if self._is_loaded else float("inf")

    @property
    def size(self) -> tuple[int, int]:
        """How many images are protected, and how many views of them."""
        return len(self._pictures), self._pictures.views

    @property
    def by_tags(self) -> bool:
        """Whether only images with a tag in common are compared."""
        return self._pictures.by_tags

    @property
    def places(self) -> int:
        """How many images take memory: those that were removed of late too."""
        return self._pictures.places

    @property
    def rules(self) -> Rules:
        """What is in force for so many images."""
        return self._budgets.rules(*self.size)

    @property
    def thresholds(self) -> Thresholds:
        """What is in force, and why."""
        return self._budgets.thresholds(*self.size)

    def unready(self) -> str | None:
        """Say why searches would not be answered, or not rightly."""
        if not self._is_loaded:
            return "The protected images are being loaded."
        if self.age_seconds > self._stale_seconds:
            return f"The protected images are those of {self.age_seconds:.0f} s ago."
        return None

    async def look(self, picture: Description, tags: Sequence[str] | None) -> tuple[Looked, Rules]:
        """Find the images that are protected now and that an image may show.

        Raises
        ------
        UnavailableError
            While the index is loading.
        """
        await self.catch_up()
        async with self._lock.shared():
            rules = self.rules
            looked = await asyncio.to_thread(self._pictures.look, picture, tags, rules)
        return looked, rules

    async def catch_up(self) -> None:
        """Return once everything that was committed before this call counts."""
        if not self._is_loaded:
            raise UnavailableError("The protected images are being loaded.", retry_after_seconds=1)
        if self._next_poll is None:
            self._next_poll = asyncio.create_task(self._poll_next(), name="index-poll")
        await asyncio.shield(self._next_poll)

    async def _poll_next(self) -> None:
        async with self._polling:
            self._next_poll = None  # who comes now may have seen what this poll does not
            await self._poll()

    async def _keep_current(self) -> bool:
        if not self._is_loaded or self._is_outgrown:
            await self._load()
        await self.catch_up()
        async with self._lock.alone():
            await asyncio.to_thread(self._pictures.compact)
        return False

    async def _watch(self) -> None:
        while True:
            try:
                async for _ in self._images.protected_changed():
                    self._loop.wake()
            except PyMongoError as error:
                logger.warning("changes are polled for, since they are not told: %s", error)
            await asyncio.sleep(_WATCH_AGAIN_SECONDS)

    @property
    def _is_outgrown(self) -> bool:
        """Whether so many images are protected now that they are to be laid out by their tags."""
        return not self.by_tags and self._are_many(len(self._pictures))

    def _are_many(self, images: int) -> bool:
        return images > self._tags_from or not self._tags_from

    async def _load(self) -> None:
        began = time.monotonic()
        await asyncio.to_thread(load_backend)
        # What changes from now on is found by the first poll.
        newest = await self._images.newest_change()
        now = utc_now()
        count = await self._images.count_protected(now)
        pictures = Pictures(
            self._budgets.mode,
            points_limit=self._points_limit if count <= self._points_limit else 0,
            by_tags=self._budgets.mode is MatchingMode.PAPER or self._are_many(count),
        )
        self._due = []
        # One thread, so that what each batch takes for a moment is taken by the next one too.
        with ThreadPoolExecutor(1, "index-load") as thread, _no_circles():
            run = partial(asyncio.get_running_loop().run_in_executor, thread)
            async for batch in self._images.every_protected():
                documents = await run(unpacked, batch)
                self._note_boundaries(documents, now)
                held = [one for one in documents if is_protected_at(one, now)]
                packed = await self._packed(held, pictures)
                await run(self._extend, pictures, held, packed)
        async with self._polling:  # what a poll found meanwhile was taken over by the former ones
            self._pictures, self._newest, self._recent = pictures, newest, {}
        self._is_loaded = True
        _give_back_memory()
        logger.info(
            "the index is loaded: %d images, %d views, %.1f s",
            len(pictures),
            pictures.views,
            time.monotonic() - began,
        )

    async def _poll(self) -> None:
        began, now = time.monotonic(), utc_now()
        is_due = self._due and self._due[0][0] <= now
        stale = {id_: tag for moment, id_, tag in self._due if moment <= now} if is_due else {}
        changes = await self._images.changes(self._newest and self._newest - _OVERLAP)
        for id_, (tag, changed_at) in changes.items():
            if self._recent.get(id_) != changed_at:
                stale[id_] = tag
        ids = list(stale)
        for start in range(0, len(ids), _AT_A_TIME):
            await self._renew({id_: stale[id_] for id_ in ids[start : start + _AT_A_TIME]})
        self._remember({id_: changed_at for id_, (_, changed_at) in changes.items()})
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)
        self._looked_at = began

    async def _renew(self, tags: dict[str, str]) -> None:
        """Read images that changed, or whose protection begins or ends, and take them over."""
        documents = await self._images.indexed(tags)
        now = utc_now()
        held = [one for one in documents if is_protected_at(one, now)]
        packed = await self._packed(held, self._pictures)
        async with self._lock.alone():
            gone = tags.keys() - {one["_id"] for one in held}
            await asyncio.to_thread(self._pictures.remove, gone)
            await asyncio.to_thread(lambda: self._pictures.add(self._read(held, packed)))
        self._note_boundaries(documents, now)
        self._on_change(tags)

    def _remember(self, changes: dict[str, datetime]) -> None:
        self._newest = max(
            [*changes.values(), *([self._newest] if self._newest else [])], default=None
        )
        if self._newest:
            horizon = self._newest - _OVERLAP
            known = self._recent | changes
            self._recent = {id_: at for id_, at in known.items() if at >= horizon}

    def _note_boundaries(self, documents: Iterable[Document], now: datetime) -> None:
        for one in documents:
            for moment in (one["protected_from"], one["protected_until"]):
                if moment is not None and moment > now:
                    heapq.heappush(self._due, (moment, one["_id"], one["tag"]))

    async def _packed(self, documents: Sequence[Document], pictures: Pictures) -> dict[str, bytes]:
        if not pictures.has_points:
            return {}
        return await self._images.descriptions([one["_id"] for one in documents])

    def _extend(
        self, pictures: Pictures, documents: Sequence[Document], packed: dict[str, bytes]
    ) -> None:
        pictures.extend(self._read(documents, packed))

    def _read(self, documents: Sequence[Document], packed: dict[str, bytes]) -> list[Picture]:
        read = []
        for one in documents:
            try:
                read.append(picture_of(one, packed.get(one["_id"]), profile=self._budgets.profile))
            except (KeyError, TypeError, ValueError):
                logger.exception("protected image %s cannot be read; it is not matched", one["_id"])
        return read


@contextmanager
def _no_circles() -> Iterator[None]:
    """Look for no circular garbage: reading makes none, and looking takes a third of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _give_back_memory() -> None:
    """Give the system back what loading took for a moment, which glibc keeps in each thread."""
    if sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # another C library, which has no such function
            ctypes.CDLL(None).malloc_trim(0)
