"""One play of a scenario on a simulated cluster in virtual time, from submission to deletion."""

import asyncio
import contextlib
import traceback
from collections.abc import Callable
from contextvars import copy_context
from typing import Any, Final

from waypost.api import meta
from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, Obj, PatchType

from tests.simulation.egress.watcher import Watcher as EgressWatcher
from tests.simulation.judging.others import StrangeJudge
from tests.simulation.judging.rounds import judge
from tests.simulation.play.after_the_end import stays_quiet, vanishes
from tests.simulation.play.operators import Operators
from tests.simulation.play.people import look_after
from tests.simulation.play.templates import submit
from tests.simulation.play.troubles import COUNTED_WRITES, Saboteur, befall
from tests.simulation.scenario.manifest import PROVIDER, spec_of
from tests.simulation.scenario.plan import RUN, Round, Scenario, Trouble
from tests.simulation.scenario.programs import act_of
from tests.simulation.watching.evidence import Evidence, GateStory, Violation
from tests.simulation.watching.folders import FolderWatcher
from tests.simulation.watching.images import ImageWatcher
from tests.simulation.watching.slots import SlotWatcher
from tests.simulation.watching.watcher import Watcher
from tests.support.harness import NAMESPACE, World
from tests.support.virtual import VirtualLoop
from tests.unit.runtime.test_probe_controller import OK, says

_TROUBLED: Final = 400.0  # after these seconds everything is healed
_TO_END: Final = 7200.0  # I11: how long a healed run may take
_TO_SETTLE: Final = 90.0


class Stage:
    """The cluster, and what happens to it."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.scenario = scenario
        self.watcher = Watcher(world, scenario)
        self.images = ImageWatcher(world, self.watcher.blame)
        self.seen: Evidence = self.watcher.seen
        self.egress = EgressWatcher(world)
        self.folders = FolderWatcher(world, scenario, self.seen, self.watcher.blame)
        self.slots = SlotWatcher(world, scenario, self.seen, self.watcher.blame)
        world.work.program = self._program
        world.work.repeat(self._restart_policy)
        world.script[""] = [says(OK)]
        self.saboteur = Saboteur(self, list(scenario.troubles), scenario.seed)
        self._lost: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._answered: set[str] = set()
        self._more_rounds = scenario.needs_people
        self._news = asyncio.Event()
        self._outside = copy_context()
        self.operators = Operators(world, scenario, self.saboteur, self.do)
        world.cluster.server.storage.listeners.append(self._changed)

    def _program(self, pod: Any) -> Any:
        if pod.name in self.seen.copies:
            return pod.hangs() if self.seen.copies[pod.name] else pod.succeeds("of a copy")
        if not pod.path:
            return says(OK)(pod)
        outcome = self.watcher.program(pod)
        if outcome.message or outcome.stop_message:  # else it comes to no result
            self.do(self.folders.store(pod))
        return outcome

    def _restart_policy(self, job: Obj) -> str:
        """What a webhook of others sets in the pod of a Job; "" for nothing."""
        labels, notes = job["metadata"]["labels"], section(job, "metadata", "annotations")
        node = self.scenario.by_name.get(notes.get(meta.ANNOTATION_PATH, ""))
        if node is None or not node.acts:
            return ""
        act = act_of(node, int(labels[meta.LABEL_ATTEMPT]))
        return "OnFailure" if act.name == "repeats" else ""

    # --- the play ----------------------------------------------------------------------------

    async def play(self) -> list[Violation]:
        """Everything that is wrong with this scenario's run."""
        if any(node.kind == "agent" for node in self.scenario.nodes):
            await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        self.operators.start()
        await submit(self, spec_of(self.scenario))
        for trouble in self.scenario.troubles:
            if trouble.kind not in COUNTED_WRITES:
                self.do(befall(self, trouble))
        if self.scenario.needs_people:
            self.do(self._look_after())
        await self.until(lambda: self._over, _TROUBLED)
        self._heal()
        rounds = len(self.scenario.rounds) + sum(node.pauses for node in self.scenario.nodes)
        await self.until(lambda: self._over, _TO_END * (1 + rounds))
        if not self._over:
            self.watcher.blame("I11", f"no end in {_TO_END:.0f} s:\n{self.world.tell()}")
            return self._judge()
        await self._settle()
        self._heal()
        await asyncio.sleep(_TO_SETTLE)
        await stays_quiet(self)
        found = self._judge()
        known = len(self.seen.violations)
        await vanishes(self)
        return found + self.seen.violations[known:]

    async def until(
        self,
        true: Callable[[], bool],
        seconds: float = float("inf"),
        *,
        step: float | None = None,
    ) -> None:
        """Until it is true, looked at whenever something changes, and every `step` seconds."""
        end = self.world.clock.monotonic() + seconds
        while not true() and (left := end - self.world.clock.monotonic()) > 0:
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(left, step or 3600.0)):
                    await self._news.wait()

    async def _look_after(self) -> None:
        await look_after(self)
        self._more_rounds = False
        self._news.set()

    @property
    def has_ended(self) -> bool:
        return self.seen.finished_at is not None or self.is_gone

    @property
    def is_paused(self) -> bool:
        return section(self.seen.run, "status").get("phase") == "Paused"

    @property
    def is_gone(self) -> bool:
        return self.seen.gone_at is not None

    @property
    def _over(self) -> bool:
        return self.has_ended and not self._more_rounds

    async def _settle(self) -> None:
        """Let troubles that have begun come to their end."""
        for task in self._tasks:
            if not task.done():
                task.cancel()
        for result in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result

    def planned(self, kind: str, choice: str) -> bool:
        """Whether a trouble of this kind and choice is among those of the scenario."""
        return any((t.kind, t.choice) == (kind, choice) for t in self.scenario.troubles)

    def _judge(self) -> list[Violation]:
        for mistake in self.operators.mistakes():
            self.watcher.blame("I16", mistake)
        if self.seen.run.get("status", {}).get("phase") == "Rejected":
            self.watcher.blame("T11", f"refused: {self.seen.run['status']['conditions']}")
        self.seen.digest = self.watcher.digest()
        self.seen.violations += self.egress.violations
        ledger = self.world.ledger
        ledger.executions = [e for e in ledger.executions if e.pod not in self.seen.copies]
        if self.scenario.is_strange:
            judged = StrangeJudge(self.scenario, self.seen, ledger).all()
            return [*self.seen.violations, *judged]
        return judge(self.scenario, self.seen, ledger)

    # --- machines and people -----------------------------------------------------------------

    def lose(self, machine: str) -> None:
        self._lost.add(machine)
        self.world.work.lose_machine(machine)

    def regain(self, machine: str) -> None:
        if machine in self._lost:
            self._lost.discard(machine)
            self.world.work.regain_machine(machine)

    def remove(self, machine: str) -> None:
        if self.planned("removed", machine):
            return
        self._lost.discard(machine)
        with contextlib.suppress(ValueError):  # a second time
            self.world.work.remove_machine(machine)

    async def patch_run(self, **spec: Any) -> None:
        """A person changes the run, if it exists. A refusal is ignored."""
        with contextlib.suppress(ClusterError):
            await self.world.patch_run(spec)

    async def replace_in_run(self, **spec: Any) -> None:
        """The same for whole fields, with the nulls that a merge patch would drop."""
        body = [{"op": "add", "path": f"/spec/{key}", "value": v} for key, v in spec.items()]
        with contextlib.suppress(ClusterError):
            await self.world.user.patch(
                Kind.AGENT_WORKFLOW,
                namespace=NAMESPACE,
                name=RUN,
                body=body,
                patch_type=PatchType.JSON,
            )

    def _changed(self, kind: Kind, change: str, body: Obj) -> None:
        if (kind is Kind.AGENT_WORKFLOW and (self.has_ended or self._more_rounds)) or (
            kind in (Kind.POD, Kind.JOB, Kind.APPROVAL) and change != "MODIFIED"
        ):
            self._news.set()
        uid = body["metadata"]["uid"]
        if kind is Kind.APPROVAL and change == "ADDED" and uid in self.seen.gates:
            self._ask(uid)

    def _ask(self, uid: str) -> None:
        gate = self.seen.gates[uid]
        for answer in self.scenario.by_name[gate.path].answers_at(gate.level):
            self.do(self._answer(gate, answer.after, answer.decision))

    async def _answer(self, gate: GateStory, pause: float, decision: str) -> None:
        await asyncio.sleep(pause)
        with contextlib.suppress(ClusterError):  # too late, or the gate is gone
            await self.answer(gate.name, decision)

    async def answer(self, name: str, decision: str) -> None:
        """A person answers an Approval. Raises ClusterError when that is refused."""
        await self.world.patch(Kind.APPROVAL, name, {"decision": decision})

    # --- the rest ----------------------------------------------------------------------------

    def do(self, work: Any) -> None:
        """Let something happen beside the play; never within a process that may be frozen."""
        task = asyncio.get_running_loop().create_task(work, context=self._outside.copy())
        self._tasks.append(task)

    async def nth(self, listed: Callable[[], list[Any]], number: int) -> Any:
        """The `number`th of what there will be."""
        await self.until(lambda: len(listed()) >= number, float("inf"))
        return listed()[number - 1]

    def exercise(self, trouble: Trouble, detail: str = "") -> None:
        """Count a trouble that happened, and add it to the story."""
        self.seen.exercised[trouble.kind] = self.seen.exercised.get(trouble.kind, 0) + 1
        self.watcher.tell(f"!! {trouble} {detail}".rstrip())

    def tell_of_round(self, planned: Round, rerun: Obj) -> None:
        """Note that a person has asked for a round."""
        self.seen.asked_round = True
        self.seen.exercised["round"] = self.seen.exercised.get("round", 0) + 1
        changes = {"edited": planned.edit, "added": planned.add, "dropped": planned.drop}
        for change, node in changes.items():
            self.seen.exercised[change] = self.seen.exercised.get(change, 0) + bool(node)
        reported = "".join(f", {node} is {change}" for change, node in changes.items() if node)
        self.watcher.tell(f"!! round asked: {rerun}{reported}")

    def _heal(self) -> None:
        """From now on nothing goes wrong any more."""
        self.saboteur.healed = True
        for task in self._tasks:
            if task.get_coro().__qualname__ == "befall":  # type: ignore[union-attr]
                task.cancel()
        self.operators.wake_all()
        for machine in sorted(self._lost):
            self.regain(machine)
        self.operators.heal()
        if section(self.world.run(), "spec").get("suspend"):
            self.do(self.patch_run(suspend=False))


def play(scenario: Scenario) -> tuple[list[Violation], Evidence]:
    """Play a scenario on a separate loop. An exception of the simulation itself is a violation, so
    that it has a seed and shrinks, and stops no other play."""

    async def main() -> tuple[list[Violation], Evidence]:
        latency = (scenario.latency / 4, scenario.latency)
        async with World(seed=scenario.seed, latency=latency) as world:
            stage = Stage(world, scenario)
            try:
                return await stage.play(), stage.seen
            except Exception:  # noqa: BLE001
                text = traceback.format_exc()
                return [Violation("simulation", text, world.clock.monotonic())], stage.seen

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main())
