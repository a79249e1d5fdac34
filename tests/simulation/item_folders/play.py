"""Play a plan: operators, a gateway, items that store folders, nodes that take them, troubles, a
second round. Each program compares what it was given with what its list says (T11)."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

from waypost.kube.manifests.pod import PodSettings
from waypost.ports.cluster import Kind, Unavailable
from waypost.protocol.record import Attempt, CommitRecord, encode
from waypost.runtime.sweeps.artifacts import EVERY

from tests.fakes.api.watch import IMMEDIATE, ROUGH
from tests.fakes.nodes.programs import Outcome, PodView
from tests.simulation.focused import troubles
from tests.simulation.focused.playing import played_and_kept, what_stays
from tests.simulation.focused.troubles import Trouble
from tests.simulation.item_folders.plan import LINGERS, MAP, RUN, Plan, content, spec_of
from tests.simulation.item_folders.watcher import Watcher
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
_TO_SWEEP: Final = 2 * EVERY + 60.0
_PROBES: Final = f"{PROVIDER['metadata']['name']}-probe-"


class _Play:
    def __init__(self, world: World, planned: Plan) -> None:
        self.world, self.plan = world, planned
        self.watcher = Watcher(world)
        self.values = planned.values  # of the list as it is now
        self.of_digest: dict[str, str] = {}  # whose folder has a digest
        self._started = 0.0
        takers: dict[str, Callable[[PodView], Outcome]] = {
            MAP: self._make,
            **dict.fromkeys(("all", "look", "inner"), self._take_all),
            "each": self._take_one,
            "over": self._take_over,
        }
        for name, program in takers.items():
            world.script[name] = [program] * 40
        world.script[""] = [says(OK)]

    # --- pods and their gateway ------------------------------------------------------------------

    def _make(self, pod: PodView) -> Outcome:
        value = str(pod.inputs["value"])
        act = self.plan.act(value, pod.attempt)
        if act == "fails":
            return pod.fails()
        made = content(value, pod.attempt)
        self.of_digest[made.digest] = value
        if act != "unrecorded":
            self.world.helper(self._stored(pod, made))
        if act == "dies":
            return Outcome(exit_code=137, seconds=2.0)
        lasts = LINGERS if value == self.plan.slow and pod.attempt == 1 else 2.0
        me = Attempt(pod.run_uid, pod.path, pod.round, pod.attempt, pod.uid)
        record = CommitRecord(me, "Succeeded", value, artifacts={"repo": made})
        return Outcome(message=encode(record).decode(), seconds=lasts)

    async def _stored(self, pod: PodView, made: Any) -> None:
        await asyncio.sleep(0.5)
        artifact_store.store(self.world, pod, made)

    def _taken(self, pod: PodView) -> list[tuple[str, str]]:
        taken = pod.request["artifacts"]["in"]
        return [(one["folder"], self.of_digest.get(one["digest"], "nobody")) for one in taken]

    def _judged(self, pod: PodView, expected: list[tuple[str, str]]) -> Outcome:
        if self._taken(pod) != expected:
            self.watcher.blame("T11", f"{pod.path} took {self._taken(pod)}, expected {expected}")
        return pod.succeeds(None)

    def _take_all(self, pod: PodView) -> Outcome:
        return self._judged(
            pod,
            [
                (str(at), value)
                for at, value in enumerate(self.values)
                if value not in self.plan.failing
            ],
        )

    def _take_one(self, pod: PodView) -> Outcome:
        value = str(pod.inputs["value"])
        return self._judged(pod, [] if value in self.plan.failing else [("0", value)])

    def _take_over(self, pod: PodView) -> Outcome:
        return self._judged(pod, [("", self.of_digest.get(str(pod.inputs["digest"]), "none"))])

    # --- the run ---------------------------------------------------------------------------------

    async def run(self) -> list[Violation]:
        await self.world.user.create(Kind.MODEL_PROVIDER, namespace=NAMESPACE, body=PROVIDER)
        self._start()
        await self.world.submit(spec_of(self.plan), name=RUN)
        for trouble in self.plan.troubles:
            self.world.helper(troubles.befall(trouble, self._happen))
        await asyncio.sleep(_TROUBLED)
        if not await self._ends(1):
            return self.watcher.violations
        if self.plan.again:
            await self.world.patch_run(self._second_round(), name=RUN)
            await self._ends(2)
        if self.plan.swept:
            passed = self.world.clock.monotonic() - self._started
            failing = EVERY * self.world.cluster.faults_left  # each may fail a visit
            await asyncio.sleep(_TO_SWEEP + failing + max(EVERY - passed, 0.0))
            for record in self.watcher.unnamed():
                self.watcher.blame("VA2", f"no run names {record}, and it is still there")
        if left := await what_stays(self.world, RUN, but=_PROBES):
            self.watcher.blame("I12", f"left behind: {left}")
        return self.watcher.violations

    def _second_round(self) -> dict[str, Any]:
        match self.plan.again:
            case "reordered":
                self.values = self.plan.later
                return {"inputs": {"list": list(self.values)}, "rerun": {"round": 2}}
            case "item":
                return {"rerun": {"round": 2, "from": [f"{MAP}/0"]}}
            case _:
                return {"rerun": {"round": 2, "from": [MAP]}}

    def _start(self) -> None:
        self._started = self.world.clock.monotonic()
        delivery = ROUGH if self.plan.delivery == "rough" else IMMEDIATE
        self.world.start(delivery=delivery, seed=self.plan.seed, resync_seconds=60.0, pods=_PODS)

    async def _ends(self, round_: int) -> bool:
        for _ in range(int(_TO_END)):
            status = self.world.status(RUN)
            if self.world.is_finished(RUN) and status.get("round", 1) == round_:
                break
            await asyncio.sleep(1)
        else:
            self.watcher.blame("I11", f"no end of round {round_}:\n{self.world.tell()}")
            return False
        failed = len(self.plan.failing & set(self.values))
        counts = self.world.node(MAP, RUN)["items"]
        found = (status["phase"], counts.get("failed", 0), counts["total"])
        if found != ("Succeeded", failed, len(self.values)):
            self.watcher.blame("T11", f"round {round_}: {found}\n{self.world.tell()}")
        return True

    # --- troubles --------------------------------------------------------------------------------

    async def _happen(self, trouble: Trouble) -> None:
        lost = [("patch_status", Kind.AGENT_WORKFLOW)]
        if await troubles.disturb(self.world, self._start, trouble, lost=lost):
            return
        if trouble.kind == "suspend":
            await troubles.suspend(self.world, RUN, trouble.seconds)
        elif trouble.kind == "evict":
            pods = self.world.work.pods()
            if pods:
                self.world.work.evict(pods[trouble.number % len(pods)])
        else:
            error, times = Unavailable("lost"), 1 + trouble.number // 3
            self.world.cluster.fail_next("get", Kind.NODE_RECORD, error, times=times)


def play(planned: Plan) -> tuple[list[Violation], int]:
    """Everything that is wrong with the play of a plan, and how many artifacts pods were given. An
    exception is a violation too."""
    violations, playing = played_and_kept(planned.seed, lambda world: _Play(world, planned))
    return violations, playing.watcher.reads


def described(planned: Plan) -> str:
    """A plan in a few lines."""
    return str(planned)
