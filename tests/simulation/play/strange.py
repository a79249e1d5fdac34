"""Troubles of clusters that others have a hand in: quotas and policies, records that vanish,
queues, sidecars. One function a kind, as in `troubles`.

`refuse`: `choice` is the answer, the verb and the kind; after `seconds` it is lifted, or with
`number` 2 a person cancels the run first. `record_gone`: the `number`th result, `at` seconds after
it was named in status. `queue` and `sidecars`: new Jobs and pods, for `seconds`.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final

from waypost.kube.objects import items
from waypost.ports.cluster import ClusterError, Kind, QuotaExceeded, RefusedForNow, Rejected

from tests.simulation.play.withheld import withhold
from tests.simulation.scenario.plan import Trouble
from tests.simulation.watching.evidence import FINAL

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

Doing = Callable[["Stage", Trouble], Coroutine[Any, Any, None]]
SILENCE: Final = 60.0  # seconds after which a run that cannot go on must have said why
TO_CANCEL: Final = 90.0
# With one of these nothing can be said of what an operator should have done by when.
_EXCUSES: Final = frozenset(
    {"kill", "freeze", "freeze_fence", "second", "shutdown", "faults", "outage", "deaf", "lose"}
    | {"remove", "suspend", "twice", "lose_answer", "delete_run"}
)

ANSWERS: Final[dict[str, Callable[[], ClusterError]]] = {
    "quota": lambda: QuotaExceeded("exceeded quota: team", code=403, reason="Forbidden"),
    "policy": lambda: Rejected("admission webhook denied the request: no", code=403),
    "webhook": lambda: RefusedForNow("failed calling webhook: refused", code=500),
}
REFUSED: Final[dict[str, tuple[str, Kind]]] = {
    "records": ("create", Kind.NODE_RECORD),
    "approvals": ("create", Kind.APPROVAL),
    "answers": ("patch_status", Kind.APPROVAL),
    "jobs": ("create", Kind.JOB),
    "maps": ("create", Kind.CONFIG_MAP),
}
CHOICES: Final = tuple(f"{answer} {what}" for answer in ANSWERS for what in REFUSED)


async def _refuse(stage: "Stage", trouble: Trouble) -> None:
    answer, what = trouble.choice.split()
    refusals = stage.world.cluster.server.refusals
    refusals[REFUSED[what]] = ANSWERS[answer]
    began = stage.watcher.now
    try:
        await asyncio.sleep(trouble.seconds)
        blame(stage, since=began)
        if trouble.number == 2 and not stage.has_ended:
            await stage.patch_run(cancel=True)
            await stage.until(lambda: stage.has_ended, TO_CANCEL)
            blame_late_end(stage)
    finally:
        refusals.pop(REFUSED[what], None)


async def _record_gone(stage: "Stage", trouble: Trouble) -> None:
    def named() -> list[str]:
        records = (entry.get("outputRecord") for entry in stage.seen.nodes.values())
        return sorted(record for record in records if record)

    record = await stage.nth(named, trouble.number)
    await asyncio.sleep(trouble.at)
    stage.exercise(trouble, record)
    with contextlib.suppress(ClusterError):
        await stage.world.delete(Kind.NODE_RECORD, record)


async def _queue(stage: "Stage", trouble: Trouble) -> None:
    began = stage.watcher.now
    stage.world.work.queue_jobs(True)
    try:
        await asyncio.sleep(trouble.seconds)
        blame(stage, since=began)
    finally:
        stage.world.work.queue_jobs(False)


async def _sidecars(stage: "Stage", trouble: Trouble) -> None:
    stage.world.work.inject(lambda job: [{"name": "proxy", "image": "proxy:1"}])
    try:
        await asyncio.sleep(trouble.seconds)
    finally:
        stage.world.work.inject(lambda job: [])


DOINGS: Final[dict[str, Doing]] = {
    "refuse": _refuse,
    "record_gone": _record_gone,
    "queue": _queue,
    "sidecars": _sidecars,
    "withhold": withhold,
}


def _is_calm(stage: "Stage") -> bool:
    kinds = {trouble.kind for trouble in stage.scenario.troubles}
    return not kinds & _EXCUSES and stage.seen.deleted_at is None


def blame_late_end(stage: "Stage") -> None:
    """A cancelled run ends, but for finally."""
    last = any(node.last for node in stage.scenario.nodes)  # which a cancel does not stop
    if _is_calm(stage) and stage.seen.finished_at is None and not last:
        stage.watcher.blame("K1", f"no end {TO_CANCEL:.0f} s after a cancel")


def blame(stage: "Stage", *, since: float) -> None:
    """A run that cannot continue says why within a minute, and everything else in it continues."""
    if _is_calm(stage) and not stage.has_ended:
        found = (*_silent(stage, since), *_idle(stage, since), *_unstopped(stage, since))
        for invariant, text in found:
            stage.watcher.blame(invariant, text)


def _silent(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Nodes that nothing moves, and that say nothing."""
    seen, due = stage.seen, stage.watcher.now - SILENCE
    for path, entry in seen.nodes.items():
        if entry.get("reason") or max(since, seen.ended.get(path, 0.0)) > due:
            continue
        if entry["phase"] == "Running":
            number = entry.get("attempt", 1)
            pods = seen.pods_of(path, number)
            told = [pod.over_at for pod in pods if pod.over_at is not None]
            recorded = seen.attempts[path, number].recorded_at
            if len(told) == len(pods) and max((recorded, *told)) < due:
                yield "said", f"{path} has stood still for a minute, and says nothing"
        elif entry["phase"] == "Waiting" and stage.scenario.by_name[path].kind == "approval":
            asked = [gate for gate in seen.gates.values() if gate.path == path]
            if not any(gate.gone_at is None for gate in asked):
                yield "said", f"{path} was not asked for a minute, and says nothing"
    troubled = [p for p, e in seen.nodes.items() if e.get("reason") and e["phase"] == "Running"]
    conditions = items(seen.run, "status", "conditions")
    messages = [c.get("message") for c in conditions if c.get("type") == "Reconciling"]
    if troubled and not any(messages):
        yield "said", f"the run says nothing of {troubled[0]}"


def _unstopped(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Programs that had to stop a minute ago and still run, of which their nodes say nothing."""
    seen, due = stage.seen, stage.watcher.now - SILENCE
    for path, entry in seen.nodes.items():
        story = seen.attempts.get((path, entry.get("attempt", 1)))
        if entry["phase"] != "Running" or entry.get("reason") or story is None:
            continue
        stopped = story.stopped_at
        if stopped is None or max(since, stopped) > due:
            continue
        pods = seen.pods_of(path, story.number)
        if any(pod.over_at is None and pod.deleting_at is None for pod in pods):
            yield "said", f"{path} does not stop, and says nothing"


def _idle(stage: "Stage", since: float) -> Iterator[tuple[str, str]]:
    """Nodes that nothing keeps, and that do not begin."""
    seen, plan, due = stage.seen, stage.scenario, stage.watcher.now - SILENCE
    phases = {path: entry["phase"] for path, entry in seen.nodes.items()}
    busy = sum(phase == "Running" for phase in phases.values())
    main = {node.name for node in plan.nodes if not node.last}
    failed = [path for path, phase in phases.items() if phase == "Failed" and path in main]
    if busy >= plan.parallelism or any(not plan.by_name[path].tolerated for path in failed):
        return
    for node in plan.nodes:
        entry = seen.nodes.get(node.name)
        if entry is None or entry["phase"] != "Pending" or node.kind == "agent" or node.last:
            continue
        if any(phases.get(name) not in FINAL for name in node.upstream):
            continue
        ready = max((since, *(seen.ended[name] for name in node.upstream)))
        if ready < due and not entry.get("reason"):
            yield "K1", f"{node.name} can start, and has not for a minute"
