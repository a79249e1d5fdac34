"""Whose task is whose, on a loop that is shared with a guest."""

import asyncio

import pytest
from waypost.adapters.kopf_tasks import TaskTracker


async def spawn(depth: int) -> list["asyncio.Task[None]"]:
    """A chain of tasks, each made by the one before."""
    made: list[asyncio.Task[None]] = []

    async def link(left: int) -> None:
        if left:
            made.append(asyncio.create_task(link(left - 1)))
        await asyncio.sleep(30)

    made.append(asyncio.create_task(link(depth)))
    await asyncio.sleep(0.01)
    return made


async def end(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_descendants_are_members_and_others_strangers() -> None:
    with TaskTracker() as household:
        before = await spawn(1)
        with household.inside():
            guests = await spawn(2)
        after = await spawn(1)
        assert len(guests) == 3
        assert not any(task in household.strangers for task in guests)
        assert all(task in household.strangers for task in (*before, *after))
        assert set(household.strangers) >= {*before, *after}
        assert len(household.strangers) == len(list(household.strangers))
        await end([*before, *guests, *after])


async def test_the_loop_is_given_back() -> None:
    loop = asyncio.get_running_loop()
    with TaskTracker():
        assert loop.get_task_factory() is not None
        with pytest.raises(RuntimeError, match="factory"), TaskTracker():
            pass
    assert loop.get_task_factory() is None
