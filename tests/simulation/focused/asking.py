"""A play of a run that asks people: what the simulations of questions and of gated calls share."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Protocol

from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import Watcher, has_ended, is_cancelled, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_TROUBLED: Final = 40.0
_ROUNDS: Final = 4


class Judging(Watcher, Protocol):
    """A watcher that takes what a play finds wrong."""

    def blame(self, invariant: str, text: str) -> None:
        """Note a violation."""
        ...


class Asking(Protocol):
    """The plan of a run that asks people."""

    @property
    def seed(self) -> int: ...
    @property
    def delivery(self) -> str: ...
    @property
    def troubles(self) -> Sequence[Trouble]: ...
    @property
    def deadline(self) -> float | None: ...
    @property
    def breaks(self) -> float | None: ...


class AskingPlay(ABC):
    """A play of a run that asks people: operators, troubles, rounds until it succeeds, its end.

    Attributes:
        name: The name of the run.
        stays: The beginning of names that may stay after its deletion.
    """

    name: str
    stays: str = ""

    def __init__(self, world: World, planned: Asking, watcher: Judging, **settings: Any) -> None:
        """Prepare a play; `settings` are those of its operators."""
        self.world, self._planned, self._judging = world, planned, watcher
        self._settings = settings
        self.round = 1

    async def run(self) -> list[Violation]:
        """Play to the end; everything that is wrong."""
        await self.prepare()
        self._start()
        await self.world.submit(self.body(), name=self.name)
        self.world.helper(self._people())
        for trouble in self._planned.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        while True:
            if not await has_ended(lambda: self.world.run(self.name)):
                self._judging.blame("I11", f"no end:\n{self.world.tell()}")
                return self._judging.violations
            self.judge()
            if not self._may_continue():
                break
            await self.next_round({})
        if left := await what_stays(self.world, self.name, but=self.stays):
            self._judging.blame("I12", f"left behind: {left}")
        return self._judging.violations

    async def prepare(self) -> None:  # noqa: B027
        """Create what the run needs."""

    @abstractmethod
    def body(self) -> Obj:
        """The spec of the run."""

    @abstractmethod
    def judge(self) -> None:
        """Judge a round that has ended."""

    @abstractmethod
    async def decide(self, approval: Obj) -> None:
        """Do what the person does who reads a new Approval."""

    @abstractmethod
    async def happen(self, trouble: Trouble) -> None:
        """Let a trouble happen that only this play has."""

    async def next_round(self, more: Obj, **named: Any) -> None:
        """A person asks for a round, and changes other fields of the spec with it."""
        self.round += 1
        rerun = {"round": self.round, "from": None, **named}
        await self.world.patch_run({"rerun": rerun, **more}, name=self.name)

    async def say(self, name: str, decision: str, **more: Any) -> None:
        """A person answers an Approval."""
        changes = {"decision": decision, "decidedBy": "ann", **more}
        try:
            await self.world.patch(Kind.APPROVAL, name, changes)
        except ClusterError:
            return  # it is gone, or was answered

    def _start(self) -> None:
        delivery = ROUGH if self._planned.delivery == "rough" else IMMEDIATE
        seed = self._planned.seed
        self.world.start(delivery=delivery, seed=seed, resync_seconds=60.0, **self._settings)

    def _may_continue(self) -> bool:
        failed = self.world.status(self.name).get("phase") == "Failed"
        cut = self._planned.deadline is not None or self._planned.breaks is not None
        cancelled = is_cancelled(self.world.run(self.name))
        return failed and not cut and self.round < _ROUNDS and not cancelled

    async def _people(self) -> None:
        seen: set[str] = set()
        while True:
            for approval in self.world.all(Kind.APPROVAL):
                if approval["metadata"]["uid"] not in seen:
                    seen.add(approval["metadata"]["uid"])
                    self.world.helper(self.decide(approval))
            await asyncio.sleep(0.25)

    async def _happen(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "lost_answer":
                troubles.lose_requests(self.world, trouble, ("patch_status", Kind.APPROVAL))
            case "suspend":
                await troubles.suspend(self.world, self.name, trouble.seconds)
            case "cancel":
                await self.world.patch_run({"cancel": True}, name=self.name)
            case "delete" | "contradict":
                await self._at_an_approval(trouble)
            case _:
                await self.happen(trouble)

    async def _at_an_approval(self, trouble: Trouble) -> None:
        known = sorted(one["metadata"]["name"] for one in self.world.all(Kind.APPROVAL))
        if not known:
            return
        name = known[trouble.number % len(known)]
        if trouble.kind == "delete":
            await self.world.delete(Kind.APPROVAL, name)
        else:
            await self.say(name, "Denied", answer=None)
            await asyncio.sleep(0.1)
            await self.say(name, "Approved")
