import asyncio

import pytest

from srpitp_servicekit.background import Loop
from tests.deadlines import eventually


class Counting:
    """A step that has so much work, and counts."""

    def __init__(self, work: int = 0) -> None:
        self.work = work
        self.steps = 0
        self.done = 0

    async def __call__(self) -> bool:
        self.steps += 1
        await asyncio.sleep(0)
        if not self.work:
            return False
        self.work -= 1
        self.done += 1
        return True

    async def nothing_left(self) -> bool:
        return not self.work


async def test_works_without_a_pause_while_there_is_work() -> None:
    step = Counting(100)
    async with Loop("test", step, interval_seconds=3600).running():
        await eventually(step.nothing_left)


@pytest.mark.parametrize("workers", [1, 5])
async def test_wakes_for_new_work_whenever_it_comes(workers: int) -> None:
    step = Counting()
    loop = Loop("test", step, interval_seconds=3600, workers=workers)
    async with loop.running():
        for _ in range(50):
            step.work += 1
            loop.wake()
            await eventually(step.nothing_left)
    assert step.done == 50


async def test_wake_in_the_middle_of_a_step_is_not_lost() -> None:
    arrived, may_go_on = asyncio.Event(), asyncio.Event()
    steps = 0

    async def step() -> bool:
        nonlocal steps
        steps += 1
        arrived.set()
        await may_go_on.wait()
        return False

    async def twice() -> bool:
        return steps == 2

    loop = Loop("test", step, interval_seconds=3600)
    async with loop.running():
        await arrived.wait()
        loop.wake()
        may_go_on.set()
        await eventually(twice)


async def test_polls_when_nobody_wakes_it() -> None:
    step = Counting()

    async def thrice() -> bool:
        return step.steps >= 3

    async with Loop("test", step, interval_seconds=0.01).running():
        await eventually(thrice)


async def test_error_is_logged_and_the_loop_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    failures = 3

    async def step() -> bool:
        nonlocal failures
        if failures:
            failures -= 1
            raise RuntimeError("broken step")
        return False

    async def over() -> bool:
        return not failures

    async with Loop("test", step, interval_seconds=0.01).running():
        await eventually(over)
    assert caplog.text.count("RuntimeError: broken step") == 3


async def test_slow_step_does_not_hold_up_the_other_workers() -> None:
    step = Counting(20)
    slow = True

    async def once_slow() -> bool:
        nonlocal slow
        if slow:
            slow = False
            await asyncio.Event().wait()
        return await step()

    async with Loop("test", once_slow, interval_seconds=3600, workers=2).running():
        await eventually(step.nothing_left)


async def test_ends_also_when_it_was_woken_just_before() -> None:
    for _ in range(50):
        step = Counting()
        loop = Loop("test", step, interval_seconds=3600, workers=3)
        async with asyncio.timeout(5), loop.running():
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            loop.wake()
            await asyncio.sleep(0)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("test-")]
