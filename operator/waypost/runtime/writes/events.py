"""Writes the status of a WorkflowEvent for a run that claims or refuses it."""

from waypost.engine.state.decision import SettleEvent
from waypost.ports.cluster import Cluster, Conflict, Kind, NotFound
from waypost.runtime.writes.status_write import write_status


async def settle_event(cluster: Cluster, namespace: str, action: SettleEvent) -> None:
    """Write it under its resourceVersion. The result comes into the cache by the watch, which also
    wakes the loop that looks what becomes of the claim.

    Raises:
        Conflict: The event has changed, or is gone: look again.
        ClusterError: The request failed.
    """
    try:
        await write_status(
            cluster,
            Kind.WORKFLOW_EVENT,
            namespace=namespace,
            name=action.name,
            body={},
            resource_version=action.resource_version,
            status=action.status,
        )
    except NotFound as error:
        raise Conflict(error.message, code=409) from error
