"""Kubernetes Events, read live: why a thing does not come about, in the cluster's own words.

Hints and never evidence: Events are merged, expire, and may be lost. So nothing fails for one
that cannot be read.
"""

import logging

from waypost.kube import objects
from waypost.ports.cluster import Cluster, ClusterError, Kind
from waypost.runtime.cache.runs import version_of

log = logging.getLogger(__name__)


async def newest_event(cluster: Cluster, *, namespace: str, uid: str, reason: str) -> str:
    """The text of the newest Event with `reason` on the object with that uid; "" when there is
    none, or none can be read."""
    selector = f"involvedObject.uid={uid},reason={reason}"
    try:
        events = await cluster.list(Kind.EVENT, namespace=namespace, fields=selector)
    except ClusterError as error:
        log.info("events cannot be read: %s", error.message, extra={"namespace": namespace})
        return ""
    newest = max(events.items, key=version_of, default={})
    return objects.text(newest, "message")
