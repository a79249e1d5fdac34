"""Kubernetes Events, read live: why a thing does not come about, in the cluster's own words.

Hints and never evidence: Events are merged, expire, and may be lost.
"""

from waypost.engine import facts
from waypost.ports.cluster import Cluster, Kind
from waypost.runtime.store import version_of


async def newest_event(cluster: Cluster, *, namespace: str, uid: str, reason: str) -> str:
    """The text of the newest Event with `reason` on the object with that uid, or "". Raises
    ClusterError."""
    selector = f"involvedObject.uid={uid},reason={reason}"
    events = await cluster.list(Kind.EVENT, namespace=namespace, fields=selector)
    newest = max(events.items, key=version_of, default={})
    return facts.text(newest, "message")
