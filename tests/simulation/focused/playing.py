"""A play of one feature from its beginning to the deletion of its run."""

import asyncio
import traceback
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj

from tests.simulation.watching.evidence import Violation
from tests.support.harness import World
from tests.support.virtual import VirtualLoop

_TO_VANISH: Final = 600
_TO_END: Final = 900
_REST: Final = 70.0  # more than an operator takes to list all runs again
_CHILDREN: Final = (Kind.AGENT_WORKFLOW, Kind.JOB, Kind.POD, Kind.NODE_RECORD)


async def what_stays(world: World, name: str, *, but: str = "") -> list[str]:
    """Delete a run, and wait until nothing is left of it; the names of what stays.

    `but`: the beginning of names that do not count.
    """
    if world.run(name):
        await world.delete(Kind.AGENT_WORKFLOW, name)
    left: list[str] = []
    for _ in range(_TO_VANISH):
        found = [o["metadata"]["name"] for kind in _CHILDREN for o in world.all(kind)]
        left = [one for one in found if not (but and one.startswith(but))]
        if not left:
            break
        await asyncio.sleep(1)
    return left


async def has_ended(run: Callable[[], Obj], *, within: int = _TO_END) -> bool:
    """Wait until a run has ended the round that a person asked for last, and 70 seconds more.

    A round that begins meanwhile is waited for too, even if it is cancelled.

    Args:
        run: Reads the run as it is stored.
        within: How many seconds, or times of rest, it may take.

    Returns:
        Whether it has ended.
    """
    for _ in range(within):
        if ended := _ended_round(run()):
            await asyncio.sleep(_REST)
            if _ended_round(run()) == ended:
                return True
        await asyncio.sleep(1)
    return False


def is_cancelled(run: Obj) -> bool:
    """Whether a person has cancelled a run."""
    return bool(section(run, "spec").get("cancel"))


def _ended_round(run: Obj) -> int:
    """The round that a run has ended; 0 if it has not, or if another one is asked for."""
    status = section(run, "status")
    asked = 1 if is_cancelled(run) else int(section(run, "spec", "rerun").get("round") or 1)
    finished = any(
        c["type"] == "Finished" and c["status"] == "True" for c in items(status, "conditions")
    )
    round_ = int(status.get("round", 1))
    return round_ if finished and round_ >= asked else 0


class Watcher(Protocol):
    """What judges the stored states of a play."""

    violations: list[Violation]


class Playing(Protocol):
    """A play that has begun."""

    @property
    def watcher(self) -> Watcher:
        """Who knows everything that is wrong until now."""
        ...

    async def run(self) -> list[Violation]:
        """Play to the end; everything that is wrong."""
        ...


P = TypeVar("P", bound=Playing)


def played_and_kept(seed: int, begin: Callable[[World], P]) -> tuple[list[Violation], P]:
    """As `played`, and the play itself."""
    begun: list[P] = []

    def keep(world: World) -> P:
        begun.append(begin(world))
        return begun[0]

    violations = played(seed, keep)
    return violations, begun[0]


def played(seed: int, begin: Callable[[World], Playing]) -> list[Violation]:
    """Everything that is wrong with a play. An exception is a violation too."""

    async def main() -> list[Violation]:
        async with World(seed=seed) as world:
            playing = begin(world)
            try:
                return await playing.run()
            except Exception:  # noqa: BLE001
                broken = Violation("simulation", traceback.format_exc())
                return [*playing.watcher.violations, broken]

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
