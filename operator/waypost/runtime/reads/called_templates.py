"""Live reads of the templates that the nodes of a run call, for the check before it is accepted."""

from typing import Final

from waypost.api.base import JsonObject
from waypost.api.template.parent import MAX_LEVELS
from waypost.compiler.calls import called_templates
from waypost.kube import objects
from waypost.ports.cluster import Cluster, ClusterError, Kind

_MOST: Final = 20  # reads for one run; calls of other templates are checked by the child runs


async def read_called(
    cluster: Cluster, namespace: str, fields: JsonObject, *, deep: bool
) -> dict[str, JsonObject]:
    """The `spec` of the templates that a body calls, by name.

    Args:
        cluster: Where they are read.
        namespace: That of the run.
        fields: The body.
        deep: Also those that these call, so that recursion is found.

    Returns:
        Those that exist and could be read. The others are not checked before their child run is
        accepted: a run does not wait for a template that a later node may call.
    """
    found: dict[str, JsonObject] = {}
    asked: set[str] = set()
    bodies = [fields]
    for _ in range(MAX_LEVELS if deep else 1):
        names = dict.fromkeys(name for body in bodies for _, name in called_templates(body))
        waiting = [name for name in names if name not in asked][: _MOST - len(asked)]
        bodies = []
        for name in waiting:
            asked.add(name)
            try:
                body = await cluster.get(
                    Kind.AGENT_WORKFLOW_TEMPLATE, namespace=namespace, name=name
                )
            except (ClusterError, TimeoutError):
                continue
            found[name] = objects.section(body, "spec")
            bodies.append(found[name])
    return found
