"""What goes wrong, done to a stage. One function a kind.

`number` counts writes, status writes, pods or Approvals from 1, and `at` is then the pause after
that; otherwise `at` is a time of the play.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final

from waypost.api import meta
from waypost.kube import names
from waypost.kube.objects import section
from waypost.ports.cluster import ClusterError, Kind, NotFound, Unavailable

from tests.fakes.api.deletion import Deletion
from tests.fakes.nodes.programs import view
from tests.simulation.play import copies, strange
from tests.simulation.scenario.plan import RUN, Trouble
from tests.simulation.watching.evidence import PodStory
from tests.support.accidents import RESET, befalls
from tests.support.harness import NAMESPACE, Call, Operator

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

Send = Callable[[], Awaitable[Any]]
Doing = Callable[["Stage", Trouble], Coroutine[Any, Any, None]]
_FENCE: Final = 10.1
COUNTED_WRITES: Final = ("kill", "twice", "lose_answer", "freeze_fence")


class Saboteur:
    """Sits on the lines of all operators and does what is planned for their requests."""

    def __init__(self, stage: "Stage", troubles: list[Trouble], seed: int) -> None:
        self._stage = stage
        self._left = [t for t in troubles if t.kind in COUNTED_WRITES]
        self._writes = 0
        self._fences = 0
        self._random = random.Random(seed)
        self.fault_percent = 0
        self.outage = False
        self.healed = False

    def attach(self, operator: Operator) -> None:
        """From now on its requests pass here."""

        async def intercept(call: Call, send: Send) -> Any:
            return await self._pass(operator, call, send)

        operator.line.intercept = intercept

    def _check_fence(self, operator: Operator, call: Call) -> None:
        """A3: who creates has written or read the run within the last ten seconds."""
        since = call.at - _FENCE
        entitles = [
            earlier
            for earlier in operator.line.calls[-60:]
            if earlier.kind is Kind.AGENT_WORKFLOW
            and earlier.verb in ("patch_status", "get")
            and earlier.at >= since
        ]
        if call.kind is Kind.JOB:
            at = max((earlier.at for earlier in entitles), default=float("-inf"))
            self._stage.watcher.relaunches.sent(call.name, operator, entitled_at=at)
        if not entitles:
            self._stage.watcher.blame("A3", f"{call.verb} of {call.name} after its fence")

    async def _pass(self, operator: Operator, call: Call, send: Send) -> Any:
        if call.verb == "create" and call.kind in (Kind.JOB, Kind.APPROVAL) and "-n" in call.name:
            self._check_fence(operator, call)
        if call.verb == "create" and call.kind is Kind.JOB:
            self._stage.seen.tries.setdefault(call.name, []).append(self._stage.watcher.now)
        if self.healed:
            return await send()
        if self.outage:
            await asyncio.sleep(0.5)
            raise Unavailable("connection refused")
        if self.fault_percent and self._random.randrange(100) < self.fault_percent:
            return await befalls(self._random, call, send)
        if not call.writes or call.kind is Kind.EVENT:
            return await send()
        return await self._write(operator, call, send)

    async def _write(self, operator: Operator, call: Call, send: Send) -> Any:
        self._writes += 1
        fence = call.verb == "patch_status" and call.kind is Kind.AGENT_WORKFLOW
        self._fences += fence
        trouble = next((t for t in self._left if self._is_due(t, fence)), None)
        if trouble is None:
            return await send()
        self._left.remove(trouble)
        self._stage.exercise(trouble, f"{call.verb} {call.kind.kind} {call.name}")
        match trouble.kind:
            case "kill":
                if trouble.choice == "after":
                    await send()
                self._stage.operators.kill(operator, pause=trouble.seconds)
                raise asyncio.CancelledError
            case "twice":
                await send()
                self._stage.watcher.relaunches.repeated(call.name, operator)
                with contextlib.suppress(ClusterError):
                    await send()
                raise Unavailable(RESET)
            case "lose_answer":
                await send()
                raise Unavailable(RESET)
            case _:
                answer = await send()
                self._stage.operators.freeze(operator, seconds=trouble.seconds)
                await asyncio.sleep(0)  # from here on it notices nothing
                return answer

    def _is_due(self, trouble: Trouble, fence: bool) -> bool:
        if trouble.kind == "freeze_fence":
            return fence and trouble.number <= self._fences
        return trouble.number <= self._writes


# --- operators and their cluster -----------------------------------------------------------------


async def _freeze(stage: "Stage", trouble: Trouble) -> None:
    stage.operators.freeze(stage.operators.eldest(), seconds=trouble.seconds)


async def _second(stage: "Stage", trouble: Trouble) -> None:
    other = stage.operators.start()
    await asyncio.sleep(trouble.seconds)
    if len(stage.operators.alive()) > 1:
        stage.operators.kill(other, pause=None)


async def _shutdown(stage: "Stage", trouble: Trouble) -> None:
    operator = stage.operators.eldest()
    stage.operators.retire(operator)
    await operator.shut_down(within=60.0)
    await asyncio.sleep(trouble.seconds)
    stage.operators.start()


async def _faults(stage: "Stage", trouble: Trouble) -> None:
    stage.saboteur.fault_percent = trouble.number
    await asyncio.sleep(trouble.seconds)
    stage.saboteur.fault_percent = 0


async def _outage(stage: "Stage", trouble: Trouble) -> None:
    stage.saboteur.outage = True
    await asyncio.sleep(trouble.seconds)
    stage.saboteur.outage = False


async def _deaf(stage: "Stage", trouble: Trouble) -> None:
    operator = stage.operators.eldest()
    operator.watch.pause()
    await asyncio.sleep(trouble.seconds)
    if not stage.operators.is_frozen(operator):
        operator.watch.resume()


async def _relist(stage: "Stage", trouble: Trouble) -> None:
    operator = stage.operators.eldest()
    if not stage.operators.is_frozen(operator):
        operator.watch.relist()


# --- pods, Jobs, machines, Approvals -------------------------------------------------------------


async def _pod(stage: "Stage", trouble: Trouble) -> PodStory | None:
    """The pod that a trouble is about, `at` seconds after it was made; None if it is gone."""
    story: PodStory = await stage.nth(lambda: list(stage.seen.pods.values()), trouble.number)
    await asyncio.sleep(trouble.at)
    return story if story.gone_at is None else None


async def _delete_pod(stage: "Stage", trouble: Trouble) -> None:
    if (story := await _pod(stage, trouble)) is not None:
        grace = {"": None, "force": 0, "hurry": 1}[trouble.choice]
        options = Deletion(uid=story.uid, grace=grace)
        server = stage.world.cluster.server
        server.delete(Kind.POD, namespace=NAMESPACE, name=story.name, options=options)


async def _evict(stage: "Stage", trouble: Trouble) -> None:
    story = await _pod(stage, trouble)
    if story is not None and story.over_at is None and story.deleting_at is None:
        server = stage.world.cluster.server
        stage.world.work.evict(view(server, story.body), reason=trouble.choice)


async def _pressure(stage: "Stage", trouble: Trouble) -> None:
    story = await _pod(stage, trouble)
    bound = story is not None and story.body["spec"].get("nodeName")
    if story is not None and bound and story.over_at is None and story.deleting_at is None:
        pod = view(stage.world.cluster.server, story.body)
        stage.world.work.run_out_of(pod, disruption=trouble.choice == "machine")


async def _delete_job(stage: "Stage", trouble: Trouble) -> None:
    story = await _pod(stage, trouble)
    for body in stage.world.all(Kind.JOB) if story else []:
        labels, metadata = body["metadata"]["labels"], body["metadata"]
        path = metadata.get("annotations", {}).get(meta.ANNOTATION_PATH)
        if story and (path, labels.get(meta.LABEL_ATTEMPT)) == (story.path, str(story.attempt)):
            options = Deletion(uid=metadata["uid"], propagation=trouble.choice)
            stage.world.cluster.server.delete(
                Kind.JOB, namespace=NAMESPACE, name=metadata["name"], options=options
            )


async def _lose(stage: "Stage", trouble: Trouble) -> None:
    stage.lose(trouble.choice)
    await asyncio.sleep(trouble.seconds)
    stage.regain(trouble.choice)


async def _remove(stage: "Stage", trouble: Trouble) -> None:
    stage.remove(trouble.choice)


async def _delete_approval(stage: "Stage", trouble: Trouble) -> None:
    gate = await stage.nth(lambda: list(stage.seen.gates.values()), trouble.number)
    await asyncio.sleep(trouble.at)
    with contextlib.suppress(NotFound):  # it may vanish while the request is on its way
        if gate.gone_at is None:
            await stage.world.delete(Kind.APPROVAL, gate.name)


async def _forge_approval(stage: "Stage", trouble: Trouble) -> None:
    """Somebody who may create Approvals puts one in the place of each gate's, and approves it."""
    uid = stage.world.run()["metadata"]["uid"] if stage.world.run() else ""
    for node in stage.scenario.nodes if uid else ():
        if node.kind != "approval":
            continue
        name = names.approval_name(run=RUN, run_uid=uid, path=node.name, round_=1)
        body = {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "Approval",
            "metadata": {
                "name": name,
                "labels": {meta.LABEL_RUN: uid},
                "annotations": {meta.ANNOTATION_PATH: node.name, meta.ANNOTATION_RUN_NAME: RUN},
            },
            "spec": {
                "run": RUN,
                "path": node.name,
                "subject": "gate",
                "message": "Go on?",
                "approvers": {"users": ["eve"]},
                "requestDigest": "sha256:" + "0" * 64,
            },
        }
        with contextlib.suppress(ClusterError):  # the operator was first
            await stage.world.user.create(Kind.APPROVAL, namespace=NAMESPACE, body=body)
            await stage.answer(name, "Approved")


async def _poison(stage: "Stage", trouble: Trouble) -> None:
    """Pods that carry our labels and are none of ours."""
    uid = stage.world.run()["metadata"]["uid"] if stage.world.run() else "nobody"
    labels = {meta.LABEL_RUN: uid, meta.LABEL_NODE: "nobody", meta.LABEL_ATTEMPT: "99"}
    for name, change in (("poison-0", {}), ("poison-1", {meta.LABEL_ATTEMPT: "many"})):
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {**labels, **change}},
            "spec": {"containers": [{"name": "node", "image": "poison"}]},
        }
        with contextlib.suppress(ClusterError):  # twice in one play
            await stage.world.user.create(Kind.POD, namespace=NAMESPACE, body=body)


# --- people --------------------------------------------------------------------------------------


async def _suspend(stage: "Stage", trouble: Trouble) -> None:
    await stage.patch_run(suspend=True)
    await asyncio.sleep(trouble.seconds)
    await stage.patch_run(suspend=False)


async def _cancel(stage: "Stage", trouble: Trouble) -> None:
    await stage.patch_run(cancel=True)


async def _cancel_finally(stage: "Stage", trouble: Trouble) -> None:
    """A person cancels while finally runs; with `choice` skip, finally too."""
    await stage.until(lambda: "verdict" in section(stage.seen.run, "status"))
    await asyncio.sleep(trouble.at)
    if stage.has_ended:
        return
    stage.exercise(trouble)
    skip = {"skipFinally": True} if trouble.choice else {}
    await stage.patch_run(cancel=True, **skip)


async def _delete_run(stage: "Stage", trouble: Trouble) -> None:
    with contextlib.suppress(NotFound):
        if stage.world.run():
            await stage.world.delete(Kind.AGENT_WORKFLOW, RUN, propagation=trouble.choice)


_DOINGS: Final[dict[str, Doing]] = {
    "freeze": _freeze,
    "second": _second,
    "shutdown": _shutdown,
    "faults": _faults,
    "outage": _outage,
    "deaf": _deaf,
    "relist": _relist,
    "delete_pod": _delete_pod,
    "evict": _evict,
    "pressure": _pressure,
    "delete_job": _delete_job,
    "lose": _lose,
    "remove": _remove,
    "delete_approval": _delete_approval,
    "forge_approval": _forge_approval,
    "poison": _poison,
    "suspend": _suspend,
    "cancel": _cancel,
    "cancel_finally": _cancel_finally,
    "delete_run": _delete_run,
    "copy": copies.copy,
    **strange.DOINGS,
}
KINDS: Final = frozenset({*COUNTED_WRITES, *_DOINGS})
_AFTER_SOMETHING: Final = ("delete_pod", "evict", "pressure", "delete_job", "delete_approval")
_TELLS_ITSELF: Final = ("record_gone", "cancel_finally", "suspend_job")


async def befall(stage: "Stage", trouble: Trouble) -> None:
    """Let a trouble happen when its time comes."""
    if trouble.kind in _TELLS_ITSELF:
        await _DOINGS[trouble.kind](stage, trouble)
        return
    if trouble.kind not in _AFTER_SOMETHING:
        await asyncio.sleep(trouble.at)
        stage.exercise(trouble)
    await _DOINGS[trouble.kind](stage, trouble)
    if trouble.kind in _AFTER_SOMETHING:
        stage.exercise(trouble)
