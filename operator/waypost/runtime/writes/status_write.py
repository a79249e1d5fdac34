"""Writes the status of an object that has no children to write before it."""

from collections.abc import Mapping
from typing import Any

from waypost.api.base import StatusModel
from waypost.ports.cluster import Cluster, Kind, Obj, PatchType
from waypost.runtime.writes.status_patch import status_patch


async def write_status(
    cluster: Cluster,
    kind: Kind,
    *,
    namespace: str,
    name: str,
    body: Mapping[str, Any],
    resource_version: str,
    status: StatusModel,
) -> Obj:
    """Write a status, as long as nobody has changed the object.

    Args:
        cluster: Where.
        kind: The kind of the object.
        namespace: Its namespace.
        name: Its name.
        body: The object as it was read; an empty one replaces the whole status.
        resource_version: Of the object as it was read.
        status: The status to write.

    Returns:
        The object as it is stored.

    Raises:
        NotFound: The object no longer exists.
        Conflict: It has changed since it was read.
        ClusterError: The request failed.
    """
    return await cluster.patch(
        kind,
        namespace=namespace,
        name=name,
        body=status_patch(body=body, resource_version=resource_version, status=status),
        patch_type=PatchType.JSON,
        subresource="status",
    )
