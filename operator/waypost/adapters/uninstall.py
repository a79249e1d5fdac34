"""Releases every pod and child run that waits to be read, before the operator is removed."""

import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from waypost.api.meta import FINALIZER_CHILD, FINALIZER_RESULT, LABEL_PARENT, LABEL_RUN
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, PatchType
from waypost.protocol.text import shorten

_LAST_LINES: Final = 10

log = logging.getLogger(__name__)

# A strategic merge patch can delete one entry. A merge patch has the whole list, and would restore
# entries that others have removed meanwhile.
RELEASE_PATCH: Obj = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER_RESULT]}}


@dataclass(frozen=True)
class _Held:
    """Objects of one kind that a finalizer holds.

    Attributes:
        kind: Their kind.
        noun: One of them, for messages; the plural has an s.
        label: A label that all of them have.
        finalizer: What holds them.
        patch: The patch that releases one, from its metadata.
        patch_type: The format of the patch.
    """

    kind: Kind
    noun: str
    label: str
    finalizer: str
    patch: Callable[[Obj], Obj]
    patch_type: PatchType


def _without_child_finalizer(metadata: Obj) -> Obj:
    """No strategic merge patch of a custom resource is possible, so the patch has the version: it
    does not restore what others have removed meanwhile."""
    left = [one for one in metadata["finalizers"] if one != FINALIZER_CHILD]
    return {"metadata": {"resourceVersion": metadata["resourceVersion"], "finalizers": left}}


_PODS: Final = _Held(
    Kind.POD, "pod", LABEL_RUN, FINALIZER_RESULT, lambda _: RELEASE_PATCH, PatchType.STRATEGIC
)
_CHILDREN: Final = _Held(
    Kind.AGENT_WORKFLOW,
    "run",
    LABEL_PARENT,
    FINALIZER_CHILD,
    _without_child_finalizer,
    PatchType.MERGE,
)


async def release_pods(
    *, cluster: Cluster, namespaces: Collection[str], say: Callable[[str], None]
) -> int:
    """Release all held pods. May be repeated.

    Args:
        cluster: Where.
        namespaces: Namespaces to search; empty for all.
        say: Prints one line of progress.

    Returns:
        The number of pods that were not released and of namespaces that could not be listed.
    """
    released, failed = await _release_all(_PODS, cluster, namespaces, say)
    say(f"{released} pods released, {failed} problems")
    return failed


async def release_children(
    *, cluster: Cluster, namespaces: Collection[str], say: Callable[[str], None]
) -> int:
    """Release all child runs that are held, as `release_pods` does with pods."""
    released, failed = await _release_all(_CHILDREN, cluster, namespaces, say)
    if released or failed:
        say(f"{released} child runs released, {failed} problems")
    return failed


async def report(
    *, cluster: Cluster, namespace: str, job: str, problems: int, said: Sequence[str], now: datetime
) -> None:
    """Leave the result as an Event on the Job: its pod and log may be gone when a person looks.
    Never raises for the API server.

    Args:
        cluster: Where.
        namespace: Namespace of the Job.
        job: Its name.
        problems: How many objects were not released.
        said: The lines of progress; the last ones are in the Event.
        now: The time.
    """
    moment = timestamp(now)[:19] + "Z"
    event: Obj = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"generateName": f"{job[:200]}.", "namespace": namespace},
        "involvedObject": {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "name": job,
            "namespace": namespace,
        },
        "type": "Warning" if problems else "Normal",
        "reason": "CleanupFailed" if problems else "CleanupDone",
        "message": shorten("; ".join(said[-_LAST_LINES:]), 1024),
        "firstTimestamp": moment,
        "lastTimestamp": moment,
        "count": 1,
        "source": {"component": "waypost-cleanup"},
    }
    try:
        await cluster.create(Kind.EVENT, namespace=namespace, body=event)
    except ClusterError as error:
        log.warning("the result was not left as an Event: %s", error.message)


async def _release_all(
    held: _Held, cluster: Cluster, namespaces: Collection[str], say: Callable[[str], None]
) -> tuple[int, int]:
    """How many were released, and how many problems there were."""
    released = failed = 0
    for namespace in namespaces or (None,):
        try:
            listing = await cluster.list(held.kind, namespace=namespace, labels=held.label)
        except ClusterError as error:
            say(f"cannot list {held.noun}s in {namespace or 'all namespaces'}: {error}")
            failed += 1
            continue
        for body in listing.items:
            metadata = body["metadata"]
            if held.finalizer not in (metadata.get("finalizers") or ()):
                continue
            problem = await _release(held, cluster, metadata)
            released, failed = released + (not problem), failed + bool(problem)
            say(f"{problem or 'released'}: {held.noun} {metadata['namespace']}/{metadata['name']}")
    return released, failed


async def _release(held: _Held, cluster: Cluster, metadata: Obj) -> str:
    """What went wrong; "" if nothing did, or the object no longer exists."""
    try:
        await cluster.patch(
            held.kind,
            namespace=metadata["namespace"],
            name=metadata["name"],
            body=held.patch(metadata),
            patch_type=held.patch_type,
        )
    except NotFound:
        return ""
    except ClusterError as error:
        return f"not released ({error})"
    return ""
