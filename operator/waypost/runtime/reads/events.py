"""Kubernetes Events, read live: why a Job has no pod, or a pod does not start.

They are hints: Events are merged, expire and may be lost. So no decision depends on one, and a
read that fails is only logged.
"""

import logging

from waypost.kube import objects
from waypost.ports.cluster import Cluster, ClusterError, Kind
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
    selector = f"involvedObject.uid={uid},reason={reason}"
    try:
        events = await cluster.list(Kind.EVENT, namespace=namespace, fields=selector)
    except ClusterError as error:
        log.info("events cannot be read: %s", error.message, extra={"namespace": namespace})
        return ""
    newest = max(events.items, key=version_of, default={})
    return objects.text(newest, "message")
