"""Play events: operators, senders, people; then each event is where it belongs."""

import asyncio
import contextlib
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import AlreadyExists, Kind, RefusedForNow

from tests.fakes.api.watch import IMMEDIATE, ROUGH, STALE
from tests.simulation.events.plan import (
    SECONDS,
    TEMPLATE,
    WAITER,
    Caller,
    Plan,
    Run,
    Sent,
    Start,
    body,
    caller_body,
    template,
    waiter,
)
from tests.simulation.events.watcher import Watcher
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.events import EVENT, send
from tests.support.harness import World
from tests.support.templates import create_template

_REQUESTS: Final = (
    ("patch", EVENT),
    ("list", EVENT),
    ("patch", Kind.AGENT_WORKFLOW),
    ("create", Kind.AGENT_WORKFLOW),
)
_QUIET: Final = 200.0  # more than a frozen operator sleeps, and the operator lists all again


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)

    async def run(self) -> list[Violation]:
        self._start()
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        for trouble in self.plan.more_troubles:
            self.world.helper(troubles.befall(trouble, self._to_a_caller))
        acts = [
            self._template(),
            *map(self._submit, self.plan.runs),
            *map(self._call, self.plan.callers),
            *map(self._send, self.plan.events),
            *map(self._request, self.plan.starts),
        ]
        await asyncio.gather(*acts)
        await asyncio.sleep(SECONDS)
        self.world.cluster.server.refusals.clear()
        self.world.cluster.withheld.clear()
        await asyncio.sleep(_QUIET)
        self._judge()
        names = [run.name for run in self.plan.runs] + [one.name for one in self.plan.callers]
        names = [name for name in names if self.world.run(name)]
        for name in names:
            if not self.world.is_finished(name):
                await self.world.patch_run({"cancel": True}, name=name)
        await asyncio.sleep(_QUIET)
        for one in self.watcher.alive():
            name = one["metadata"]["name"]
            if not self.world.is_finished(name):
                self.watcher.blame(f"{name} does not end: {self.world.tell()}", "I11")
        return self.watcher.violations

    def _judge(self) -> None:
        """VN2, once all is quiet: nobody waits beside an event, and no claim is open."""
        for problem in self.watcher.unserved():
            self.watcher.blame(problem, "VN2")
        for problem in self.watcher.twice():
            self.watcher.blame(problem, "VN1")
        for problem in self.watcher.unstarted():
            self.watcher.blame(problem, "VN6")
        for id_ in self.watcher.events:
            if self.watcher.phase(id_) == "Claimed":
                self.watcher.blame(f"{id_} stays claimed: {self.watcher.events[id_]}", "VN2")

    def _start(self) -> Any:
        delivery = {"immediate": IMMEDIATE, "rough": ROUGH, "stale": STALE}[self.plan.delivery]
        return self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _submit(self, run: Run) -> None:
        await asyncio.sleep(run.at)
        await self.world.submit(body(run), name=run.name)

    async def _call(self, caller: Caller) -> None:
        await asyncio.sleep(caller.at)
        await self.world.submit(caller_body(caller), name=caller.name)

    async def _send(self, sent: Sent) -> None:
        await asyncio.sleep(max(sent.at, 0.0))
        whose = {"key": sent.key} if sent.key else {"workflow": sent.run}
        for _ in range(sent.times):
            with contextlib.suppress(AlreadyExists):
                await send(self.world, sent.id, name=sent.name, payload=sent.payload, **whose)
            await asyncio.sleep(0.3)

    async def _template(self) -> None:
        if self.plan.callers:
            await create_template(self.world, waiter(self.plan.callers[0].timeout), WAITER)
        await asyncio.sleep(self.plan.template_at)
        await create_template(self.world, template(), TEMPLATE)

    async def _request(self, start: Start) -> None:
        """What the ingress does when a request comes, and comes again."""
        await asyncio.sleep(start.at)
        for _ in range(start.times):
            with contextlib.suppress(AlreadyExists):
                run = {"templateRef": {"name": TEMPLATE}, "inputs": start.inputs}
                origin = {"name": start.source, "id": start.id}
                await send(self.world, start.id, name=start.source, start=run, source=origin)
            await asyncio.sleep(0.3)

    async def _happen(self, trouble: Trouble) -> None:
        if await troubles.disturb_request(self.world, self._start, trouble, _REQUESTS):
            return
        run = self.plan.runs[trouble.number % len(self.plan.runs)].name
        match trouble.kind:
            case "second":  # both work, and know nothing of each other
                self._start()
            case "cancel":
                claimed = await self._next_claim() if trouble.number % 3 else run
                await self.world.patch_run({"cancel": True}, name=claimed or run)
            case "rerun":
                await self._rerun(run, trouble)
            case "delete_event":
                waiting = sorted(self.watcher.events)
                if waiting:
                    await self.world.delete(EVENT, waiting[trouble.number % len(waiting)])
            case "refused":
                error = RefusedForNow("a webhook denied the request", code=403)
                refusals = self.world.cluster.server.refusals
                refusals["patch_status", EVENT] = lambda: error
                await asyncio.sleep(trouble.seconds)
                refusals.clear()

    async def _to_a_caller(self, trouble: Trouble) -> None:
        caller = self.plan.callers[trouble.number % len(self.plan.callers)]
        match trouble.kind:
            case "suspend":
                await troubles.suspend(self.world, caller.name, trouble.seconds)
            case "cancel_child":
                claimed = await self._next_claim() if trouble.number % 3 else ""
                own = [one for one in self.watcher.alive() if section(one, "spec", "parent")]
                names = [str(one["metadata"]["name"]) for one in own]
                if names:
                    name = claimed if claimed in names else names[trouble.number % len(names)]
                    await self.world.patch_run({"cancel": True}, name=name)
            case "again":
                await self._again(caller.name, caller.wait)
            case "delete_caller":
                await self.world.delete(Kind.AGENT_WORKFLOW, caller.name)

    async def _again(self, run: str, node: str) -> None:
        asked = section(self.world.run(run), "spec", "rerun").get("round", 1)
        await self.world.patch_run({"rerun": {"round": asked + 1, "from": [node]}}, name=run)

    async def _next_claim(self) -> str:
        """The run that claims the next event, in the moment of the claim; "" if none does."""
        known = len(self.watcher.claims)
        for _ in range(30_000):
            if len(self.watcher.claims) > known:
                return self.watcher.claims[-1]
            await asyncio.sleep(0.002)
        return ""

    async def _rerun(self, run: str, trouble: Trouble) -> None:
        """Another round in which a node waits again, as soon as it has taken an event."""
        for _ in range(60):
            if self.world.node("w0", run).get("phase") == "Succeeded":
                break
            await asyncio.sleep(0.05 if trouble.number % 2 else 1.0)
        await self._again(run, "w0")


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    runs, wrong = (*planned.runs, *planned.callers), (*planned.troubles, *planned.more_troubles)
    parts = (planned.delivery, *runs, *planned.events, *planned.starts, *wrong)
    return "\n".join(map(str, parts))
