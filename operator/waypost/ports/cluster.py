"""The door to Kubernetes: what the runtime may ask of a cluster, and how it can fail.

Two implementations meet one contract suite (tests/contract): `adapters.kube` over HTTP and the
strict in-memory cluster of the tests.

    ClusterError
    ├── NotFound          404: the object or its namespace does not exist
    ├── Conflict          409: stale resourceVersion, or a precondition failed
    ├── AlreadyExists     409: the name is taken
    ├── Rejected          400, 403, 405, 413, 415, 422: will be refused again as it is
    │   └── RefusedForNow 403 for a reason that is not in the request: may pass later
    │       └── QuotaExceeded  403 "exceeded quota"
    ├── Busy              429: try again after `retry_after` seconds
    └── Unavailable       5xx, timeouts, broken connections: the outcome is unknown
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

Obj = dict[str, Any]


class Kind(Enum):
    """The kinds that operator and gateway touch: (API group and version, plural, Kind)."""

    AGENT_WORKFLOW = ("waypost.dev/v1alpha1", "agentworkflows", "AgentWorkflow")
    APPROVAL = ("waypost.dev/v1alpha1", "approvals", "Approval")
    NODE_RECORD = ("waypost.dev/v1alpha1", "noderecords", "NodeRecord")
    MODEL_PROVIDER = ("waypost.dev/v1alpha1", "modelproviders", "ModelProvider")
    TOOL_SERVER = ("waypost.dev/v1alpha1", "toolservers", "ToolServer")
    JOB = ("batch/v1", "jobs", "Job")
    POD = ("v1", "pods", "Pod")
    CONFIG_MAP = ("v1", "configmaps", "ConfigMap")
    EVENT = ("v1", "events", "Event")
    NAMESPACE = ("v1", "namespaces", "Namespace")
    LEASE = ("coordination.k8s.io/v1", "leases", "Lease")
    NODE = ("v1", "nodes", "Node")
    TOKEN_REVIEW = ("authentication.k8s.io/v1", "tokenreviews", "TokenReview")

    @property
    def api_version(self) -> str:
        return self.value[0]

    @property
    def plural(self) -> str:
        return self.value[1]

    @property
    def kind(self) -> str:
        return self.value[2]


class PatchType(Enum):
    """How a patch body is to be read, by its content type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Listing:
    """A complete list (all pages) and the resourceVersion it stands for."""

    items: tuple[Obj, ...]
    resource_version: str


class ClusterError(Exception):
    """A request that did not succeed. `message` is the cluster's own text."""

    def __init__(self, message: str, *, code: int | None = None, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason


class NotFound(ClusterError):
    """The object or its namespace does not exist."""


class Conflict(ClusterError):
    """Stale resourceVersion, or a precondition failed."""


class AlreadyExists(ClusterError):
    """The name is taken."""


class Rejected(ClusterError):
    """Refused for good: the same request will be refused again."""


class RefusedForNow(Rejected):
    """Refused for a reason outside the request: may pass without a change of it."""


class QuotaExceeded(RefusedForNow):
    """Refused by a ResourceQuota: may pass once others are gone."""


class Busy(ClusterError):
    """The API server asks to slow down."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, code=429, reason="TooManyRequests")
        self.retry_after = retry_after


class Unavailable(ClusterError):
    """No usable answer: a write may or may not have happened."""


class Cluster(Protocol):
    """Every method is one request (lists: one per page), bounded in time to 10 seconds, and
    raises a ClusterError. Writes are never retried inside: only the caller knows whether its
    fence still stands."""

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj: ...

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
    ) -> Listing:
        """A live read (quorum, never from the watch cache). `labels` and `fields` are selector
        texts; namespace None means all namespaces the operator may see."""
        ...

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        """POST with fieldValidation=Strict. Raises AlreadyExists, Rejected. `namespace` is "" for
        kinds without one; a TokenReview is answered and not kept."""
        ...

    async def patch(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        body: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        patch_type: PatchType,
        subresource: str = "",
    ) -> Obj:
        """PATCH with fieldValidation=Strict; `subresource` is "" or "status".

        A JSON Patch whose first operation replaces /metadata/resourceVersion with a stale value
        raises Conflict. A `test` operation that fails raises Rejected (422)."""
        ...

    async def delete(
        self,
        kind: Kind,
        *,
        namespace: str,
        name: str,
        uid: str | None = None,
        resource_version: str | None = None,
        propagation: str = "Background",
    ) -> None:
        """DELETE; uid and resource_version are preconditions (Conflict when they differ)."""
        ...

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> str:
        """The end of a container's log; NotFound when there is none (any more)."""
        ...
