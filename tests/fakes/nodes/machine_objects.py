"""Node objects, and pods that are bound to them, as the scheduler and the kubelet write them."""

from waypost.ports.cluster import Kind, Obj

from tests.fakes.api.server import ApiServer
from tests.fakes.api.wire import copied


def report(server: ApiServer, machine: str, ready: str) -> None:
    """The condition Ready of a Node object, made when it is not there."""
    node = copied(server.storage.read(Kind.NODE, None, machine) or {})
    condition = {"type": "Ready", "status": ready, "lastTransitionTime": server.time()}
    node |= {"apiVersion": "v1", "kind": "Node", "status": {"conditions": [condition]}}
    node.setdefault("metadata", {"name": machine, "uid": f"machine-{machine}"})
    server.storage.write(Kind.NODE, node)


def bind(server: ApiServer, body: Obj, machine: str) -> None:
    """The scheduler has found a machine for a pod."""

    def change(pod: Obj) -> None:
        pod["spec"]["nodeName"] = machine

    metadata = body["metadata"]
    server.update(
        Kind.POD,
        namespace=metadata["namespace"],
        name=metadata["name"],
        change=change,
        by="kube-scheduler",
    )
