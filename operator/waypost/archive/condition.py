"""Writes the condition Archived, and nothing else, to the status of a run."""

from datetime import datetime
from typing import Final

from waypost.api.meta import Condition, ConditionReason
from waypost.kube.objects import items, section, text
from waypost.kube.timestamps import timestamp
from waypost.ports.cluster import Cluster, Kind, Obj, PatchType

_LIST: Final = "/status/conditions"


async def mark(cluster: Cluster, run: Obj, *, digest: str, now: datetime) -> None:
    """Set the condition Archived of a run, as long as it is as it was read.

    Args:
        cluster: Where.
        run: The run as it was read.
        digest: That of its document.
        now: The time.

    Raises:
        Conflict: It has changed since.
        NotFound: It no longer exists.
        ClusterError: The request failed.
    """
    metadata = section(run, "metadata")
    await cluster.patch(
        Kind.AGENT_WORKFLOW,
        namespace=text(metadata, "namespace"),
        name=text(metadata, "name"),
        body=_patch(run, digest, now),
        patch_type=PatchType.JSON,
        subresource="status",
    )


def _patch(run: Obj, digest: str, now: datetime) -> list[Obj]:
    metadata = section(run, "metadata")
    generation = metadata.get("generation")
    condition = {
        "type": Condition.ARCHIVED,
        "status": "True",
        "reason": ConditionReason.ARCHIVED,
        "message": f"the archive keeps the run: {digest}",
        "observedGeneration": generation if isinstance(generation, int) else 1,
        "lastTransitionTime": timestamp(now),
    }
    fence = [
        {"op": "test", "path": "/metadata/uid", "value": text(metadata, "uid")},
        {
            "op": "replace",
            "path": "/metadata/resourceVersion",
            "value": text(metadata, "resourceVersion"),
        },
    ]
    types = [one.get("type") for one in items(run, "status", "conditions")]
    if Condition.ARCHIVED in types:
        at = types.index(Condition.ARCHIVED)
        return [*fence, {"op": "replace", "path": f"{_LIST}/{at}", "value": condition}]
    place = f"{_LIST}/-" if types else _LIST
    return [*fence, {"op": "add", "path": place, "value": condition if types else [condition]}]
