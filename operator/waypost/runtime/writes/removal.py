"""Removes objects that nothing uses, as long as nobody has changed them."""

import logging

from waypost.kube.objects import section, text
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound, Obj, Rejected

log = logging.getLogger(__name__)


async def remove_as_read(cluster: Cluster, kind: Kind, body: Obj) -> bool:
    """Delete an object that is still as it was read.

    A deletion that the API server refuses is logged: it must not hold up that of other objects.

    Args:
        cluster: Where.
        kind: The kind of the object.
        body: The object, or its metadata, as it was read.

    Returns:
        Whether it was deleted.

    Raises:
        ClusterError: The request failed.
    """
    metadata = section(body, "metadata")
    name = text(metadata, "name")
    try:
        await cluster.delete(
            kind,
            namespace=text(metadata, "namespace"),
            name=name,
            uid=text(metadata, "uid"),
            resource_version=text(metadata, "resourceVersion"),
        )
    except (NotFound, Conflict):
        return False
    except Rejected as error:
        log.warning("%s %s cannot be deleted: %s", kind.kind, name, error.message)
        return False
    return True
