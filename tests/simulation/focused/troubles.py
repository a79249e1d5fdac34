"""Troubles that the simulations of one feature share."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from waypost.ports.cluster import ClusterError, Kind, Unavailable

from tests.support.harness import World
from tests.support.line import Call

Start = Callable[[], object]


@dataclass(frozen=True)
class Trouble:
    """Something that goes wrong, or that a person does.

    Attributes:
        kind: What it is.
        at: Seconds after the play has begun.
        seconds: How long it lasts.
        number: Decides between variants of it.
    """

    kind: str
    at: float
    seconds: float = 1.0
    number: int = 0


def draw_trouble(
    draw: random.Random,
    kinds: Sequence[str],
    *,
    latest: float = 20.0,
    seconds: Sequence[float] = (0.5, 5.0, 14.0),
) -> Trouble:
    """A trouble of one of `kinds` that begins at most `latest` seconds after the play."""
    return Trouble(
        draw.choice(kinds),
        at=draw.uniform(0.2, latest),
        seconds=draw.choice(seconds),
        number=draw.randint(0, 9),
    )


async def befall(trouble: Trouble, happen: Callable[[Trouble], Awaitable[None]]) -> None:
    """Let a trouble happen at its time. It ends where its object is gone, or has ended."""
    await asyncio.sleep(trouble.at)
    try:
        await happen(trouble)
    except ClusterError:
        return


async def disturb(
    world: World,
    start: Start,
    trouble: Trouble,
    *,
    lost: Sequence[tuple[str, Kind]],
    acting: tuple[str, Kind] | None = None,
    within: float = 20.0,
    rest: float = 1.0,
) -> bool:
    """Do what a trouble does to the operator or to its requests.

    Args:
        world: Where it happens.
        start: Starts another operator.
        trouble: What happens: `kill`, `freeze`, `freeze_acting` or `lost`.
        lost: The requests that are lost, a verb and a kind each.
        acting: The request before which the operator freezes with `freeze_acting`.
        within: The seconds that this request may take to come.
        rest: The seconds that a frozen operator lives after it wakes.

    Returns:
        Whether it was such a trouble.
    """
    match trouble.kind:
        case "kill":
            await kill(world, start, trouble.seconds)
        case "freeze" | "freeze_acting":
            if trouble.kind == "freeze_acting" and acting is not None:
                await until_requested(world, *acting, within=within)
            await freeze(world, start, trouble.seconds, rest=rest)
        case "lost":
            lose_requests(world, trouble, *lost)
        case _:
            return False
    return True


async def disturb_request(
    world: World, start: Start, trouble: Trouble, requests: Sequence[tuple[str, Kind]]
) -> bool:
    """`disturb` with the one of `requests`, a verb and a kind each, that the number chooses; the
    number is also how long a frozen operator lives after it wakes."""
    request = requests[trouble.number % len(requests)]
    return await disturb(
        world,
        start,
        trouble,
        lost=[request],
        acting=request,
        within=60.0,
        rest=trouble.number,
    )


async def kill(world: World, start: Start, seconds: float) -> None:
    """The operator dies, and another starts after `seconds`."""
    world.operators[-1].die()
    await asyncio.sleep(seconds)
    start()


async def freeze(
    world: World,
    start: Start,
    seconds: float,
    *,
    rest: float = 1.0,
    first: Callable[[], Awaitable[None]] | None = None,
) -> None:
    """The operator freezes, another starts; the first wakes after `seconds` and dies `rest` later.
    `first` is done before the other starts."""
    operator = world.operators[-1]
    operator.freeze()
    if first is not None:
        await first()
    start()
    await asyncio.sleep(seconds)
    operator.thaw()
    await asyncio.sleep(rest)
    operator.die()


async def until_requested(world: World, verb: str, kind: Kind, *, within: float) -> None:
    """Until the newest operator is about to send such a request, or `within` seconds have passed.

    The request waits for a moment, so that what follows happens before it.
    """
    operator = world.operators[-1]
    acting = asyncio.Event()

    async def intercept(call: Call, send: Any) -> Any:
        if (call.verb, call.kind) == (verb, kind) and not acting.is_set():
            acting.set()
            await asyncio.sleep(0.05)
        return await send()

    operator.line.intercept = intercept
    try:
        await asyncio.wait_for(acting.wait(), within)
    except TimeoutError:
        return


def lose_requests(world: World, trouble: Trouble, *requests: tuple[str, Kind]) -> None:
    """The next requests, a verb and a kind each, are lost, or their answers."""
    for verb, kind in requests:
        world.cluster.fail_next(
            verb,
            kind,
            Unavailable("lost"),
            after_commit=trouble.number % 2 == 0,
            times=1 + trouble.number // 3,
        )


async def suspend(world: World, name: str, seconds: float) -> None:
    """A person suspends a run, and lifts that after `seconds`."""
    await world.patch_run({"suspend": True}, name=name)
    await asyncio.sleep(seconds)
    await world.patch_run({"suspend": False}, name=name)
