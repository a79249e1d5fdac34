"""Play runs that share keys: operators, troubles, people; then nothing may be left."""

import asyncio
from typing import Any, Final

from waypost.ports.cluster import Kind, Rejected

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played
from tests.simulation.focused.troubles import Trouble
from tests.simulation.slots.plan import Plan, Run, Step, body
from tests.simulation.slots.watcher import LEAK, Watcher
from tests.simulation.watching.evidence import Violation
from tests.support.harness import World

_TROUBLED: Final = 60.0
_TO_END: Final = 1800.0


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)
        self.failed: dict[tuple[str, str], str] = {}  # by run and path: the pod that fails
        for run in planned.runs:
            for step in run.steps:
                world.script[step.name] = [self._program] * 30

    def _program(self, pod: PodView) -> Outcome:
        step = self.watcher.step(pod.run_uid, pod.path)
        place = pod.path if step.items else step.name
        # An attempt that lost its slot to another one ran no program.
        if step.fails and self.failed.setdefault((pod.run_uid, place), pod.uid) == pod.uid:
            return pod.fails(seconds=step.seconds, stop_seconds=step.seconds / 2)
        # A longer program takes longer to end after SIGTERM.
        return pod.succeeds({"n": 1}, seconds=step.seconds, stop_seconds=step.seconds / 2)

    async def run(self) -> list[Violation]:
        self._start()
        for run in self.plan.runs:
            self.world.helper(self._submit(run))
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED + LEAK)
        if leaked := self.watcher.leaked():
            await asyncio.sleep(10)  # perhaps it has just ended
            if still := set(leaked) & set(self.watcher.leaked()):
                self.watcher.blame(f"slots without a holder: {sorted(still)}")
        if not await self._ends():
            return self.watcher.violations
        self._judge()
        return self.watcher.violations

    def _start(self) -> Any:
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        return self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0)

    async def _submit(self, run: Run) -> None:
        await asyncio.sleep(run.at)
        await self.world.submit(body(run), name=run.name)

    async def _ends(self) -> bool:
        for _ in range(int(_TO_END)):
            if self.watcher.violations:
                return False  # it has failed; an operator that is broken may never end
            names = [run["metadata"]["name"] for run in self.world.all(Kind.AGENT_WORKFLOW)]
            if all(self.world.is_finished(name) for name in names):
                await asyncio.sleep(45)
                return True
            await asyncio.sleep(1)
        self.watcher.blame(f"no end:\n{self.world.tell()}", "I11")
        return False

    def _judge(self) -> None:
        if left := sorted(self.watcher.slots):
            self.watcher.blame(f"slots are left: {left}")
        for key in self.world.ledger.doubled():
            self.watcher.blame(f"started twice: {key}", "I2")
        for run in self.plan.runs if self.plan.is_undisturbed else ():
            status = self.world.status(run.name)
            if run.skips and status["phase"] == "Cancelled":
                continue
            replaced = self.watcher.replaced_by(self.world.run(run.name))
            if run.replaces and status["phase"] == "Cancelled" and replaced:
                continue
            for step in run.steps:
                self._judge_step(run, step)

    def _judge_step(self, run: Run, step: Step) -> None:
        node = self.world.node(step.name, run.name)
        allowed = {"Succeeded", "Skipped"} if step.skips else {"Succeeded"}
        if node.get("phase") not in allowed:
            found = f"{node.get('phase')} {node.get('reason')} {node.get('message')}"
            self.watcher.blame(f"{run.name}/{step.name} is {found}", "T11")
            return
        if node["phase"] == "Skipped" and node.get("reason") != "SlotTaken":
            self.watcher.blame(f"{run.name}/{step.name} is Skipped: {node.get('reason')}", "T11")
        if node.get("retries", 0) > 1 or node.get("disruptions", 0):
            self.watcher.blame(f"{run.name}/{step.name} counts lost slots: {node}", "T11")
        uid = self.world.run(run.name)["metadata"]["uid"]
        ran = [
            e
            for e in self.world.ledger.executions
            if e.run_uid in self.watcher.runs and self.watcher.root(e.run_uid) == uid
            if e.path.partition("/")[0] == step.name
        ]
        if len(ran) != _executions(step, skipped=node["phase"] == "Skipped"):
            self.watcher.blame(f"{run.name}/{step.name} ran {len(ran)} times", "T11")

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        if await troubles.disturb(
            self.world,
            self._start,
            trouble,
            lost=[(verb, Kind.LEASE) for verb in ("create", "delete")],
            acting=("create", Kind.LEASE if trouble.number % 2 else Kind.JOB),
            rest=trouble.number,
        ):
            return
        match trouble.kind:
            case "refused":
                error = Rejected("leases is forbidden", code=403)
                self.world.cluster.fail_next("create", Kind.LEASE, error, times=2)
            case "delete_slot":
                names = sorted(self.watcher.slots)
                if names:
                    name = names[trouble.number % len(names)]
                    self.watcher.excuse(name)
                    await self.world.delete(Kind.LEASE, name)
            case _:
                await self._to_a_run(trouble)

    async def _to_a_run(self, trouble: Trouble) -> None:
        names = [run["metadata"]["name"] for run in self.world.all(Kind.AGENT_WORKFLOW)]
        if not names:
            return
        name = sorted(names)[trouble.number % len(names)]
        match trouble.kind:
            case "delete_run":
                await self.world.delete(Kind.AGENT_WORKFLOW, name)
            case "cancel":
                self.watcher.cancelled.add(name)
                await self.world.patch_run({"cancel": True}, name=name)
            case "suspend":
                await troubles.suspend(self.world, name, trouble.seconds)


def _executions(step: Step, *, skipped: bool) -> int:
    """How many programs of a node run: one fails in each item, and one in a loop."""
    if skipped:
        return 0
    return (step.items or 1) * (1 + step.fails) if not step.repeats else step.repeats + step.fails


def play(planned: Plan) -> list[Violation]:
    """Everything that is wrong with the play of a plan. An exception is a violation too."""
    return played(planned.seed, lambda world: _Play(world, planned))


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [f"seed {planned.seed}, {planned.delivery}"]
    for run in planned.runs:
        how = " skips" if run.skips else " replaces" if run.replaces else ""
        held = f" holds {run.key}/{run.limit}{how}" if run.key else ""
        lines.append(f"{run.name} at {run.at:.1f}{held}: " + "; ".join(map(str, run.steps)))
    return "\n".join([*lines, *map(str, planned.troubles)])
