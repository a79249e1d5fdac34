"""Play runs with limited egress: operators, troubles, people; then no policy may be left."""

import asyncio
from typing import Any, Final

from waypost.kube.egress.policy import EgressSettings
from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Obj, QuotaExceeded

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.egress.plan import SWEEP, Plan, Run, body, names
from tests.simulation.egress.watcher import Watcher
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

PODS: Final = PodSettings(
    runner_image="runner:test",
    gateway_url="http://gateway:8080",
    egress=EgressSettings(gateway_namespace="waypost", gateway_address="http://10.96.0.7:8080"),
)
_REQUESTS: Final = (
    ("get", Kind.NETWORK_POLICY),
    ("create", Kind.NETWORK_POLICY),
    ("delete", Kind.NETWORK_POLICY),
    ("create", Kind.JOB),
)
_TO_END: Final = 5 * SWEEP + 3600.0
_LEFT_AFTER: Final = 3 * SWEEP + 60.0  # two sweeps see that a policy is unused


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world)
        self._seconds: dict[str, float] = {}  # by uid of the run
        self._started = 0.0  # when the newest operator was started
        for run in planned.runs:
            for name in names(run):
                world.script[name] = [self._program] * 30

    def _program(self, pod: PodView) -> Outcome:
        return pod.succeeds(None, seconds=self._seconds[pod.run_uid])

    async def run(self) -> list[Violation]:
        began = self.world.clock.monotonic()
        self._start()
        ending = [asyncio.ensure_future(self._live(run)) for run in self.plan.runs]
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        try:
            await asyncio.wait_for(asyncio.gather(*ending), _TO_END)
        except TimeoutError:
            self.watcher.blame(f"no end:\n{self.world.tell()}", "I11")
            return self.watcher.violations
        await self._settle(began)
        if left := sorted(self.watcher.policies()):
            self.watcher.blame(f"policies are left: {left}", "I12")
        for key in self.world.ledger.doubled():
            self.watcher.blame(f"started twice: {key}", "I2")
        return self.watcher.violations

    async def _settle(self, began: float) -> None:
        """Wait for two sweeps after the last run, the last trouble, and the last start: an operator
        that has just started sweeps only later."""
        last = max((trouble.at + 30.0 for trouble in self.plan.troubles), default=0.0)
        since = max(began + last, self.world.clock.monotonic())
        for _ in range(1 + len(self.plan.troubles)):  # each may start an operator meanwhile
            until = max(since, self._started) + _LEFT_AFTER
            await asyncio.sleep(max(until - self.world.clock.monotonic(), 0.0))

    def _start(self) -> Any:
        self._started = self.world.clock.monotonic()
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        return self.world.start(
            delivery=delivery, seed=self.plan.seed, resync_seconds=60.0, pods=PODS
        )

    async def _live(self, run: Run) -> None:
        """From its creation to its deletion."""
        await asyncio.sleep(run.at)
        made = await self.world.submit(body(run), name=run.name)
        self._seconds[made["metadata"]["uid"]] = run.seconds
        await self.world.finished(run.name, within=2 * _TO_END)
        self._judge(run)
        await asyncio.sleep(run.stays)
        await self.world.delete(Kind.AGENT_WORKFLOW, run.name)

    def _judge(self, run: Run) -> None:
        for name in names(run):
            node = self.world.node(name, run.name)
            if node.get("phase") != "Succeeded":
                found = f"{node.get('phase')} {node.get('reason')} {node.get('message')}"
                self.watcher.blame(f"{run.name}/{name} is {found}", "T11")
        self._judge_counts(run)

    def _judge_counts(self, run: Run) -> None:
        """Each attempt that ended with its pod is counted once, as its node declares (S626)."""
        expected = {"off": 0, "verified": 0}
        for name, mode in zip(names(run), run.modes, strict=True):
            ended = [one for one in self.world.node(name, run.name)["attempts"] if "podUid" in one]
            expected["off" if mode == "Inherit" else "verified"] += len(ended)
        listed = self.world.status(run.name).get("isolation", [])
        found: Obj = next((one for one in listed if one["control"] == "Egress"), {})
        counts = {state: found.get(state, 0) for state in expected}
        if counts != expected or "unavailable" in found or "applied" in found:
            self.watcher.blame(f"{run.name}: {found}, expected {expected}", "VE3")

    async def _happen(self, trouble: Trouble) -> None:
        if await troubles.disturb(
            self.world,
            self._start,
            trouble,
            lost=[_REQUESTS[trouble.number % 4]],
            acting=_REQUESTS[1 + trouble.number % 3],
            within=3 * SWEEP,
            rest=trouble.number,
        ):
            return
        match trouble.kind:
            case "refused":
                error = QuotaExceeded("exceeded quota: tight", code=403)
                self.world.cluster.fail_next("create", Kind.NETWORK_POLICY, error, times=2)
            case "delete_policy":
                found = sorted(self.watcher.policies().items())
                if found:
                    _, policy = found[trouble.number % len(found)]
                    self.watcher.excuse(policy)
                    name = policy["metadata"]["name"]
                    await self.world.delete(Kind.NETWORK_POLICY, name)


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [f"seed {planned.seed}, {planned.delivery}", *map(str, planned.runs)]
    return "\n".join([*lines, *map(str, planned.troubles)])
