"""Play runs in a queue: operators, a queue that preempts, people; then all have ended."""

import asyncio
from typing import Any, Final

from waypost.kube.objects import items
from waypost.ports.cluster import Kind, Rejected

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.kueue import Kueue, remove_workload
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.queues.interpreter import expected
from tests.simulation.queues.plan import PRIORITIES, Plan, Run, body, names
from tests.simulation.queues.watcher import Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_REQUESTS: Final = (
    ("create", Kind.JOB),
    ("patch", Kind.JOB),
    ("list", Kind.JOB),
    ("list", Kind.WORKLOAD),
)
_TO_END: Final = 7200.0
_QUIET: Final = 120.0


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.queue = Kueue(
            world.cluster.server, quota=planned.quota, seed=planned.seed, priorities=PRIORITIES
        )
        self.watcher = Watcher(world, self.queue)
        self.cancelled: set[str] = set()
        for run in planned.runs:
            for name in names(run):
                world.script[name] = [self._program(run)] * 60

    def _program(self, run: Run) -> Any:
        def program(pod: PodView) -> Outcome:
            return pod.succeeds(1, seconds=run.seconds, stop_seconds=run.stop_seconds)

        return program

    async def run(self) -> list[Violation]:
        self._start()
        ending = [asyncio.ensure_future(self._live(run)) for run in self.plan.runs]
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        try:
            await asyncio.wait_for(asyncio.gather(*ending), _TO_END)
        except TimeoutError:
            self.watcher.blame(f"no end:\n{self.world.tell()}", "I11")
            return self.watcher.violations
        await asyncio.sleep(_QUIET)
        self._judge_queue()
        self._judge_ledger()
        for run in self.plan.runs:
            self._judge(run)
        for run in self.plan.runs:
            if self.world.run(run.name):
                await self.world.delete(Kind.AGENT_WORKFLOW, run.name)
        if left := await what_stays(self.world, self.plan.runs[0].name):
            self.watcher.blame(f"objects are left: {left}", "I12")
        return self.watcher.violations

    def _start(self) -> Any:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        return self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _live(self, run: Run) -> None:
        await asyncio.sleep(run.at)
        await self.world.submit(body(run), name=run.name)
        await self.world.finished(run.name, within=_TO_END)

    def _judge_queue(self) -> None:
        """VP3: nothing of a run that has ended asks for quota."""
        if left := sorted(self.queue.admitted):
            self.watcher.blame(f"Jobs {left} still have quota", "VP3")
        if waiting := [one["metadata"]["name"] for one in self.world.all(Kind.WORKLOAD)]:
            self.watcher.blame(f"Workloads {waiting} still wait", "VP3")

    def _judge_ledger(self) -> None:
        if not self._may_start_twice():
            for key in self.world.ledger.doubled():
                self.watcher.blame(f"started twice: {key}", "I2")
        for first, second in self.world.ledger.overlaps():
            if first.path == second.path:
                self.watcher.blame(f"at the same time: {first} {second}", "I2")

    def _judge(self, run: Run) -> None:
        for name in names(run):
            node = self.world.node(name, run.name)
            if run.name in self.cancelled and node.get("phase") in ("Cancelled", "Skipped"):
                continue
            if run.items:
                self._judge_map(run, name)
                continue
            kinds = self.plan.kinds
            problem = expected(node, self.queue.evictions, kinds, once=run.once)
            if problem and not (run.name in self.cancelled and "retry" not in problem):
                self.watcher.blame(f"{run.name}/{name}: {problem}", "T11")

    def _judge_map(self, run: Run, name: str) -> None:
        node = self.world.node(name, run.name)
        if node.get("phase") != "Succeeded" and not run.once and run.name not in self.cancelled:
            found = f"{node.get('phase')} {node.get('reason')} {node.get('message')}"
            self.watcher.blame(f"{run.name}/{name} is {found}", "T11")

    def _may_start_twice(self) -> bool:
        """Whether a queue may have preempted an attempt and resumed it before an operator saw that,
        the known limit."""
        blind = {"kill", "freeze", "freeze_acting", "lost"}
        return bool(self.plan.kinds & blind) or self.plan.delivery == "rough"

    async def _happen(self, trouble: Trouble) -> None:
        request = _REQUESTS[trouble.number % 4]
        if await troubles.disturb(
            self.world, self._start, trouble, lost=[request], acting=_REQUESTS[trouble.number % 2]
        ):
            return
        run = self.plan.runs[trouble.number % len(self.plan.runs)]
        match trouble.kind:
            case "preempt":
                jobs = [j for j in self.world.all(Kind.JOB) if self._has_quota(j)]
                if jobs:
                    self.queue.preempt(jobs[trouble.number % len(jobs)])
            case "close":
                quota, self.queue.quota = self.queue.quota, 0
                await asyncio.sleep(trouble.seconds * 10)
                self.queue.quota = quota
            case "forget":
                for workload in self.world.all(Kind.WORKLOAD):
                    remove_workload(self.world.cluster.server, workload)
            case "unread":
                error = Rejected("workloads.kueue.x-k8s.io is forbidden", code=403)
                self.world.cluster.fail_next("list", Kind.WORKLOAD, error, times=5)
            case "cancel":
                self.cancelled.add(run.name)
                await self.world.patch_run({"cancel": True}, name=run.name)
            case "suspend":
                await troubles.suspend(self.world, run.name, trouble.seconds)
            case "delete_pod":
                if pods := self.world.work.pods():
                    self.world.work.delete_pod(pods[trouble.number % len(pods)])

    def _has_quota(self, job: Any) -> bool:
        ended = any(c["type"] in ("Complete", "Failed") for c in items(job, "status", "conditions"))
        return job["metadata"]["uid"] in self.queue.admitted and not ended


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [f"seed {planned.seed}, quota {planned.quota}, {planned.delivery}"]
    return "\n".join([*lines, *map(str, planned.runs), *map(str, planned.troubles)])
