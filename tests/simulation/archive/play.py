"""Play runs with an archive: operators, archivers, people; then each run is where it belongs."""

import asyncio
from typing import Any, Final

from waypost.kube.objects import section
from waypost.ports.cluster import Kind, Rejected, Unavailable

from tests.fakes.api.watch import IMMEDIATE, ROUGH, STALE
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.archive.plan import SECONDS, TEMPLATE, Plan, Run, body, template
from tests.simulation.archive.service import USER, Database, Service
from tests.simulation.archive.watcher import Watcher
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World
from tests.support.schedules import NIGHTLY, SCHEDULE, create_schedule
from tests.support.templates import create_template

_REQUESTS: Final = (("patch", Kind.AGENT_WORKFLOW), ("delete", Kind.AGENT_WORKFLOW))
_QUIET: Final = 420.0  # more than all TTLs, the sleep of a frozen process, and a resync


class _Play:
    def __init__(self, world: World, planned: Plan, database: Database) -> None:
        self.world, self.plan, self.database = world, planned, database
        self.watcher = Watcher(world, database)
        self.runs = {run.name: run for run in planned.runs}
        self.services: list[Service] = []
        world.script["work"] = [self._program] * 30

    def _program(self, pod: PodView) -> Outcome:
        run = self.runs.get(pod.run_name)
        seconds = run.seconds if run is not None else 1.0
        if run is not None and run.fails and pod.round == 1:
            return pod.fails(seconds=seconds, stop_seconds=1.0)
        return pod.succeeds({"n": 1}, seconds=seconds, stop_seconds=1.0)

    async def run(self) -> list[Violation]:
        self._start()
        self._serve()
        await create_template(self.world, template(), TEMPLATE)
        if self.plan.kept is not None:
            limits: dict[str, Any] = dict.fromkeys(
                ("successfulRunsHistoryLimit", "failedRunsHistoryLimit"), self.plan.kept
            )
            await create_schedule(
                self.world, "* * * * *", template=TEMPLATE, concurrencyPolicy="Allow", **limits
            )
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.gather(*map(self._submit, self.plan.runs))
        await asyncio.sleep(SECONDS)
        if self.plan.kept is not None:
            await self.world.patch(SCHEDULE, NIGHTLY, {"suspend": True})
        self.world.cluster.server.refusals.clear()
        self.world.cluster.withheld.clear()
        self.database.down = False
        await asyncio.sleep(_QUIET)
        self.watcher.at_rest({run.name for run in self.plan.runs if run.ttl is not None})
        for service in self.services:
            service.die()
        return self.watcher.violations

    def _start(self) -> Any:
        delivery = {"immediate": IMMEDIATE, "rough": ROUGH, "stale": STALE}[self.plan.delivery]
        return self.world.start(
            delivery=delivery, seed=self.plan.seed, resync_seconds=60.0, archives=True
        )

    def _serve(self) -> None:
        self.services.append(Service(self.world, self.database))

    async def _submit(self, run: Run) -> None:
        await asyncio.sleep(run.at)
        await self.world.submit(body(run), name=run.name)

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        if await troubles.disturb_request(self.world, self._start, trouble, _REQUESTS):
            return
        match trouble.kind:
            case "second":  # both work, and know nothing of each other
                self._start()
            case "database_down":
                self.database.down = True
                await asyncio.sleep(trouble.seconds)
                self.database.down = False
            case "cancel" | "rerun" | "delete_run":
                await self._by_a_person(trouble)
            case _:
                await self._to_the_archive(trouble)

    async def _by_a_person(self, trouble: Trouble) -> None:
        if name := await self._chosen(trouble):
            match trouble.kind:
                case "cancel":
                    await self.world.patch_run({"cancel": True}, name=name)
                case "rerun":
                    await self._rerun(name)
                case _:
                    self.watcher.removed.add(name)
                    await self.world.delete(Kind.AGENT_WORKFLOW, name)

    async def _chosen(self, trouble: Trouble) -> str:
        """A run, or the one that is being archived, in that moment; "" if there is none."""
        if moments := trouble.number % 3:
            await self.database.next_moments(moments, within=60.0)
            return self.database.putting
        alive = [str(one["metadata"]["name"]) for one in self.watcher.alive()]
        return alive[trouble.number % len(alive)] if alive else ""

    async def _to_the_archive(self, trouble: Trouble) -> None:
        service, patches = self.services[-1], ("patch_status", Kind.AGENT_WORKFLOW)
        match trouble.kind:
            case "archive_killed":
                await self.database.next_moments(trouble.number % 3, within=60.0)
                service.die()
                await asyncio.sleep(trouble.seconds)
                self._serve()
            case "archive_frozen":
                await self.database.next_moments(trouble.number % 3, within=60.0)
                service.freeze()
                self._serve()
                await asyncio.sleep(trouble.seconds)
                service.thaw()
            case "archive_overtaken":
                await self._overtake(service, trouble)
            case "archive_second":
                self._serve()
            case "archive_lost":
                error = Unavailable("lost")
                after = trouble.number % 2 == 0
                self.world.cluster.fail_next(*patches, error, after_commit=after, user=USER)
            case "archive_refused":
                denied = Rejected("a webhook denied the request", code=403)
                times = 1 + trouble.number // 2
                self.world.cluster.fail_next(*patches, denied, times=times, user=USER)

    async def _overtake(self, service: Service, trouble: Trouble) -> None:
        """An archiver freezes before it commits, or before it sets the condition. Meanwhile the run
        has another round, and another archiver archives that."""
        await self.database.next_moments(1 + trouble.number % 2, within=60.0)
        service.freeze()
        self._serve()
        name = self.database.putting
        if name and self.world.run(name):
            await self._rerun(name)
        await asyncio.sleep(20 + trouble.seconds)
        service.thaw()

    async def _rerun(self, name: str) -> None:
        asked = section(self.world.run(name), "spec", "rerun").get("round", 1)
        planned = self.runs.get(name)
        node = "a" if planned is not None and planned.calls and not planned.pinned else "work"
        again = {"round": asked + 1, "from": [node]}  # what has succeeded too
        await self.world.patch_run({"rerun": again}, name=name)


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    database = Database()
    try:
        return played(planned.seed, lambda world: _Play(world, planned, database))
    finally:
        database.close()


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    parts = (planned.delivery, planned.kept, *planned.runs, *planned.troubles)
    return "\n".join(map(str, parts))
