"""Play a schedule: operators, clocks, people; then each time must be accounted for."""

import asyncio
from datetime import datetime, timedelta
from typing import Any, Final

from waypost.kube.timestamps import parse_timestamp
from waypost.ports.cluster import Kind, Rejected

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.schedules.interpreter import times, wrong
from tests.simulation.schedules.plan import SECONDS, Plan
from tests.simulation.schedules.watcher import Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.builders import python, spec
from tests.support.harness import World
from tests.support.schedules import NIGHTLY, SCHEDULE, create_schedule
from tests.support.templates import REVIEW, create_template

_TO_SETTLE: Final = 700.0  # until what waits has started, and what was refused is given up
_HOUR: Final = 3600.0


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        world.clock.jump((planned.begin - world.clock.now()).total_seconds())
        self.watcher = Watcher(world, planned)
        self.programs: dict[str, float] = {}  # by run: the seconds of its program
        world.script["a"] = [self._program] * 30

    def _program(self, pod: PodView) -> Outcome:
        turn = len(self.programs) % len(self.plan.runs)
        seconds = self.programs.setdefault(pod.run_uid, self.plan.runs[turn])
        if self.plan.fails and turn == 0:
            return pod.fails(seconds=seconds, stop_seconds=1.0)
        return pod.succeeds({"n": 1}, seconds=seconds, stop_seconds=1.0)

    async def run(self) -> list[Violation]:
        self._start()
        await create_template(self.world, spec(python("a", timeout="5h")))
        limits: dict[str, Any] = dict.fromkeys(
            ("successfulRunsHistoryLimit", "failedRunsHistoryLimit"), self.plan.kept
        )
        await create_schedule(
            self.world,
            *self.plan.lines,
            timeZone=self.plan.zone,
            concurrencyPolicy=self.plan.policy,
            startingDeadlineSeconds=self.plan.deadline,
            **({"spread": f"{self.plan.spread}s"} if self.plan.spread else {}),
            **limits,
            run={"ttlSecondsAfterFinished": self.plan.ttl} if self.plan.ttl is not None else {},
        )
        # As the API server stores it: in whole seconds.
        begun = self.world.clock.now().replace(microsecond=0)
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(SECONDS)
        await self._settle()
        if not self.watcher.violations:
            self._judge(begun)
        return self.watcher.violations

    def _start(self) -> Any:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        return self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _settle(self) -> None:
        """Until nothing is starting: then each time that has come is done."""
        self.world.cluster.withheld.clear()
        for _ in range(int(_TO_SETTLE)):
            await asyncio.sleep(1)
            if self.watcher.violations:
                return
            done = parse_timestamp(self.watcher.status.get("checkedUntil"))
            waits = {"starting", "queued", "replacing"} & self.watcher.status.keys()
            if done is not None and not waits and self._pending(done) > 5:
                return
        if "starting" in self.watcher.status:
            self.watcher.blame(f"never settled: {self.watcher.status}", "I11")

    def _pending(self, done: datetime) -> float:
        """Seconds until the next time, by the status."""
        following = parse_timestamp(self.watcher.status.get("nextAt"))
        now = self.world.clock.now()
        return (following - now).total_seconds() if following is not None else 60.0

    def _judge(self, begun: datetime) -> None:
        status = self.watcher.status
        done = parse_timestamp(status.get("checkedUntil"))
        if done is None or not self.plan.is_counted:
            return
        expected = times(self.plan, begun, done)
        started = [run.time for run in self.watcher.ran]
        strange = sorted(set(started) - set(expected))
        if strange:
            self.watcher.blame(f"runs of times that do not exist: {strange}", "VS2")
        waits = len({"queued", "replacing", "starting"} & status.keys())
        if len(started) + status.get("missed", 0) + waits != len(expected):
            text = f"{len(expected)} times, {len(started)} started, {status.get('missed')} missed"
            self.watcher.blame(f"{text}, {waits} wait: {expected} {started}", "VS2")
        if self.plan.is_undisturbed:
            for text in wrong(self.plan, expected, self.watcher.history(), self._delay()):
                self.watcher.blame(text, "T11")

    def _delay(self) -> timedelta:
        """What spread adds, from the status: any delay below spread will do."""
        following, nominal = (
            parse_timestamp(self.watcher.status.get(key)) for key in ("nextAt", "nextScheduledAt")
        )
        if following is None or nominal is None:
            return timedelta()
        delay = following - nominal
        if not timedelta() <= delay < timedelta(seconds=max(self.plan.spread, 1)):
            self.watcher.blame(f"the delay is {delay}, and spread {self.plan.spread}", "VS2")
        return delay

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        acting = ("create", Kind.AGENT_WORKFLOW) if trouble.number % 2 else ("patch", SCHEDULE)
        if await troubles.disturb(
            self.world,
            self._start,
            trouble,
            lost=[("create", Kind.AGENT_WORKFLOW), ("patch", SCHEDULE)],
            acting=acting,
            within=150.0,
            rest=trouble.number,
        ):
            return
        match trouble.kind:
            case "second":  # both work, and know nothing of each other
                self._start()
            case "clock_back":
                self.world.clock.jump(-(60.0, 600.0, 3500.0, 2 * _HOUR)[trouble.number % 4])
            case "clock_ahead":
                seconds = (120.0, _HOUR, 26 * _HOUR)[trouble.number % 3]
                self.world.clock.jump(seconds)
                await asyncio.sleep(trouble.seconds)
                self.world.clock.jump(-seconds)
            case "refused":
                error = Rejected("a webhook denied the request", code=403)
                times_ = 1 + trouble.number // 4
                self.world.cluster.fail_next("create", Kind.AGENT_WORKFLOW, error, times=times_)
            case _:
                await self._by_a_person(trouble)

    async def _by_a_person(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "suspend":
                await self.world.patch(SCHEDULE, NIGHTLY, {"suspend": True})
                await asyncio.sleep(trouble.seconds)
                await self.world.patch(SCHEDULE, NIGHTLY, {"suspend": False})
            case "edit":
                await self.world.patch(SCHEDULE, NIGHTLY, {"schedules": ["*/4 * * * *"]})
            case "template":
                await self.world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"suspend": True})
                await asyncio.sleep(trouble.seconds)
                await self.world.patch(Kind.AGENT_WORKFLOW_TEMPLATE, REVIEW, {"suspend": False})
            case "delete_run":
                names = self.watcher.active()
                if names:
                    name = sorted(names)[trouble.number % len(names)]
                    self.watcher.removed.add(name)
                    await self.world.delete(Kind.AGENT_WORKFLOW, name)


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    return "\n".join([str(planned), *map(str, planned.troubles)])
