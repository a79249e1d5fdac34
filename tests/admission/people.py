"""Who sends the requests, and a connection on which the administrator sends them in their names."""

import http.client
import json
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tests.crds.server import Said

Obj = dict[str, Any]

MERGE: Final = "application/merge-patch+json"
JSON: Final = "application/json"
APPLY: Final = "application/apply-patch+yaml"  # JSON is YAML
_IDLE: Final = 30.0  # seconds; the API server closes a connection that is idle for 90 s
_SEGMENTS: Final = {
    "agentworkflows": "/apis/waypost.dev/v1alpha1",
    "agentworkflowschedules": "/apis/waypost.dev/v1alpha1",
    "approvals": "/apis/waypost.dev/v1alpha1",
    "memoryentries": "/apis/waypost.dev/v1alpha1",
    "modelproviders": "/apis/waypost.dev/v1alpha1",
    "noderecords": "/apis/waypost.dev/v1alpha1",
    "jobs": "/apis/batch/v1",
    "networkpolicies": "/apis/networking.k8s.io/v1",
    "persistentvolumeclaims": "/api/v1",
    "serviceaccounts": "/api/v1",
    "pods": "/api/v1",
    "roles": "/apis/rbac.authorization.k8s.io/v1",
    "rolebindings": "/apis/rbac.authorization.k8s.io/v1",
}
_CLUSTER_WIDE: Final = {
    "ClusterRole": "clusterroles",
    "ClusterRoleBinding": "clusterrolebindings",
    "ValidatingAdmissionPolicy": "validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": "validatingadmissionpolicybindings",
    "MutatingAdmissionPolicy": "mutatingadmissionpolicies",
    "MutatingAdmissionPolicyBinding": "mutatingadmissionpolicybindings",
    "MutatingWebhookConfiguration": "mutatingwebhookconfigurations",
}


@dataclass(frozen=True)
class Person:
    """A user as the API server sees one."""

    name: str
    groups: tuple[str, ...] = ()


@dataclass
class Api:
    """A connection that stays open. Without a person a request is the administrator's."""

    link: http.client.HTTPSConnection
    authorization: str | None
    used_at: float = 0.0  # monotonic

    @classmethod
    def to(cls, host: str, trust: ssl.SSLContext, authorization: str | None) -> "Api":
        """A connection to this host."""
        return cls(http.client.HTTPSConnection(host, context=trust, timeout=60), authorization)

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        by: Person | None = None,
        content_type: str = JSON,
    ) -> Said:
        """What the API server answers."""
        if time.monotonic() - self.used_at > _IDLE:
            self.link.close()  # the next request connects again
        self.link.putrequest(method, path)
        sent = b"" if body is None else json.dumps(body).encode()
        headers = [("Content-Type", content_type), ("Content-Length", str(len(sent)))]
        if self.authorization:
            headers.append(("Authorization", self.authorization))
        if by is not None:
            headers.append(("Impersonate-User", by.name))
            headers += [("Impersonate-Group", group) for group in by.groups]
        for name, value in headers:
            self.link.putheader(name, value)
        self.link.endheaders(sent)
        answer = self.link.getresponse()
        found = json.loads(answer.read())
        self.used_at = time.monotonic()
        return Said(answer.status, found["message"] if answer.status >= 400 else "", found)


@dataclass
class Place:
    """A namespace, in which a person acts."""

    api: Api
    namespace: str

    def create(
        self, plural: str, body: Obj, *, by: Person | None = None, dry: bool = False
    ) -> Said:
        """Create it; `dry`: the API server only says what it would do."""
        query = "?dryRun=All" if dry else ""
        return self.api.ask("POST", f"{self._path(plural)}{query}", body, by=by)

    def patch(
        self, plural: str, name: str, body: Obj, *, by: Person | None = None, sub: str = ""
    ) -> Said:
        """A merge patch of the object or of one of its subresources."""
        path = "/".join(part for part in (self._path(plural), name, sub) if part)
        return self.api.ask("PATCH", path, body, by=by, content_type=MERGE)

    def apply(self, plural: str, body: Obj, *, by: Person) -> Said:
        """A server-side apply, as GitOps tools send it."""
        path = f"{self._path(plural)}/{body['metadata']['name']}?fieldManager=git"
        return self.api.ask("PATCH", path, body, by=by, content_type=APPLY)

    def replace(self, plural: str, body: Obj, *, by: Person) -> Said:
        """Put a whole object in the place of the stored one."""
        path = f"{self._path(plural)}/{body['metadata']['name']}"
        return self.api.ask("PUT", path, body, by=by)

    def delete(self, plural: str, name: str, *, by: Person | None = None) -> Said:
        """Delete it; nothing is deleted, the API server only says what it would do."""
        return self.api.ask("DELETE", f"{self._path(plural)}/{name}?dryRun=All", by=by)

    def must(self, said: Said) -> Obj:
        """The object of an answer that has to be a success."""
        assert not said.refused, said.text
        return said.body

    def _path(self, plural: str) -> str:
        return f"{_SEGMENTS[plural]}/namespaces/{self.namespace}/{plural}"


def path_of(manifest: Obj) -> str:
    """Where an object of the chart is created."""
    kind = manifest["kind"]
    if kind in _CLUSTER_WIDE:
        return f"/apis/{manifest['apiVersion']}/{_CLUSTER_WIDE[kind]}"
    plural = f"{kind.lower()}s"
    return f"{_SEGMENTS[plural]}/namespaces/{manifest['metadata']['namespace']}/{plural}"


def role(name: str, group: str, resources: Sequence[str], verbs: Sequence[str]) -> Obj:
    """A Role of one rule."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name},
        "rules": [{"apiGroups": [group], "resources": list(resources), "verbs": list(verbs)}],
    }


def binding(name: str, to: tuple[str, str], *subjects: Person | str) -> Obj:
    """A RoleBinding of `to` (kind and name of the role) to people and, as text, groups."""
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": {"apiGroup": api, "kind": to[0], "name": to[1]},
        "subjects": [
            {
                "apiGroup": api,
                "kind": "User" if isinstance(one, Person) else "Group",
                "name": one.name if isinstance(one, Person) else one,
            }
            for one in subjects
        ],
    }
