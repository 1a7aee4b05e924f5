"""What is decided of runs: those that are asked for, and those that are due by the clock."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from services.matcher.runs.settings import WatchSettings
from services.matcher.runs.store import RunStore
from srpitp_contracts.identifiers import derived_id
from srpitp_contracts.model import utc_now
from srpitp_contracts.pages import Page
from srpitp_contracts.runs import Run, RunKind, RunReason, RunRequest, RunState, new_run
from srpitp_servicekit.auth import Caller
from srpitp_servicekit.idempotency import IdempotencyKeyReusedError, id_for
from srpitp_servicekit.problems import ConflictError, NotFoundError

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


class RunService:
    """Runs are asked for here; `RunWatch` launches them.

    Parameters
    ----------
    store
        The runs.
    settings
        Which launcher, and when a sweep is due.
    wake
        Called when there is a run to be launched or ended.
    """

    def __init__(self, store: RunStore, settings: WatchSettings, wake: Callable[[], None]) -> None:
        self._store = store
        self._settings = settings
        self._wake = wake
        self._started_at = utc_now()

    async def start(self, request: RunRequest, caller: Caller, key: str | None) -> Run:
        """Add a run that is launched as soon as there is room for it.

        Raises
        ------
        IdempotencyKeyReusedError
            The key came with another request before.
        """
        run = self._new(id_for(caller, "run", key), request, RunReason.REQUEST)
        stored = await self._store.add(run) or run
        if _request_of(stored) != request:
            raise IdempotencyKeyReusedError
        self._wake()
        return stored

    async def run(self, id_: str) -> Run:
        """Return a run."""
        run = await self._store.run(id_)
        if run is None:
            raise NotFoundError(f"There is no run {id_}.")
        return run

    async def runs(
        self,
        *,
        kind: RunKind | None,
        state: RunState | None,
        limit: int,
        cursor: str | None,
    ) -> Page[Run]:
        """Return the newest runs."""
        query = {"kind": kind and str(kind), "state": state and str(state)}
        return await self._store.runs(query, limit=limit, cursor=cursor)

    async def cancel(self, id_: str) -> Run:
        """Cancel a run; what it wrote stays, and cancelling it again says the same.

        Raises
        ------
        ConflictError
            It finished, or failed, before.
        """
        await self._store.cancel(id_, utc_now())
        run = await self.run(id_)
        if run.state is not RunState.CANCELLED:
            raise ConflictError(f"Run {id_} is {run.state} already.")
        self._wake()
        return run

    async def sweep_if_due(self, now: datetime | None = None) -> bool:
        """Add the sweep over all tags whose time has come; return whether there was one.

        The matcher's own schedule, and not a ScheduledSparkApplication: so the same setting holds
        on one machine and on a cluster, and a sweep is a run like any other one. A time that
        passed while no matcher was there is let go.
        """
        every = self._settings.sweep_every_hours
        if every is None:
            return False
        due = latest_time(now or utc_now(), timedelta(hours=every), self._settings.sweep_at_hour)
        if due < self._started_at:
            return False
        id_ = derived_id("sweep", due.isoformat())
        if await self._store.run(id_) is not None:
            return False
        request = RunRequest(kind=RunKind.MATCH, all_tags=True)
        added = await self._store.add(self._new(id_, request, RunReason.SCHEDULE))
        self._wake()
        return added is not None

    def _new(self, id_: str, request: RunRequest, reason: RunReason) -> Run:
        return new_run(id_, request, reason, self._settings.run_launcher, utc_now())


def latest_time(now: datetime, every: timedelta, at_hour: float) -> datetime:
    """Return the latest of the times that lie ``every`` apart, one of them at ``at_hour``."""
    first = _EPOCH + timedelta(hours=at_hour)
    return first + (now - first) // every * every


def _request_of(run: Run) -> RunRequest:
    return RunRequest(kind=run.kind, tags=run.tags, all_tags=run.all_tags, since=run.since)
