"""The API server as the tests of the CRDs ask it: over HTTP, because a process of kubectl takes
longer than the answer. kubectl asks the server for the validation of fields too, in the same way.
"""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tests.crds.manifests import Manifest

PLURALS: Final = {
    "AgentWorkflow": "agentworkflows",
    "AgentWorkflowTemplate": "agentworkflowtemplates",
    "AgentWorkflowSchedule": "agentworkflowschedules",
    "WorkflowEvent": "workflowevents",
    "EventSource": "eventsources",
    "MemoryEntry": "memoryentries",
    "Approval": "approvals",
    "NodeRecord": "noderecords",
    "ModelProvider": "modelproviders",
    "ToolServer": "toolservers",
}
_PATCHES: Final = {
    "merge": "application/merge-patch+json",
    "json": "application/json-patch+json",
}


@dataclass(frozen=True)
class Said:
    """An answer: `text` is what is wrong, "" when nothing is; `body` is the object."""

    code: int
    text: str
    body: dict[str, Any]

    @property
    def refused(self) -> bool:
        return self.code >= 400


class Server:
    """A connection that stays open, in one namespace."""

    def __init__(
        self, *, host: str, trust: ssl.SSLContext, authorization: str | None, namespace: str
    ) -> None:
        self._host = host
        self._link = http.client.HTTPSConnection(host, context=trust, timeout=60)
        self._headers = {"Authorization": authorization} if authorization else {}
        self._base = f"/apis/waypost.dev/v1alpha1/namespaces/{namespace}"

    def try_to_create(self, manifest: Manifest, *, strict: bool = True) -> Said:
        """What the server says of it, which it does not keep. `strict`: unknown fields are errors,
        otherwise they are dropped."""
        fields = "Strict" if strict else "Ignore"
        path = f"/{PLURALS[manifest['kind']]}?dryRun=All&fieldValidation={fields}"
        return self._ask("POST", path, manifest, "application/json")

    def create(self, manifest: Manifest) -> str:
        """Keep it; returns plural/name."""
        plural = PLURALS[manifest["kind"]]
        path = f"/{plural}?fieldValidation=Strict"
        said = self._ask("POST", path, manifest, "application/json")
        assert not said.refused, said.text
        return f"{plural}/{manifest['metadata']['name']}"

    def patch(
        self, reference: str, patch: object, *, status: bool = False, kind: str = "merge"
    ) -> Said:
        """Change what stands under plural/name, or its status."""
        path = f"/{reference}/status" if status else f"/{reference}"
        return self._ask("PATCH", path, patch, _PATCHES[kind])

    def read(self, reference: str) -> dict[str, Any]:
        """The object under plural/name."""
        said = self._ask("GET", f"/{reference}", None, "application/json")
        assert not said.refused, said.text
        return said.body

    def _ask(self, method: str, path: str, body: object, content_type: str) -> Said:
        headers: Mapping[str, str] = {**self._headers, "Content-Type": content_type}
        sent = None if body is None else json.dumps(body).encode()
        self._link.request(method, self._base + path, body=sent, headers=headers)
        answer = self._link.getresponse()
        found = json.loads(answer.read())
        return Said(answer.status, found["message"] if answer.status >= 400 else "", found)

    def close(self) -> None:
        """Close the connection."""
        self._link.close()
