"""Releases every pod and child run that waits to be read, before the operator is removed."""

from collections.abc import Callable, Collection

from waypost.api.meta import FINALIZER_CHILD, FINALIZER_RESULT, LABEL_PARENT, LABEL_RUN
from waypost.ports.cluster import Cluster, ClusterError, Kind, NotFound, Obj, PatchType

# A strategic merge patch can delete one entry. A merge patch has the whole list, and would restore
# entries that others have removed meanwhile.
RELEASE_PATCH: Obj = {"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER_RESULT]}}


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


async def release_children(
    *, cluster: Cluster, namespaces: Collection[str], say: Callable[[str], None]
) -> int:
    """Release all child runs that are held, as `release_pods` does with pods."""
    released = failed = 0
    for namespace in namespaces or (None,):
        try:
            listing = await cluster.list(
                Kind.AGENT_WORKFLOW, namespace=namespace, labels=LABEL_PARENT
            )
        except ClusterError as error:
            say(f"cannot list runs in {namespace or 'all namespaces'}: {error}")
            failed += 1
            continue
        for run in listing.items:
            metadata = run["metadata"]
            finalizers = metadata.get("finalizers") or []
            if FINALIZER_CHILD not in finalizers:
                continue
            problem = await _release_child(cluster, metadata)
            released, failed = released + (not problem), failed + bool(problem)
            say(f"{problem or 'released'}: run {metadata['namespace']}/{metadata['name']}")
    if released or failed:
        say(f"{released} child runs released, {failed} problems")
    return failed


async def _release_child(cluster: Cluster, metadata: Obj) -> str:
    """As `_release`. Nothing is taken off that others have changed meanwhile."""
    left = [one for one in metadata["finalizers"] if one != FINALIZER_CHILD]
    version = metadata["resourceVersion"]
    try:
        await cluster.patch(
            Kind.AGENT_WORKFLOW,
            namespace=metadata["namespace"],
            name=metadata["name"],
            body={"metadata": {"resourceVersion": version, "finalizers": left}},
            patch_type=PatchType.MERGE,
        )
    except NotFound:
        return ""
    except ClusterError as error:
        return f"not released ({error})"
    return ""


async def _release(cluster: Cluster, namespace: str, name: str) -> str:
    """What went wrong; "" if nothing did, or the pod no longer exists."""
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
