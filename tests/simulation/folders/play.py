"""Play a plan: operators, a gateway, pods that store and take folders, troubles, a second round."""

import asyncio
from typing import Final

from waypost.engine.state.paths import node_of
from waypost.kube.manifests.pod import PodSettings
from waypost.kube.objects import items, section
from waypost.ports.cluster import Kind, Obj, Unavailable
from waypost.protocol.artifacts.request import Content
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.runtime.sweeps.artifacts import EVERY

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played_and_kept, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.folders.plan import LIMIT, LINGERS, RUN, Plan, content, spec_of
from tests.simulation.folders.watcher import Watcher
from tests.simulation.scenario.manifest import PROVIDER
from tests.simulation.watching.evidence import Violation
from tests.support import artifact_store
from tests.support.harness import NAMESPACE, World
from tests.unit.runtime.test_probe_controller import OK, says

_PODS: Final = PodSettings(
    runner_image="runner:test", agent_image="agent:test", gateway_url="http://gateway"
)
_TROUBLED: Final = 60.0
_TO_END: Final = 3600.0 + 2 * LINGERS
_TO_SWEEP: Final = 2 * EVERY + 60.0  # two visits see that nothing names a record
_PROBES: Final = f"{PROVIDER['metadata']['name']}-probe-"


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world, planned)
        self._started = 0.0  # when the newest operator was started
        for step in planned.steps:
            world.script[step.name] = [self._program] * 40
        world.script[""] = [says(OK)]  # probes of the provider

    # --- pods and their gateway ------------------------------------------------------------------

    def _program(self, pod: PodView) -> Outcome:
        step = self.plan.by_name[node_of(pod.path)]
        act = step.act(pod.attempt)
        if act == "fails":
            return pod.fails(seconds=step.seconds)
        taken = [one["digest"] for one in pod.request["artifacts"]["in"]]
        if sorted(taken) != sorted(filter(None, pod.inputs.values())):
            self.watcher.blame("T11", f"{step.name} took {taken}, its inputs are {pod.inputs}")
        made = content(step.name, pod.attempt, taken)
        if act != "unrecorded":
            self.world.helper(self._stored(pod, made, after=step.seconds / 2))
        if act == "hangs":
            return pod.hangs()
        if act == "dies":
            return Outcome(exit_code=137, seconds=step.seconds)
        lasts = LINGERS if step.lingers and pod.attempt == len(step.acts) + 1 else step.seconds
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        record = CommitRecord(me, "Succeeded", {"took": taken}, artifacts={"repo": made})
        return Outcome(message=encode(record).decode(), seconds=lasts)

    async def _stored(self, pod: PodView, made: Content, *, after: float) -> None:
        await asyncio.sleep(after)
        artifact_store.store(self.world, pod, made)

    # --- the run ---------------------------------------------------------------------------------

    async def run(self) -> list[Violation]:
        await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        self._start()
        await self.world.submit(spec_of(self.plan), name=RUN)
        self.world.helper(self._answers())
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        if not await self._ends(1):
            return self.watcher.violations
        self._judge()
        if self.plan.again:
            before = {step.name: self.watcher.made(step.name) for step in self.plan.steps}
            await self.world.patch_run(
                {"rerun": {"round": 2, "from": list(self.plan.again)}}, name=RUN
            )
            if await self._ends(2):
                self._judge()
                self._judge_kept(before)
        if self.plan.swept:
            await self._sweep()
        if left := await what_stays(self.world, RUN, but=_PROBES):
            self.watcher.blame("I12", f"left behind: {left}")
        return self.watcher.violations

    async def _answers(self) -> None:
        """A person approves whatever is asked."""
        while True:
            await asyncio.sleep(2)
            for approval in self.world.all(Kind.APPROVAL):
                if not section(approval, "spec").get("decision"):
                    answer = {"decision": "Approved", "decidedBy": "ann"}
                    await self.world.patch(Kind.APPROVAL, approval["metadata"]["name"], answer)

    async def _sweep(self) -> None:
        """A person begins a round of a child run alone. Later everything is there that a run names,
        and nothing else (VA1, VA2)."""
        called = {step.name for step in self.plan.steps if step.called}
        for node in items(self.world.run(RUN), "status", "nodes"):
            name = str(section(node, "child").get("name"))
            metadata = section(self.world.run(name), "metadata")
            if node["path"] in called and metadata and "deletionTimestamp" not in metadata:
                round_ = self.world.status(name).get("round", 1) + 1
                rerun = {"round": round_, "from": [node["path"]]}
                await self.world.patch_run({"rerun": rerun}, name=name)
                await self._has_ended(name, round_)
                break
        passed = self.world.clock.monotonic() - self._started
        failing = EVERY * self.world.cluster.faults_left  # each may fail a visit
        await asyncio.sleep(_TO_SWEEP + failing + max(EVERY - passed, 0.0))
        for record in self.watcher.unnamed():
            self.watcher.blame("VA2", f"no run names {record}, and it is still there")

    def _start(self) -> None:
        self._started = self.world.clock.monotonic()
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0, pods=_PODS)

    async def _ends(self, round_: int) -> bool:
        return await self._has_ended(RUN, round_)

    async def _has_ended(self, name: str, round_: int) -> bool:
        for _ in range(int(_TO_END)):
            status = self.world.status(name)
            if self.world.is_finished(name) and status.get("round", 1) == round_:
                return True
            await asyncio.sleep(1)
        self.watcher.blame("I11", f"no end of round {round_} of {name}:\n{self.world.tell()}")
        return False

    def _judge(self) -> None:
        """The reference: what each folder holds follows from the attempts that succeeded."""
        status = self.world.status(RUN)
        if status["phase"] != "Succeeded":
            self.watcher.blame("T11", f"phase {status['phase']}:\n{self.world.tell()}")
            return
        digests: dict[str, str] = {}
        nodes = {node["path"]: node for node in status["nodes"]}
        for step in self.plan.steps:
            done = self.watcher.attempts_of(nodes[step.name])
            attempt, taken = done[-1], [digests[name] for name in step.takes]
            if step.times and len(done) != step.times:
                self.watcher.blame("T11", f"{step.name} had {len(done)} of {step.times} iterations")
            expected = content(step.name, done[0], taken)
            for number in done[1:]:  # each iteration takes what the one before has made
                expected = content(step.name, number, [expected.digest, *taken])
            made = self.watcher.made(step.name)
            found = Content(made["digest"], made["bytes"], made["files"]) if made else None
            if found != expected:
                self.watcher.blame("T11", f"{step.name} made {found}, expected {expected}")
            if step.act(attempt) != "good":
                self.watcher.blame("T11", f"attempt {attempt} of {step.name} cannot have succeeded")
            if attempt > (LIMIT + 1) * (step.times or 1) and not self.plan.troubles:
                self.watcher.blame("T11", f"{step.name} had {attempt} attempts")
            digests[step.name] = expected.digest
        shown = [digests[name] for name in self.plan.asked]
        if shown and self.watcher.questions[-1:] != [shown]:  # S499: an answer is for these alone
            self.watcher.blame("T11", f"asked about {self.watcher.questions}, approved {shown}")
        if section(status, "outputs") != {"last": digests[self.plan.steps[-1].name]}:
            self.watcher.blame("T11", f"outputs {status.get('outputs')}")

    def _judge_kept(self, before: dict[str, Obj]) -> None:
        """A second round repeats what it names and what takes from it, and keeps the rest (I7)."""
        repeated = set(self.plan.again)
        for step in self.plan.steps:
            if repeated & set(step.takes):
                repeated.add(step.name)
            if step.called and step.name in repeated and step.name not in self.plan.again:
                continue  # its child run keeps what it made if it gets the same folders
            same = self.watcher.made(step.name) == before[step.name]
            if same is (step.name in repeated):
                self.watcher.blame("I7", f"{step.name}: repeated is {step.name in repeated}")

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        match trouble.kind:
            case "kill":
                await troubles.kill(self.world, self._start, trouble.seconds)
            case "freeze":
                await troubles.freeze(self.world, self._start, trouble.seconds)
            case "suspend":
                await troubles.suspend(self.world, RUN, trouble.seconds)
            case "evict":
                pods = self.world.work.pods()
                if pods:
                    self.world.work.evict(pods[trouble.number % len(pods)])
            case "delete_ended":
                await self._delete_ended(trouble)
            case _:
                self._fail_requests(trouble)

    async def _delete_ended(self, trouble: Trouble) -> None:
        """A person deletes a child run whose end its parent has read."""
        read = {
            section(node, "child").get("name")
            for node in items(self.world.run(RUN), "status", "nodes")
            if node["phase"] == "Succeeded" and node.get("child")
        }
        if read:
            name = sorted(map(str, read))[trouble.number % len(read)]
            await self.world.delete(Kind.AGENT_WORKFLOW, name)

    def _fail_requests(self, trouble: Trouble) -> None:
        """Status writes whose answer is lost, or reads of records that fail."""
        if trouble.kind == "lost":
            troubles.lose_requests(self.world, trouble, ("patch_status", Kind.AGENT_WORKFLOW))
            return
        error, times = Unavailable("lost"), 1 + trouble.number // 3
        self.world.cluster.fail_next("get", Kind.NODE_RECORD, error, times=times)


def play(planned: Plan) -> tuple[list[Violation], int]:
    """Everything that is wrong with the play of a plan, and how many artifacts pods were given. An
    exception is a violation too."""
    violations, playing = played_and_kept(planned.seed, lambda world: _Play(world, planned))
    return violations, playing.watcher.reads


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    lines = [f"seed {planned.seed}, {planned.delivery}, again {planned.again}"]
    return "\n".join([*lines, *map(str, planned.steps), *map(str, planned.troubles)])
