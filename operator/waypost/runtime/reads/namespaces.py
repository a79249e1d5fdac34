"""Whether a namespace is being deleted, read live."""

from waypost.kube import objects
from waypost.ports.cluster import Cluster, Kind, NotFound


async def is_terminating(cluster: Cluster, namespace: str) -> bool:
    """Whether the namespace is terminating or gone. Raises ClusterError."""
    try:
        body = await cluster.get(Kind.NAMESPACE, namespace=None, name=namespace)
    except NotFound:
        return True
    return objects.text(objects.section(body, "status"), "phase") == "Terminating"
