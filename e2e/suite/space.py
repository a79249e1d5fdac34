"""One namespace of the cluster, and the runs in it."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from e2e.suite.build import Workflow
from e2e.suite.kube import MERGE, Kube, Obj, path_of
from e2e.suite.waiting import until

RUN_SECONDS = 60.0
LABEL_RUN = "waypost.dev/run"
LABEL_NODE = "waypost.dev/node"
FINALIZER = "waypost.dev/result"
APPROVERS = ("ann", "bob")  # have the approver's role in the namespaces of the suite


@dataclass(frozen=True, slots=True)
class Space:
    """A namespace."""

    kube: Kube
    name: str

    def start(self, workflow: Workflow) -> "Run":
        """Create the run, strictly: an unknown field is an error of the test."""
        made = self.create("agentworkflows", workflow.manifest())
        return Run(self, made["metadata"]["name"], made["metadata"]["uid"])

    def create(self, plural: str, manifest: Obj, *, by: str | None = None) -> Obj:
        """The object, stored. Raises ApiError."""
        path = path_of(plural, self.name)
        made: Obj = self.kube.request("POST", path, manifest, by=by, fieldValidation="Strict")
        return made

    def get(self, plural: str, name: str) -> Obj | None:
        return self.kube.get(path_of(plural, self.name, name))

    def all(self, plural: str, labels: str = "") -> list[Obj]:
        """The objects that carry these labels."""
        found: Obj = self.kube.request(
            "GET", path_of(plural, self.name), **({"labelSelector": labels} if labels else {})
        )
        items: list[Obj] = found["items"]
        return items

    def patch(
        self, plural: str, name: str, body: Obj, *, by: str | None = None, sub: str = ""
    ) -> Obj:
        """A merge patch of the object or of a subresource. Raises ApiError."""
        path = path_of(plural, self.name, name, sub)
        patched: Obj = self.kube.request("PATCH", path, body, by=by, content_type=MERGE)
        return patched

    def answer(self, approval: str, *, by: str = APPROVERS[0], **answer: Any) -> Obj:
        """Answer an Approval in the name of an approver: decision, answer, reason, votes. Raises
        ApiError."""
        named = {"decidedBy": by} if "decision" in answer else {}
        return self.patch("approvals", approval, {"spec": {**named, **answer}}, by=by)

    def delete(self, plural: str, name: str, *, grace: int | None = None) -> None:
        """In the background, as kubectl does. Raises ApiError."""
        options: Obj = {"propagationPolicy": "Background"}
        if grace is not None:
            options["gracePeriodSeconds"] = grace
        self.kube.request("DELETE", path_of(plural, self.name, name), options)

    def kubectl(self, *arguments: str) -> str:
        """What kubectl prints in this namespace; it has to succeed."""
        return self.kube.must("kubectl", "-n", self.name, *arguments)

    def empty(self) -> bool:
        """No run, no Job, no pod, no Approval is left."""
        kinds = ("agentworkflows", "jobs", "pods", "approvals", "noderecords")
        return not any(self.all(kind) for kind in kinds)


@dataclass(frozen=True, slots=True)
class Run:
    """A handle on one AgentWorkflow."""

    space: Space
    name: str
    uid: str

    def read(self) -> Obj:
        """The object as it is now."""
        found = self.space.get("agentworkflows", self.name)
        assert found is not None, f"run {self.name} is gone"
        return found

    def node(self, path: str) -> Obj:
        """The checkpoint of a node; empty before there is one."""
        return node_of(self.read(), path)

    def until(self, check: Callable[[Obj], Any], *, what: str, within: float = RUN_SECONDS) -> Obj:
        """The object as soon as `check` holds of it."""

        def look() -> Obj | None:
            found = self.read()
            return found if check(found) else None

        return until(look, within=within, what=f"{self.name}: {what}", seen=self.shown)

    def reaches(self, path: str, phase: str, *, within: float = RUN_SECONDS) -> Obj:
        """The checkpoint of a node once it has this phase."""
        seen = self.until(
            lambda found: node_of(found, path).get("phase") == phase,
            what=f"node {path} is {phase}",
            within=within,
        )
        return node_of(seen, path)

    def troubled(self, path: str, reason: str, *, within: float) -> Obj:
        """The checkpoint of a node once it names this reason, ended or not."""
        seen = self.until(
            lambda found: node_of(found, path).get("reason") == reason,
            what=f"node {path} says {reason}",
            within=within,
        )
        return node_of(seen, path)

    def finished(self, *, within: float = RUN_SECONDS) -> Obj:
        """The object once its condition Finished is True."""
        return self.until(
            lambda found: condition(found, "Finished").get("status") == "True",
            what="the run has finished",
            within=within,
        )

    def succeeded(self, *, within: float = RUN_SECONDS) -> Obj:
        """The object once it has finished, which must be with Succeeded=True."""
        seen = self.finished(within=within)
        assert condition(seen, "Succeeded")["status"] == "True", shown(seen)
        return seen

    def running_pod(self, path: str) -> Obj:
        """The pod of a node once its container runs."""
        return until(
            lambda: next((p for p in self.pods(path) if container_state(p, "running")), None),
            within=RUN_SECONDS,
            what=f"{self.name}: the container of {path} runs",
            seen=self.shown,
        )

    def pods(self, path: str | None = None) -> list[Obj]:
        return self.space.all("pods", self._labels(path))

    def jobs(self, path: str | None = None) -> list[Obj]:
        return self.space.all("jobs", self._labels(path))

    def approvals(self) -> list[Obj]:
        return self.space.all("approvals", self._labels(None))

    def set(self, **spec: Any) -> None:
        """Patch fields of the spec."""
        self.space.patch("agentworkflows", self.name, {"spec": spec})

    def opened(self, path: str) -> str:
        """Name of the Approval a gate waits for, once it exists."""
        name: str = self.reaches(path, "Waiting")["approval"]
        until(
            lambda: self.space.get("approvals", name),
            within=10,
            what=f"Approval {name} exists",
        )
        return name

    def answer(self, path: str, **answer: Any) -> None:
        """Answer the Approval of a gate as ann: decision, answer, reason."""
        self.space.answer(self.opened(path), **answer)

    def shown(self) -> str:
        """The status and the children, for a failure message."""
        children = [
            {"name": pod["metadata"]["name"], "status": pod.get("status", {}).get("phase")}
            for pod in self.pods()
        ]
        return f"{shown(self.read())}\npods: {json.dumps(children)}"

    def _labels(self, path: str | None) -> str:
        of_node = f",{LABEL_NODE}={path}" if path else ""
        return f"{LABEL_RUN}={self.uid}{of_node}"


def allow_approvers(kube: Kube, namespace: str) -> None:
    """What the administrator of a namespace grants to those who answer its approvals."""
    group = "rbac.authorization.k8s.io"
    body = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "approvers"},
        "roleRef": {"apiGroup": group, "kind": "ClusterRole", "name": "waypost-approver"},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user} for user in APPROVERS],
    }
    kube.request("POST", path_of("rolebindings", namespace), body)


@contextmanager
def temporary(kube: Kube, prefix: str, labels: Mapping[str, str] | None = None) -> Iterator[Space]:
    """A namespace with approvers that lasts as long as the context."""
    name = f"{prefix}-{uuid.uuid4().hex[:6]}"
    metadata = {"name": name, "labels": dict(labels or {})}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
    kube.request("POST", "/api/v1/namespaces", body)
    allow_approvers(kube, name)
    try:
        yield Space(kube, name)
    finally:
        kube.request("DELETE", f"/api/v1/namespaces/{name}")


def node_of(run: Obj, path: str) -> Obj:
    """The checkpoint of a node in a run's status; empty before there is one."""
    nodes = run.get("status", {}).get("nodes", [])
    return next((node for node in nodes if node["path"] == path), {})


def phases(run: Obj) -> dict[str, str]:
    """Phase by node."""
    return {node["path"]: node["phase"] for node in run.get("status", {}).get("nodes", [])}


def condition(obj: Obj, type_: str) -> Obj:
    """One condition; empty before it is set."""
    conditions = obj.get("status", {}).get("conditions", [])
    return next((c for c in conditions if c["type"] == type_), {})


def container_state(pod: Obj, state: str) -> Obj | None:
    """The state `running`, `waiting` or `terminated` of a pod's container, if it is in it."""
    for status in pod.get("status", {}).get("containerStatuses", []):
        found: Obj | None = status["state"].get(state)
        if found is not None:
            return found
    return None


def shown(run: Obj) -> str:
    """A run's status, readable."""
    return json.dumps(run.get("status", {}), indent=1)
