"""Runs as SparkApplications: the real client against an API server that tests can break."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from services.matcher.runs.launchers import Condition
from services.matcher.runs.launchers.applications import Status
from services.matcher.runs.launchers.manifest import application_name
from services.matcher.runs.launchers.spark_operator import SparkOperatorLauncher, seen
from srpitp_contracts.model import utc_now
from srpitp_contracts.names import Collection
from srpitp_contracts.runs import Run, RunCounts, RunState, begun, finished, of_attempt
from tests.deadlines import eventually
from tests.services.matcher.runs.api_server import ApiServer, api_server
from tests.services.matcher.runs.conftest import Runs, Serving
from tests.services.matcher.runs.watching import quick_settings

OnKubernetes = Callable[..., AbstractAsyncContextManager[Runs]]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


@pytest.fixture
def api(kubeconfig: Path) -> Iterator[ApiServer]:
    with api_server(kubeconfig) as server:
        yield server


@pytest.fixture
def on_kubernetes(serving: Serving, api: ApiServer, kubeconfig: Path) -> OnKubernetes:
    """``on_kubernetes(**settings)``: a matcher that launches SparkApplications."""

    @asynccontextmanager
    async def serve(**changes: Any) -> AsyncIterator[Runs]:
        settings = quick_settings(
            run_launcher="kubernetes",
            kubeconfig=kubeconfig,
            spark_image="srpitp/spark:1",
            kubernetes_timeout_seconds=0.5,
            **changes,
        )
        async with serving(settings, SparkOperatorLauncher(settings)) as runs:
            yield runs

    return serve


async def launched(api: ApiServer, runs: Runs, run: Run, attempt: int = 1) -> str:
    """Wait until an attempt's application is there; return its name."""
    name = application_name(run.model_copy(update={"attempts": attempt}))

    async def is_there() -> bool:
        return name in api.items and (await runs.get(run.id)).place is not None

    await eventually(is_there)
    return name


async def say(runs: Runs, run: Run, update: dict[str, Any], attempt: int = 1) -> None:
    written = await runs.db[Collection.RUNS].update_one(of_attempt(run.id, attempt), update)
    assert written.matched_count == 1


async def watched(api: ApiServer) -> None:
    async def is_watched() -> bool:
        return api.watches == 1

    await eventually(is_watched)


async def test_a_run_becomes_an_application_and_its_document_says_when_it_is_done(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        name = await launched(api, runs, run)
        place = (await runs.get(run.id)).place
        assert place is not None
        assert (place.within, place.name) == ("srpitp", name)
        assert place.log == f"kubectl logs --namespace srpitp {name}-driver"
        api.say(name, "RUNNING")
        await say(runs, run, begun(utc_now()))
        await say(runs, run, finished(utc_now(), RunCounts(images=5)))
        await runs.until(run.id, RunState.FINISHED)
        await runs.closed(run.id)
        assert name in api.items  # it and its log stay until their time is over


@pytest.mark.parametrize("answers", [(500, 0, 503), (429,)])
async def test_an_api_server_that_is_away_is_asked_again(
    on_kubernetes: OnKubernetes, api: ApiServer, answers: tuple[int, ...]
) -> None:
    api.fail_next("create", *answers)
    async with on_kubernetes() as runs:
        run = await runs.start()
        await launched(api, runs, run)
        assert (await runs.get(run.id)).attempts == 1
        assert api.requests.count("create") == len(answers) + 1


async def test_an_application_that_exists_was_launched_before(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        name = await launched(api, runs, run)
        # As if the matcher had been killed before it could write down where the attempt runs.
        await runs.db[Collection.RUNS].update_one({"_id": run.id}, {"$set": {"place": None}})
        assert await launched(api, runs, run) == name
        assert (len(api.items), api.requests.count("create")) == (1, 2)


@pytest.mark.parametrize("status", [403, 422])
async def test_an_application_that_is_refused_fails_the_run_at_once(
    on_kubernetes: OnKubernetes, api: ApiServer, status: int
) -> None:
    api.fail_next("create", status)
    async with on_kubernetes() as runs:
        run = await runs.start()
        failed = await runs.until(run.id, RunState.FAILED)
        assert (failed.attempts, failed.error) == (1, f"{status}: as the test wants it")


async def test_what_the_webhook_says_is_told(on_kubernetes: OnKubernetes, api: ApiServer) -> None:
    async with on_kubernetes(spark_conf={"spark.master": "local"}) as runs:
        run = await runs.start()
        failed = await runs.until(run.id, RunState.FAILED)
        assert "sparkConf key 'spark.master' is not allowed" in (failed.error or "")


async def test_an_application_that_fails_is_followed_by_another(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        first = await launched(api, runs, run)
        api.say(first, "SUBMISSION_FAILED", "no such image")
        second = await launched(api, runs, run, attempt=2)
        assert first != second
        assert first in api.items  # its log may be wanted
        again = await runs.get(run.id)
        assert (again.failures, again.error) == (1, "SUBMISSION_FAILED: no such image")
        await say(runs, run, begun(utc_now()), attempt=2)
        await say(runs, run, finished(utc_now(), RunCounts()), attempt=2)
        await runs.until(run.id, RunState.FINISHED)


async def test_an_application_that_hangs_is_deleted_and_followed_by_another(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes(run_start_seconds=0.5) as runs:
        run = await runs.start()
        first = await launched(api, runs, run)
        api.say(first, "SUBMITTED")
        await launched(api, runs, run, attempt=2)
        assert first not in api.items
        assert "did not begin within 0.5 s (pending: SUBMITTED)" in str(
            (await runs.get(run.id)).error
        )


async def test_an_application_that_vanishes_is_followed_by_another(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        first = await launched(api, runs, run)
        await watched(api)
        api.note("DELETED", api.items[first])
        await launched(api, runs, run, attempt=2)
        assert "vanished" in ((await runs.get(run.id)).error or "")


async def test_a_cancelled_run_has_no_application_even_if_deleting_fails_first(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        await launched(api, runs, run)
        api.fail_next("delete", 500, 0)
        await runs.http.delete(f"/v1/runs/{run.id}")
        await runs.closed(run.id)
        assert not api.items


async def test_a_matcher_leaves_its_applications_and_the_next_adopts_them(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        name = await launched(api, runs, run)
    assert name in api.items
    async with on_kubernetes() as runs:
        await say(runs, run, begun(utc_now()))
        await say(runs, run, finished(utc_now(), RunCounts()))
        await runs.closed(run.id)
        assert (await runs.get(run.id)).attempts == 1
        assert api.requests.count("create") == 1


async def test_a_watch_outlives_what_it_does_not_understand(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    api.fail_next("list", 200)  # an answer that is no list
    async with on_kubernetes():
        await watched(api)
        assert api.requests.count("list") == 2


@pytest.mark.parametrize("disturb", [ApiServer.forget, ApiServer.drop_watches])
async def test_a_watch_that_breaks_or_is_too_old_begins_anew(
    on_kubernetes: OnKubernetes, api: ApiServer, disturb: Callable[[ApiServer], None]
) -> None:
    async with on_kubernetes(run_max_attempts=1) as runs:
        run = await runs.start()
        name = await launched(api, runs, run)
        await watched(api)
        disturb(api)
        lists = api.requests.count("list")

        async def is_listed_anew() -> bool:
            return api.watches == 1 and api.requests.count("list") > lists

        await eventually(is_listed_anew)
        api.say(name, "FAILED", "out of memory")
        failed = await runs.until(run.id, RunState.FAILED)
        assert failed.error == "FAILED: out of memory"


async def test_what_the_watch_tells_is_not_asked_for(
    on_kubernetes: OnKubernetes, api: ApiServer
) -> None:
    async with on_kubernetes() as runs:
        run = await runs.start()
        name = await launched(api, runs, run)
        await watched(api)
        asked = api.requests.count("get")
        api.say(name, "FAILED")
        await runs.until(run.id, RunState.WAITING, RunState.SUBMITTED)
        await launched(api, runs, run, attempt=2)
        assert api.requests.count("get") <= asked + 1


def test_every_state_of_the_operator_is_known() -> None:
    expected = {
        Condition.PENDING: ["", "NEW", "SUBMITTED", "PENDING_RERUN", "INVALIDATING"],
        Condition.RUNNING: ["RUNNING", "SUCCEEDING", "FAILING"],
        Condition.SUCCEEDED: ["COMPLETED"],
        Condition.FAILED: ["FAILED", "SUBMISSION_FAILED"],
        Condition.UNKNOWN: ["UNKNOWN", "OF_A_LATER_VERSION"],
    }
    for condition, states in expected.items():
        for state in states:
            assert seen(Status(state, "", None)).condition is condition
