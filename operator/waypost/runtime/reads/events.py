"""Kubernetes Events, read live: why a Job has no pod, or a pod does not start.

They are hints: Events are merged, expire and may be lost. So no decision depends on one, and a
read that fails is only logged.
"""

import logging

from waypost.kube import objects
from waypost.ports.cluster import Cluster, ClusterError, Kind, Obj
from waypost.runtime.cache.newest import version_of

log = logging.getLogger(__name__)


async def newest_event(cluster: Cluster, *, namespace: str, uid: str, reason: str) -> str:
    """The message of the newest Event on an object.

    Args:
        cluster: Where to read.
        namespace: The object's namespace.
        uid: The object's uid.
        reason: The Event's reason, such as FailedMount.

    Returns:
        The message; "" when there is no such Event or Events cannot be read.
    """
    events = await _listed(cluster, namespace, f"involvedObject.uid={uid},reason={reason}")
    return objects.text(events[-1], "message") if events else ""


async def events_of(cluster: Cluster, *, namespace: str, uid: str) -> list[Obj]:
    """All Events on an object, the newest last; [] when Events cannot be read."""
    return await _listed(cluster, namespace, f"involvedObject.uid={uid}")


async def _listed(cluster: Cluster, namespace: str, selector: str) -> list[Obj]:
    try:
        events = await cluster.list(Kind.EVENT, namespace=namespace, fields=selector)
    except ClusterError as error:
        log.info("events cannot be read: %s", error.message, extra={"namespace": namespace})
        return []
    return sorted(events.items, key=version_of)
