"""Play runs with memory: operators, people; then each Episode is where it belongs."""

import asyncio
import contextlib
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, QuotaExceeded, Rejected

from tests.fakes.api.watch import IMMEDIATE, ROUGH, STALE
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.memory.plan import SECONDS, Plan, Review, Run, body
from tests.simulation.memory.watcher import Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World
from tests.support.memory import ENTRY, decide, forget

_REQUESTS: Final = (
    ("create", ENTRY),
    ("list", ENTRY),
    ("patch", Kind.AGENT_WORKFLOW),
    ("create", Kind.NODE_RECORD),
)
_QUIET: Final = 300.0  # more than a frozen operator sleeps, and the operator lists all again


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)
        world.script["a"] = [self._program] * 30

    def _program(self, pod: PodView) -> Outcome:
        run = self.watcher.runs[pod.run_name]
        self.watcher.judge_inputs(run.name, pod.round, pod.attempt, pod.inputs)
        if pod.attempt <= run.fails:
            return pod.fails(seconds=run.seconds, stop_seconds=1.0)
        return pod.succeeds(run.output(pod.attempt), seconds=run.seconds, stop_seconds=1.0)

    async def run(self) -> list[Violation]:
        self._start()
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        for review in self.plan.reviews:
            self.world.helper(self._review(review))
        await asyncio.gather(*map(self._submit, self.plan.runs))
        await asyncio.sleep(SECONDS)
        self.world.cluster.server.refusals.clear()
        self.world.cluster.withheld.clear()
        await asyncio.sleep(_QUIET)
        for run in self.plan.runs:
            if not self.world.is_finished(run.name):
                self.watcher.blame(f"{run.name} does not end: {self.world.tell()}", "I11")
        self.watcher.at_rest()
        return self.watcher.violations

    def _start(self) -> Any:
        delivery = {"immediate": IMMEDIATE, "rough": ROUGH, "stale": STALE}[self.plan.delivery]
        return self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _submit(self, run: Run) -> None:
        await asyncio.sleep(run.at)
        labels = {"waypost.dev/workflow": run.scope}
        await self.world.submit(body(run), name=run.name, labels=labels)
        if run.suspended:
            await asyncio.sleep(run.suspended)
            await self.world.patch_run({"suspend": False}, name=run.name)

    async def _happen(self, trouble: Trouble) -> None:
        if await troubles.disturb_request(self.world, self._start, trouble, _REQUESTS):
            return
        run = self.plan.runs[trouble.number % len(self.plan.runs)]
        match trouble.kind:
            case "second":  # both work, and know nothing of each other
                self._start()
            case "refused":
                error = QuotaExceeded("exceeded quota: entries", code=403)
                refused = ENTRY if trouble.number % 2 else Kind.NODE_RECORD
                self.world.cluster.server.refusals["create", refused] = lambda: error
                await asyncio.sleep(trouble.seconds)
                self.world.cluster.server.refusals.clear()
            case "refused_for_good":
                self.watcher.refused = True
                denied = Rejected("a webhook denied the request", code=403)
                self.world.cluster.fail_next("create", ENTRY, denied)
            case _:
                await self._by_a_person(trouble, run)

    async def _by_a_person(self, trouble: Trouble, run: Run) -> None:
        match trouble.kind:
            case "cancel":
                await self.world.patch_run({"cancel": True}, name=run.name)
            case "cancel_late":
                await self._until_it_closes(run.name)
                await self.world.patch_run({"cancel": True}, name=run.name)
            case "rerun":
                status = self.world.status(run.name)
                rerun: dict[str, Any] = {"round": int(status.get("round", 1)) + 1}
                rerun |= {"memory": "Refresh"} if trouble.number % 2 else {"from": ["a"]}
                await self.world.patch_run({"rerun": rerun}, name=run.name)
            case "forget":
                if trouble.number % 2:  # while its entry waits to be written
                    quota = QuotaExceeded("exceeded quota: entries", code=403)
                    self.world.cluster.fail_next("create", ENTRY, quota, times=12)
                    await self._until_it_closes(run.name)
                await self._forget(run, records=trouble.number % 3 == 0)
            case "delete_entry":
                names = sorted(self.watcher.entries)
                if names:
                    name = names[trouble.number % len(names)]
                    self.watcher.dropped.add(name)
                    await self.world.delete(ENTRY, name)

    async def _review(self, review: Review) -> None:
        await asyncio.sleep(review.at)
        found = [b for b in self.watcher.entries.values() if b["spec"]["type"] == "Fact"]
        if found:
            entry = sorted(found, key=lambda b: b["metadata"]["name"])[review.number % len(found)]
            with contextlib.suppress(ClusterError):
                await decide(self.world, entry, "Accepted" if review.accepts else "Rejected")

    async def _until_it_closes(self, name: str) -> None:
        """Until the result of a run is recorded, and its Episode is not written."""
        for _ in range(20_000):
            if section(self.world.status(name), "memory").get("outbox"):
                return
            await asyncio.sleep(0.005)

    async def _forget(self, run: Run, *, records: bool) -> None:
        """What `waypost memory forget` does, in its order."""
        now = self.world.clock.now()
        await forget(self.world, scope=run.scope, key=run.key, at=now)
        whose = (run.scope, run.key)
        for entry in self.world.all(ENTRY):
            spec = entry["spec"]
            if (spec["scope"], spec["key"]) == whose and spec["type"] != "Forgotten":
                self.watcher.dropped.add(entry["metadata"]["name"])
                with contextlib.suppress(ClusterError):
                    await self.world.delete(ENTRY, entry["metadata"]["name"])
        if not records:
            return
        names = {r.name for r in self.plan.runs if (r.scope, r.key) == whose}
        for record in self.world.all(Kind.NODE_RECORD):
            spec = record["spec"]
            if spec["type"] in ("Memory", "Remember") and spec["run"] in names:
                with contextlib.suppress(ClusterError):
                    await self.world.delete(Kind.NODE_RECORD, record["metadata"]["name"])


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    return "\n".join(
        map(str, (planned.delivery, *planned.runs, *planned.troubles, *planned.reviews))
    )
