"""``srpitp runs`` against a matcher whose jobs are small child processes."""

import asyncio
import json

import pytest
from typer.testing import CliRunner, Result

from srpitp.cli import app
from srpitp_contracts.runs import RunState
from tests.keys import ADMIN_KEY
from tests.services.matcher.runs.conftest import Runs, Serving
from tests.services.matcher.runs.watching import launcher_of, quick_settings


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRPITP_KEY", ADMIN_KEY)
    monkeypatch.setenv("SRPITP_URL", "http://nowhere.invalid")


async def srpitp(runs: Runs, *arguments: str) -> Result:
    environment = {"SRPITP_MATCHER_URL": str(runs.http.base_url)}
    return await asyncio.to_thread(CliRunner().invoke, app, ["runs", *arguments], env=environment)


@pytest.mark.usefixtures("key")
async def test_a_run_is_started_watched_and_listed(serving: Serving) -> None:
    settings = quick_settings()
    async with serving(settings, launcher_of(settings, "a-while")) as runs:
        done = await srpitp(runs, "start", "match", "--tag", "people", "--watch")
        assert done.exit_code == 0, done.output
        assert "State     finished" in done.output
        assert "Images    3" in done.output
        listed = await srpitp(runs, "list", "--json", "--state", "finished")
        [run] = (json.loads(line) for line in listed.output.splitlines())
        assert run["tags"] == ["people"]
        shown = await srpitp(runs, "show", run["id"])
        assert f"{run['id']}-1.log" in shown.output
        refused = await srpitp(runs, "cancel", run["id"])
        assert (refused.exit_code, "is finished already" in refused.output) == (1, True)


@pytest.mark.usefixtures("key")
async def test_a_run_is_cancelled(serving: Serving) -> None:
    settings = quick_settings()
    async with serving(settings, launcher_of(settings, "long")) as runs:
        started = await srpitp(runs, "start", "--all-tags", "--since", "2026-01-01", "--json")
        run = json.loads(started.output)
        assert (run["since"], run["all_tags"]) == ("2026-01-01T00:00:00Z", True)
        await runs.until(run["id"], RunState.RUNNING)
        cancelled = await srpitp(runs, "cancel", run["id"])
        assert "is cancelled" in cancelled.output
        watched = await srpitp(runs, "watch", run["id"])
        assert watched.exit_code == 1


@pytest.mark.usefixtures("key")
async def test_a_run_that_means_nothing_is_refused_here(serving: Serving) -> None:
    result = CliRunner().invoke(app, ["runs", "start", "fingerprint", "--all-tags"])
    assert result.exit_code == 2
    assert "all_tags and since are of match runs" in result.output
