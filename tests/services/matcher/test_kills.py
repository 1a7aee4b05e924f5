"""A matcher that is killed amid a decision on many matches: each is decided and told once."""

import httpx
import pytest

from srpitp_contracts.names import Collection
from tests.deadlines import eventually
from tests.keys import ADMIN_KEY, bearer
from tests.mongodb import transactions_that_live
from tests.services.matcher.dying import Step
from tests.services.matcher.world import ORIGINAL, World, altered
from tests.services.processes import dying_process

REQUEST = {"decision": "confirm", "owner_id": "owner"}


async def decide_until_death(step: Step) -> None:
    """Send the decision to a matcher of its own, which is killed after a step."""
    async with (
        dying_process("tests.services.matcher.dying", step) as url,
        httpx.AsyncClient(base_url=url, headers=bearer(ADMIN_KEY), timeout=30) as http,
    ):
        with pytest.raises(httpx.TransportError):
            await http.post("/v1/reviews", json=REQUEST)


@pytest.mark.parametrize("step", list(Step))
async def test_the_same_request_goes_on_where_it_was_cut_off(world: World, step: Step) -> None:
    await world.protect("photo", ORIGINAL)
    found = []
    for number in range(4):
        copy = altered(ORIGINAL, 0.15 + 0.01 * number, seed=number)
        found += await world.tell("detected", await world.detect(f"copy{number}", copy))
    assert len(found) == 4
    matches = world.db[Collection.MATCHES]
    async with transactions_that_live(world.db, seconds=1):
        await decide_until_death(step)
        decided = await matches.count_documents({"state": "confirmed"})
        assert decided == (2 if step is Step.COMMITTED else 1)

        async def all_are_decided() -> bool:
            answer = await world.http.post("/v1/reviews", json=REQUEST)
            return answer.is_success and not answer.json()["skipped"]

        await eventually(all_are_decided, seconds=60)
    assert await matches.count_documents({"state": "confirmed"}) == 4
    await world.settled()
    # One alert of each; it may be sent twice, under the same id, by who died before noting it.
    told = {path for path in world.neighbours.told if "alerts/" in path}
    assert len(told) == 4
    assert {alert["match"]["id"] for alert in world.neighbours.alerts} == set(found)
    assert {len(match["history"]) async for match in matches.find({})} == {1}
