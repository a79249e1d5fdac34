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

from tests.fakes.api.watch import DELAYED, IMMEDIATE, ROUGH, STALE, Delivery
from tests.simulation.evidence import Evidence, GateStory, Violation
from tests.simulation.manifest import PROVIDER, spec_of
from tests.simulation.people import look_after
from tests.simulation.plan import RUN, Round, Scenario, Trouble
from tests.simulation.rounds import judge
from tests.simulation.strange_judge import StrangeJudge
from tests.simulation.templates import submit
from tests.simulation.troubles import COUNTED_WRITES, Saboteur, befall
from tests.simulation.watcher import Watcher
from tests.support.harness import NAMESPACE, Operator, World
from tests.support.virtual import VirtualLoop
from tests.unit.runtime.test_probe_controller import OK, says

_DELIVERIES: Final[dict[str, Delivery]] = {
    "immediate": IMMEDIATE,
    "delayed": DELAYED,
    "rough": ROUGH,
    "stale": STALE,
}
_TROUBLED: Final = 400.0  # after these seconds everything is healed
_TO_END: Final = 7200.0  # I11: how long a healed run may take
_TO_SETTLE: Final = 90.0
_QUIET: Final = 900.0
_TRIES: Final = 12
_TO_VANISH: Final = 180.0
_TO_FORGET: Final = 700.0  # a watch may keep the end to itself, and the resync takes its time


class Stage:
    """The cluster, its operators, and what is done to them."""

    def __init__(self, world: World, scenario: Scenario) -> None:
        self.world = world
        self.scenario = scenario
        self.watcher = Watcher(world, scenario)
        self.seen: Evidence = self.watcher.seen
        world.work.program = self._program
        world.script[""] = [says(OK)]
        self.saboteur = Saboteur(self, list(scenario.troubles), scenario.seed)
        self._alive: list[Operator] = []
        self._frozen: list[Operator] = []
        self._lost: set[str] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._answered: set[str] = set()
        self._more_rounds = scenario.needs_people
        self._news = asyncio.Event()
        self._outside = copy_context()
        world.cluster.server.storage.listeners.append(self._changed)

    def _program(self, pod: Any) -> Any:
        return self.watcher.program(pod) if pod.path else says(OK)(pod)

    # --- the play ----------------------------------------------------------------------------

    async def play(self) -> list[Violation]:
        """Everything that is wrong with this scenario's run."""
        if any(node.kind == "agent" for node in self.scenario.nodes):
            await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        self.start()
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
        await self._stays_quiet()
        found = self._judge()
        known = len(self.seen.violations)
        await self._vanishes()
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

    async def _stays_quiet(self) -> None:
        """I11: once the run has ended nothing is written any more."""
        before = len(self.world.cluster.log)
        await asyncio.sleep(_QUIET)
        dropped = {a.job for a in self.seen.attempts.values() if a.path not in self.seen.nodes}
        written = [
            w
            for w in self.world.cluster.log[before:]
            if w.request.user != "ann"
            and not (w.request.verb == "delete" and w.request.name in dropped)  # the sweep
        ]
        done = [w for w in written if w.result != "NotFound"]  # by one whose watch is stale
        probed = any(node.kind == "agent" for node in self.scenario.nodes)
        if (done and not probed) or len(written) > _TRIES:
            self.watcher.blame("I11", f"writes after the end: {written[:5]}")
        held = [p for p in self.seen.pods.values() if p.gone_at is None and not p.released_at]
        if held:
            self.watcher.blame("I12", f"pods are still held: {[p.name for p in held]}")

    async def _vanishes(self) -> None:
        """I12: the run is deleted, and nothing of it stays."""
        uid = self.seen.run["metadata"]["uid"]
        if self.world.run():
            await self.world.delete(Kind.AGENT_WORKFLOW, RUN)
        await self.until(lambda: not self._left(uid), _TO_VANISH)
        if left := self._left(uid):
            self.watcher.blame("I12", f"left after the run was deleted: {left}")
        for kind in (Kind.POD, Kind.APPROVAL):  # orphans and strangers are for people to remove
            for body in self.world.all(kind):
                if not body["metadata"].get("ownerReferences"):
                    await self.world.delete(kind, body["metadata"]["name"])
        await self.until(self._forgotten, _TO_FORGET, step=5.0)
        if not self._forgotten():
            self.watcher.blame("I12", "an operator remembers a run that is gone")

    def _forgotten(self) -> bool:
        return not any(operator.controller.store.uids() for operator in self._alive)

    def _left(self, uid: str) -> list[str]:
        orphaned = self._did("delete_job", "Orphan")
        left = []
        for kind in (Kind.JOB, Kind.POD, Kind.APPROVAL, Kind.NODE_RECORD, Kind.CONFIG_MAP):
            for body in self.world.all(kind):
                metadata = body["metadata"]
                labels = metadata.get("labels", {})
                if labels.get(meta.LABEL_RUN) != uid or metadata["name"].startswith("poison"):
                    continue
                orphan = not metadata.get("ownerReferences") and (
                    orphaned if kind is Kind.POD else kind is Kind.APPROVAL
                )
                if not orphan or metadata.get("finalizers"):
                    left.append(f"{kind.kind} {metadata['name']}")
        return left

    def _did(self, kind: str, choice: str) -> bool:
        return any((t.kind, t.choice) == (kind, choice) for t in self.scenario.troubles)

    def _judge(self) -> list[Violation]:
        for operator in self.world.operators:
            if operator.telemetry.outcomes["bug"]:
                self.watcher.blame("I16", "a pass ended in an exception")
            if operator.task.done() and not operator.line.dead and operator in self._alive:
                self.watcher.blame("I16", "an operator stopped by itself")
        if self.seen.run.get("status", {}).get("phase") == "Rejected":
            self.watcher.blame("T11", f"refused: {self.seen.run['status']['conditions']}")
        self.seen.digest = self.watcher.digest()
        if self.scenario.is_strange:
            judged = StrangeJudge(self.scenario, self.seen, self.world.ledger).all()
            return [*self.seen.violations, *judged]
        return judge(self.scenario, self.seen, self.world.ledger)

    # --- operators ---------------------------------------------------------------------------

    def start(self) -> Operator:
        """One more operator."""
        number = len(self.world.operators)
        names = self.scenario.deliveries
        delivery = _DELIVERIES[names[number % len(names)]]
        if self.saboteur.healed:
            delivery = IMMEDIATE
        operator = self.world.start(delivery=delivery, seed=self.scenario.seed + number)
        self.saboteur.attach(operator)
        self._alive.append(operator)
        return operator

    def alive(self) -> list[Operator]:
        return list(self._alive)

    def operator(self) -> Operator:
        """The eldest that lives; a new one when none does."""
        return self._alive[0] if self._alive else self.start()

    def kill(self, operator: Operator, *, pause: float | None) -> None:
        """As by SIGKILL; another one starts after `pause` seconds, if it is given."""
        self.retire(operator)
        operator.die()
        if pause is not None:
            self.do(self._replace(1.0 if self.saboteur.healed else pause))

    async def _replace(self, pause: float) -> None:
        await asyncio.sleep(pause)
        if not self._alive:
            self.start()

    def retire(self, operator: Operator) -> None:
        """It is no longer counted on."""
        if operator in self._alive:
            self._alive.remove(operator)
        if operator in self._frozen:
            self._frozen.remove(operator)
            operator.thaw()

    def freeze(self, operator: Operator, *, seconds: float) -> None:
        """As by SIGSTOP, for so long. Another operator takes over meanwhile, every other time."""
        if operator in self._frozen or operator.line.dead or self.saboteur.healed:
            return
        self._frozen.append(operator)
        operator.freeze()
        self.do(self._thaw(operator, seconds))

    async def _thaw(self, operator: Operator, seconds: float) -> None:
        await asyncio.sleep(seconds * 0.3)
        if len(self._alive) == 1 and self.scenario.seed % 2:
            self.start()
        await asyncio.sleep(seconds * 0.7)
        self._wake(operator)

    def _wake(self, operator: Operator) -> None:
        if operator in self._frozen:
            self._frozen.remove(operator)
            operator.thaw()

    def is_frozen(self, operator: Operator) -> bool:
        return operator in self._frozen

    # --- machines and people -----------------------------------------------------------------

    def lose(self, machine: str) -> None:
        self._lost.add(machine)
        self.world.work.lose_machine(machine)

    def regain(self, machine: str) -> None:
        if machine in self._lost:
            self._lost.discard(machine)
            self.world.work.regain_machine(machine)

    def remove(self, machine: str) -> None:
        if self._did("removed", machine):
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
        for answer in self.scenario.by_name[gate.path].answers:
            self.do(self._answer(gate, answer.after, answer.decision))

    async def _answer(self, gate: GateStory, pause: float, decision: str) -> None:
        await asyncio.sleep(pause)
        with contextlib.suppress(ClusterError):  # too late, or the gate is gone
            await self.answer(gate.name, decision)

    async def answer(self, name: str, decision: str) -> None:
        """A person answers an Approval. Raises ClusterError when that is refused."""
        await self.world.user.patch(
            Kind.APPROVAL,
            namespace=NAMESPACE,
            name=name,
            body={"spec": {"decision": decision}},
            patch_type=PatchType.MERGE,
        )

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
        told = "".join(f", {node} is {change}" for change, node in changes.items() if node)
        self.watcher.tell(f"!! round asked: {rerun}{told}")

    def _heal(self) -> None:
        """From now on nothing goes wrong any more."""
        self.saboteur.healed = True
        for task in self._tasks:
            if task.get_coro().__qualname__ == "befall":  # type: ignore[union-attr]
                task.cancel()
        for operator in list(self._frozen):
            self._wake(operator)
        for machine in sorted(self._lost):
            self.regain(machine)
        if not self._alive:
            self.start()
        for operator in self._alive:
            operator.watch.relist()
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
