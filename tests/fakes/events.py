"""Events that the kubelet writes about pods."""

from waypost.ports.cluster import ClusterError, Kind, Obj

from tests.fakes.api.server import ApiServer


def post_event(
    server: ApiServer, body: Obj, reason: str, message: str, *, type_: str = "Warning"
) -> None:
    """Write an Event about a pod. One that cannot be written is lost."""
    metadata = body["metadata"]
    about = {key: metadata[key] for key in ("name", "namespace", "uid")}
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{metadata['name']}.{reason.lower()}"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", **about},
        "reason": reason,
        "type": type_,
        "message": message,
        "source": {"component": "kubelet"},
    }
    try:
        server.create(Kind.EVENT, namespace=metadata["namespace"], body=event, by="kubelet")
    except ClusterError:
        return  # an Event that cannot be written is lost
