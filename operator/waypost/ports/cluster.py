"""Requests to the API server: what the runtime may send, and the errors it may get.

One contract suite (tests/contract) tests both implementations: `adapters.kube` over HTTP and the
in-memory cluster of the tests. Codes and reasons are those of the Kubernetes API conventions.

    ClusterError
    ├── NotFound          404: the object or its namespace does not exist
    ├── Conflict          409: stale resourceVersion, or a precondition failed
    ├── AlreadyExists     409: the name is taken
    ├── Rejected          400, 403, 405, 413, 415, 422: the same request will fail again
    │   └── RefusedForNow 403 for a reason that is not in the request: may pass later
    │       └── QuotaExceeded  403 "exceeded quota"
    ├── Busy              429: try again after `retry_after` seconds
    └── Unavailable       5xx, timeouts, broken connections: the outcome is unknown
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

from waypost.api import meta
from waypost.api.meta import ResourceName

Obj = dict[str, Any]


class Kind(Enum):
    """The kinds that operator, gateways and command line touch."""

    AGENT_WORKFLOW = meta.AGENT_WORKFLOW
    AGENT_WORKFLOW_TEMPLATE = meta.AGENT_WORKFLOW_TEMPLATE
    AGENT_WORKFLOW_SCHEDULE = meta.AGENT_WORKFLOW_SCHEDULE
    WORKFLOW_EVENT = meta.WORKFLOW_EVENT
    EVENT_SOURCE = meta.EVENT_SOURCE
    MEMORY_ENTRY = meta.MEMORY_ENTRY
    APPROVAL = meta.APPROVAL
    NODE_RECORD = meta.NODE_RECORD
    MODEL_PROVIDER = meta.MODEL_PROVIDER
    TOOL_SERVER = meta.TOOL_SERVER
    JOB = ResourceName("batch/v1", "jobs", "Job")
    POD = ResourceName("v1", "pods", "Pod")
    SECRET = ResourceName("v1", "secrets", "Secret")  # by the model gateway and the ingress alone
    CONFIG_MAP = ResourceName("v1", "configmaps", "ConfigMap")
    CLAIM = ResourceName("v1", "persistentvolumeclaims", "PersistentVolumeClaim")
    EVENT = ResourceName("v1", "events", "Event")
    NAMESPACE = ResourceName("v1", "namespaces", "Namespace")
    LEASE = ResourceName("coordination.k8s.io/v1", "leases", "Lease")
    NETWORK_POLICY = ResourceName("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy")
    # Of Kueue, which serves one of the versions, or both.
    WORKLOAD = ResourceName("kueue.x-k8s.io/v1beta2", "workloads", "Workload")
    WORKLOAD_V1BETA1 = ResourceName("kueue.x-k8s.io/v1beta1", "workloads", "Workload")
    NODE = ResourceName("v1", "nodes", "Node")
    SERVICE_ACCOUNT = ResourceName("v1", "serviceaccounts", "ServiceAccount")
    ADMISSION_POLICY = ResourceName(
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicies",
        "ValidatingAdmissionPolicy",
    )
    ADMISSION_BINDING = ResourceName(
        "admissionregistration.k8s.io/v1",
        "validatingadmissionpolicybindings",
        "ValidatingAdmissionPolicyBinding",
    )
    WEBHOOK_CONFIGURATION = ResourceName(  # by the admission webhook alone
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        "MutatingWebhookConfiguration",
    )
    TOKEN_REVIEW = ResourceName("authentication.k8s.io/v1", "tokenreviews", "TokenReview")
    SELF_SUBJECT_REVIEW = ResourceName(
        "authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview"
    )
    SELF_SUBJECT_ACCESS_REVIEW = ResourceName(
        "authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview"
    )

    @property
    def api_version(self) -> str:
        """Group and version, such as `batch/v1`."""
        return self.value.api_version

    @property
    def plural(self) -> str:
        """The name in URLs, such as `jobs`."""
        return self.value.plural

    @property
    def kind(self) -> str:
        """The name in manifests, such as `Job`."""
        return self.value.kind


class PatchType(Enum):
    """The format of a patch body, as its content type."""

    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Listing:
    """A complete list (all pages), and its own resourceVersion."""

    items: tuple[Obj, ...]
    resource_version: str


class ClusterError(Exception):
    """A request failed.

    Attributes:
        message: The text of the API server, or of the connection's error.
        code: The HTTP status; None when there was no response.
        reason: The `reason` of the Status object, or "".
    """

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
    """The API server refused the request, and will refuse the same one again."""


class RefusedForNow(Rejected):
    """Refused for a reason outside the request: the same request may succeed later."""


class QuotaExceeded(RefusedForNow):
    """A ResourceQuota refused the request: it may succeed when other objects are gone."""


class Busy(ClusterError):
    """The API server asks for fewer requests; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: float = 1.0) -> None:
        super().__init__(message, code=429, reason="TooManyRequests")
        self.retry_after = retry_after


class Unavailable(ClusterError):
    """No usable response: a write may or may not have happened."""


def failure_text(error: Exception) -> str:
    """Why a pass or a request failed, for messages. A TimeoutError has no text, so its name stands
    for it; any other OSError is one of the operator's process, as when it can start no child."""
    if isinstance(error, OSError) and error.strerror and not isinstance(error, TimeoutError):
        return f"the operating system refused the operator a process or a file: {error.strerror}"
    return getattr(error, "message", "") or type(error).__name__


class Cluster(Protocol):
    """Requests to one API server.

    Every method sends one request (`list`: one per page) that takes at most 10 seconds, and
    raises a ClusterError when it fails. Writes are never retried here: only the caller can tell
    whether its fence still holds. Bodies are JSON as the API server sends and takes it.
    """

    async def get(self, kind: Kind, *, namespace: str | None, name: str) -> Obj:
        """Read one object live (quorum, never from the watch cache).

        Args:
            kind: The object's kind.
            namespace: Its namespace; None for kinds without one.
            name: Its name.

        Raises:
            NotFound: There is no such object now.
            ClusterError: The request failed.
        """
        ...

    async def list(
        self,
        kind: Kind,
        *,
        namespace: str | None = None,
        labels: str = "",
        fields: str = "",
        metadata_only: bool = False,
        keep: Callable[[Obj], Obj] | None = None,
    ) -> Listing:
        """Read all objects that match, live (quorum, never from the watch cache).

        Args:
            kind: The objects' kind.
            namespace: None for all namespaces that the operator may read.
            labels: A label selector, such as `waypost.dev/run=UID`; "" matches all.
            fields: A field selector; "" matches all.
            metadata_only: The API server sends only `metadata` of each object, for kinds whose
                content is large.
            keep: What the result has of each object, called when its page arrives, so that no more
                than a page is in memory; a list that has to begin again calls it again. None: the
                objects.

        Raises:
            ClusterError: The request for a page failed; there is no partial result.
        """
        ...

    async def create(self, kind: Kind, *, namespace: str, body: Obj) -> Obj:
        """POST an object, with fieldValidation=Strict.

        Args:
            kind: The object's kind.
            namespace: "" for kinds without one.
            body: The manifest.

        Returns:
            The object as stored. A TokenReview is answered and not stored.

        Raises:
            AlreadyExists: The name is taken.
            Rejected: The object is invalid or not permitted.
            ClusterError: The request failed.
        """
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
        """PATCH an object, with fieldValidation=Strict.

        Args:
            kind: The object's kind.
            namespace: Its namespace.
            name: Its name.
            body: A list of operations for a JSON Patch (RFC 6902), else an object.
            patch_type: The format of `body`.
            subresource: "" or "status".

        Returns:
            The object after the patch.

        Raises:
            NotFound: There is no such object.
            Conflict: The patch states a stale resourceVersion or another uid.
            Rejected: The result is invalid, or a `test` operation failed (422).
            ClusterError: The request failed.
        """
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
        """DELETE an object.

        Args:
            kind: The object's kind.
            namespace: Its namespace.
            name: Its name.
            uid: Precondition; None for any.
            resource_version: Precondition; None for any.
            propagation: `propagationPolicy` for the objects that it owns.

        Raises:
            NotFound: There is no such object.
            Conflict: A precondition does not hold.
            ClusterError: The request failed.
        """
        ...

    async def read_log(
        self, *, namespace: str, pod: str, container: str, tail_lines: int, limit_bytes: int
    ) -> bytes:
        """Read the first `limit_bytes` of the last `tail_lines` of a container's log.

        For the end of a log use `log_end.read_log_end`.

        Raises:
            NotFound: The pod or its log does not exist (any more).
            ClusterError: The request failed.
        """
        ...
