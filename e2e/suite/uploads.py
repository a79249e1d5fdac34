"""Attempts whose pods exist and never run, and what their tokens can do at the gateway.

Made by hand as operator and Job controller would make them, so that fifty cost no CPU: nobody
schedules the pods, and the Jobs are nobody's to look after.
"""

from dataclasses import dataclass
from typing import Final

from e2e.suite.kube import MERGE, Obj, path_of
from e2e.suite.space import Space

AUDIENCE: Final = "waypost-gateway"
MOMENT: Final = "2026-03-01T09:00:00Z"


@dataclass(frozen=True, slots=True)
class Attempt:
    """The current attempt of a node, and its pod."""

    space: Space
    node: str
    pod: Obj

    def token(self, *, audience: str = AUDIENCE, seconds: int = 3600) -> str:
        """A token as the kubelet projects it into the pod."""
        metadata = self.pod["metadata"]
        reference = {"kind": "Pod", "apiVersion": "v1"}
        reference |= {key: metadata[key] for key in ("name", "uid")}
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {
                "audiences": [audience],
                "expirationSeconds": seconds,
                "boundObjectRef": reference,
            },
        }
        path = path_of("serviceaccounts", self.space.name, "default", "token")
        token: str = self.space.kube.request("POST", path, body)["status"]["token"]
        return token


def under_way(space: Space, name: str, count: int) -> list[Attempt]:
    """A suspended run of `count` nodes, each with a running attempt."""
    nodes = [f"n{number}" for number in range(count)]
    source = {"source": "def run():\n    return 1\n"}
    run = space.create(
        "agentworkflows",
        {
            "apiVersion": "waypost.dev/v1alpha1",
            "kind": "AgentWorkflow",
            "metadata": {"name": name},
            "spec": {"suspend": True, "nodes": [{"name": n, "python": source} for n in nodes]},
        },
    )
    pods = [make_pod(space, run, node, name=f"{name}-{node}-x") for node in nodes]
    checkpoints = [
        {
            "path": node,
            "phase": "Running",
            "attempt": 1,
            "attempts": [{"number": 1, "job": f"{name}-{node}", "launchedAt": MOMENT}],
        }
        for node in nodes
    ]
    path = path_of("agentworkflows", space.name, name, "status")
    status = {"status": {"nodes": checkpoints}}
    space.kube.request("PATCH", path, status, content_type=MERGE)
    return [Attempt(space, node, pod) for node, pod in zip(nodes, pods, strict=True)]


def make_pod(space: Space, run: Obj, node: str, *, name: str, owned: bool = True) -> Obj:
    """A pod with the labels of attempt 1 of a node; `owned`: and with its Job as controller."""
    labels = {
        "waypost.dev/run": run["metadata"]["uid"],
        "waypost.dev/node": node,
        "waypost.dev/attempt": "1",
        "waypost.dev/round": "1",
    }
    metadata: Obj = {
        "name": name,
        "labels": labels,
        "annotations": {
            "waypost.dev/run-name": run["metadata"]["name"],
            "waypost.dev/path": node,
        },
    }
    block = {
        "name": "node",
        "image": "nobody/nothing",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "schedulerName": "nobody",
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [block],
    }
    if owned:
        job = space.create(
            "jobs",
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": f"{run['metadata']['name']}-{node}"},
                "spec": {"managedBy": "waypost.dev/e2e", "template": {"spec": spec}},
            },
        )
        owner = {"apiVersion": "batch/v1", "kind": "Job", "controller": True}
        owner |= {key: job["metadata"][key] for key in ("name", "uid")}
        metadata["ownerReferences"] = [owner]
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}
    return space.create("pods", body)
