"""Lets go of every pod that is held for its result, for when no operator will come for it."""

from collections.abc import Callable, Collection

from waypost.api.meta import FINALIZER_RESULT, LABEL_RUN
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, PatchType

# A strategic delete names one entry and leaves the rest. A merge patch carries the whole list and
# brings back what others have removed meanwhile.
RELEASE_PATCH: Obj = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER_RESULT]}}


async def release_pods(
    *, cluster: Cluster, namespaces: Collection[str], say: Callable[[str], None]
) -> int:
    """Release all held pods in `namespaces` (none: everywhere); gives how many stayed held.

    May be repeated. A pod that is gone meanwhile counts as released.
    """
    released = failed = 0
    for namespace in namespaces or (None,):
        try:
            listing = await cluster.list(Kind.POD, namespace=namespace, labels=LABEL_RUN)
        except ClusterError as error:
            say(f"cannot list pods in {namespace or 'all namespaces'}: {error}")
            failed += 1
            continue
        for pod in listing.items:
            metadata = pod["metadata"]
            if FINALIZER_RESULT not in (metadata.get("finalizers") or ()):
                continue
            problem = await _release(cluster, metadata["namespace"], metadata["name"])
            released, failed = released + (not problem), failed + bool(problem)
            say(f"{problem or 'released'}: pod {metadata['namespace']}/{metadata['name']}")
    say(f"{released} pods released, {failed} problems")
    return failed


async def _release(cluster: Cluster, namespace: str, name: str) -> str:
    """What went wrong, or an empty text."""
    try:
        await cluster.patch(
            Kind.POD,
            namespace=namespace,
            name=name,
            body=RELEASE_PATCH,
            patch_type=PatchType.STRATEGIC,
        )
    except NotFound:
        return ""
    except ClusterError as error:
        return f"not released ({error})"
    return ""
