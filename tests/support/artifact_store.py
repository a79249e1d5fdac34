"""A gateway in a test: it records what the current attempt of a pod stores (S291, S292)."""

from waypost.api import meta
from waypost.api.checkpoints import checkpoint_of
from waypost.api.status import AgentWorkflowStatus
from waypost.kube import node_records
from waypost.kube.objects import section
from waypost.kube.payloads import AttemptRef
from waypost.ports.cluster import AlreadyExists, Kind, Obj
from waypost.protocol.artifacts.request import Content

from tests.fakes.nodes.programs import PodView
from tests.support.harness import NAMESPACE, World


def store(world: World, pod: PodView, made: Content, *, name: str = "repo") -> None:
    """Record an artifact of the attempt of a pod, if the attempt is current."""
    runs = world.all(Kind.AGENT_WORKFLOW)
    run = next((one for one in runs if one["metadata"]["uid"] == pod.run_uid), None)
    if run is None or not _is_current(run, pod):
        return
    title = run["metadata"]["name"]
    owner = {
        "apiVersion": meta.API_VERSION,
        "kind": "AgentWorkflow",
        "name": title,
        "uid": pod.run_uid,
        "controller": True,
    }
    body = node_records.artifact(
        AttemptRef(title, pod.run_uid, pod.path, pod.round, pod.attempt),
        name,
        made,
        place={"compressedBytes": 1},
        form={"compressed": "eA=="},
        owner=owner,
        namespace=NAMESPACE,
    )
    try:
        world.cluster.server.create(Kind.NODE_RECORD, namespace=NAMESPACE, body=body, by="gateway")
    except AlreadyExists:  # another pod of this attempt, with the same content
        return


def _is_current(run: Obj, pod: PodView) -> bool:
    status = AgentWorkflowStatus.model_validate(section(run, "status"))
    found = checkpoint_of(status.nodes, pod.path)
    return found is not None and found.number == pod.attempt and found.is_running
