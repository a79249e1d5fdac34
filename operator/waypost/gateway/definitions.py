"""The definition of a caller's run: its spec, or what it took from its template."""

from waypost.api.base import JsonObject
from waypost.gateway.authentication import Caller
from waypost.gateway.refusals import RefusalReason, Refused
from waypost.kube import node_records
from waypost.kube.objects import section
from waypost.kube.objects import text as text_of
from waypost.ports.cluster import Cluster, Kind, NotFound


async def definition_of(cluster: Cluster, caller: Caller) -> JsonObject:
    """The nodes of the caller's run.

    Raises:
        Refused: The record of the definition does not exist or is damaged.
        ClusterError: It cannot be read.
    """
    pin = section(caller.run, "status", "template")
    if not pin:
        return section(caller.run, "spec")
    name, digest = text_of(pin, "record"), text_of(pin, "digest")
    try:
        body = await cluster.get(Kind.NODE_RECORD, namespace=caller.pod.namespace, name=name)
    except NotFound:
        text = f"NodeRecord {name} with the definition of the run does not exist"
        raise Refused(RefusalReason.NOT_CURRENT, text) from None
    fact = node_records.record_fact(body, limit=node_records.LARGEST)
    if fact.problem or fact.payload.digest != digest or not isinstance(fact.payload.value, dict):
        text = f"NodeRecord {name} does not hold the definition of the run"
        raise Refused(RefusalReason.DAMAGED, text)
    return fact.payload.value
