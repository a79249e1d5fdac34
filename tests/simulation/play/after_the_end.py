"""What must hold after a run has ended: silence (I11), and nothing after its deletion (I12)."""

import asyncio
from typing import TYPE_CHECKING, Final

from waypost.api import meta
from waypost.ports.cluster import Kind, Obj

from tests.fakes.faults import Written
from tests.simulation.scenario.plan import RUN

if TYPE_CHECKING:
    from tests.simulation.play.stage import Stage

_QUIET: Final = 900.0
_TRIES: Final = 12
_TO_VANISH: Final = 180.0
_TO_FORGET: Final = 700.0  # a watch may keep the end to itself, and the resync takes its time


async def stays_quiet(stage: "Stage") -> None:
    """I11: once the run has ended nothing is written any more."""
    before = len(stage.world.cluster.log)
    await asyncio.sleep(_QUIET)
    dropped = {a.job for a in stage.seen.attempts.values() if stage.seen.is_dropped(a.path)}
    written = [
        w
        for w in stage.world.cluster.log[before:]
        if w.request.user != "ann"
        and not _is_of_a_probe(w)
        and not _is_swept(w, dropped)
        and (w.request.verb, w.request.kind)
        not in (("delete", Kind.NETWORK_POLICY), ("delete", Kind.NODE_RECORD))  # unused ones
    ]
    done = [w for w in written if w.result != "NotFound"]  # by one whose watch is stale
    copied = {name.rpartition("-")[0] for name in stage.seen.copies}
    done = [w for w in done if not stops_a_copy(w, copied)]
    if stage.is_gone:
        done = [w for w in done if not _is_found_out(w, written)]
    if done or len(written) > _TRIES:
        stage.watcher.blame("I11", f"writes after the end: {written[:5]}")
    pods = stage.seen.pods.values()
    held = [p.name for p in pods if p.gone_at is None and not p.released_at]
    held += [name for name, body in _copies(stage).items() if body["metadata"].get("finalizers")]
    if slots := stage.slots.held:
        stage.watcher.blame("VK1", f"slots are left: {sorted(slots)}")
    if held:
        stage.watcher.blame("I12", f"pods are still held: {held}")


def _is_swept(written: Written, dropped: set[str]) -> bool:
    """Whether this is the sweep of a node that a round has dropped: its Jobs, and pods with their
    labels and names, which a person may have copied."""
    request = written.request
    if request.verb != "delete":
        return False
    return request.name in dropped or (
        request.kind == Kind.POD and request.name.startswith(tuple(f"{job}-" for job in dropped))
    )


def _is_of_a_probe(write: Written) -> bool:
    """Whether a write is one of the probes of the ModelProvider, which do not end with the run."""
    return write.request.kind is Kind.MODEL_PROVIDER or write.request.name.startswith("main-probe-")


def stops_a_copy(write: Written, copied: set[str]) -> bool:
    """Whether a write stops a Job that is stopped already. An operator that has not read the Job
    takes the copy of a pod that is gone for the pod, until the answer shows it the Job."""
    request = write.request
    is_stop = (request.verb, request.kind) == ("patch", Kind.JOB)
    return is_stop and write.result == "unchanged" and request.name in copied


def _is_found_out(write: Written, written: list[Written]) -> bool:
    """Whether a write is a NodeRecord of a run that is gone, and the next request for the run found
    nothing. Garbage collection deletes the record, which `vanishes` checks."""
    after = written[written.index(write) + 1 :]
    status = next((w for w in after if w.request.kind is Kind.AGENT_WORKFLOW), None)
    is_record = (write.request.verb, write.request.kind) == ("create", Kind.NODE_RECORD)
    return is_record and status is not None and status.result == "NotFound"


async def vanishes(stage: "Stage") -> None:
    """I12: the run is deleted, and nothing of it stays."""
    uid = stage.seen.run["metadata"]["uid"]
    if stage.world.run():
        await stage.world.delete(Kind.AGENT_WORKFLOW, RUN)
    await stage.until(lambda: not _left(stage, uid), _TO_VANISH)
    if left := _left(stage, uid):
        stage.watcher.blame("I12", f"left after the run was deleted: {left}")
    for kind in (Kind.POD, Kind.APPROVAL):  # orphans and strangers are for people to remove
        for body in stage.world.all(kind):
            if not body["metadata"].get("ownerReferences"):
                await stage.world.delete(kind, body["metadata"]["name"])
    await stage.until(lambda: not stage.operators.remember, _TO_FORGET, step=5.0)
    if stage.operators.remember:
        stage.watcher.blame("I12", "an operator remembers a run that is gone")


def _copies(stage: "Stage") -> dict[str, Obj]:
    pods = {body["metadata"]["name"]: body for body in stage.world.all(Kind.POD)}
    return {name: pods[name] for name in stage.seen.copies if name in pods}


def _left(stage: "Stage", uid: str) -> list[str]:
    orphaned = stage.planned("delete_job", "Orphan")
    left = []
    for kind in (Kind.JOB, Kind.POD, Kind.APPROVAL, Kind.NODE_RECORD, Kind.CONFIG_MAP):
        for body in stage.world.all(kind):
            metadata = body["metadata"]
            labels = metadata.get("labels", {})
            if labels.get(meta.LABEL_RUN) != uid or metadata["name"].startswith("poison"):
                continue
            if metadata["name"] in stage.seen.copies and not metadata.get("finalizers"):
                continue
            orphan = not metadata.get("ownerReferences") and (
                orphaned if kind is Kind.POD else kind is Kind.APPROVAL
            )
            if not orphan or metadata.get("finalizers"):
                left.append(f"{kind.kind} {metadata['name']}")
    return left
