"""The pod of one attempt.

It meets the `restricted` Pod Security level and holds no API token. Every string that ends up in
its spec has its `$` doubled, because the kubelet expands `$(NAME)` there (S17).
"""

from dataclasses import dataclass, field
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation
from waypost.api.isolation.quantity import larger
from waypost.api.kinds.table import work_of
from waypost.api.pod import EnvVar, Resources
from waypost.api.workflow import Node
from waypost.kube.egress.policy import EgressSettings
from waypost.kube.kinds.kind import OwnImages
from waypost.kube.kinds.table import pod_kind
from waypost.kube.manifests.artifacts import ArtifactPlan, add_artifacts, makes_artifacts
from waypost.kube.manifests.isolation import add_isolation
from waypost.kube.manifests.output_sidecar import add_output_sidecar, share_secrets
from waypost.kube.manifests.security import container_security, pod_security
from waypost.kube.manifests.tokens import GATEWAY_TOKEN, MODELS_TOKEN, token_volume
from waypost.kube.secret_files import KeyFile, key_volume
from waypost.protocol import carrying
from waypost.protocol.artifacts.limits import STORE_SECONDS
from waypost.protocol.request import Request

MOUNT: Final = "/waypost/in"
OUTPUT_FILE: Final = "/dev/termination-log"
STORAGE_VARIABLE: Final = "WAYPOST_STORAGE_BYTES"
_STORAGE: Final = "ephemeral-storage"
_DEFAULT_TMP: Final = "256Mi"  # only if neither the node nor the installation limits storage
_LONGEST_DEADLINE: Final = 2**31 - 1  # the limit of the API server


@dataclass(frozen=True)
class PodSettings:
    """What the operator's settings add to node pods."""

    runner_image: str
    agent_image: str = ""
    node_account: str = ""  # ServiceAccount of pods whose node names none; "": the default
    gateway_url: str | None = None  # stores payloads that do not fit a commit record
    models_url: str | None = None  # the model gateway, for agents
    trust: str = ""  # CA and names of both gateways, as protocol.gateways has them; "": no TLS
    image_pull_policy: str = "IfNotPresent"
    job_ttl_seconds: int = 86400
    default_requests: tuple[tuple[str, str], ...] = (("cpu", "50m"), ("memory", "64Mi"))
    default_limits: tuple[tuple[str, str], ...] = (
        ("cpu", "1"),
        ("memory", "512Mi"),
        ("ephemeral-storage", "1Gi"),
    )

    queue: str = ""  # LocalQueue of nodes that name none; "": no queue
    models_for_all: bool = False  # also for agents whose egress is not limited
    trace_content: str = "Off"  # what traces of agents have of tool calls: Off, Digests or Redacted
    egress: EgressSettings = field(default_factory=EgressSettings)

    @property
    def images(self) -> OwnImages:
        """The images of this installation."""
        return OwnImages(runner=self.runner_image, agent=self.agent_image)


@dataclass(frozen=True)
class Rendered:
    """The evaluated fields of a node, and the keys that its pod mounts as files."""

    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    agent: JsonObject | None = None
    http: JsonObject | None = None
    files: tuple[KeyFile, ...] = ()
    forwarded: str = ""  # the request that the model gateway sends for the node
    added: tuple[KeyFile, ...] = ()  # the keys that it adds, of which the pod has none
    artifacts: ArtifactPlan | None = None
    image: str = ""  # instead of that of the node: with the digest that earlier attempts have run


def pod_spec(
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
    *,
    volume: JsonObject,
    deadline_seconds: float,
    default_resources: Resources | None,
    isolation: Isolation,
) -> JsonObject:
    """The pod's spec.

    `volume` holds its request. `deadline_seconds` (queueTimeout + timeout) limits the pod while no
    operator runs. `default_resources` are those of the run, `isolation` is that of the node.
    """
    resources = _resources(settings, isolation, default_resources, work_of(node).resources)
    container = _container(node, request, rendered, settings, resources)
    # One limit for everything that the container writes: /tmp has a smaller one only if declared.
    grace = STOP_GRACE + (STORE_SECONDS if _stores_in_sidecar(node) else 0)
    storage = resources["limits"].get(_STORAGE, _DEFAULT_TMP)
    tmp = {"sizeLimit": storage if isolation.tmp is None else isolation.tmp}
    pod: JsonObject = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(grace),
        "activeDeadlineSeconds": min(
            int(deadline_seconds + RUNNER_HEADSTART + grace), _LONGEST_DEADLINE
        ),
        "securityContext": pod_security(),
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{state}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 60,
            }
            for state in ("not-ready", "unreachable")
        ],
        "volumes": [volume, {"name": "tmp", "emptyDir": tmp}],
        "containers": [container],
    }
    token = _token_volume(settings)
    for extra in (key_volume(rendered.files), token if pod_kind(node).runs_waypost else None):
        if extra is not None:
            pod["volumes"].append(extra[0])
            pod["containers"][0]["volumeMounts"].append(extra[1])
    if _has_output_sidecar(node, request):
        add_output_sidecar(
            pod, image=settings.runner_image, pull_policy=settings.image_pull_policy, token=token
        )
    add_artifacts(
        pod,
        node,
        request.artifacts,
        image=settings.runner_image,
        pull_policy=settings.image_pull_policy,
        token=token,
    )
    add_isolation(pod, isolation, account=settings.node_account)
    if _has_output_sidecar(node, request):
        share_secrets(pod, request)
    return pod


def _has_output_sidecar(node: Node, request: Request) -> bool:
    """Whether a sidecar takes the output: also if it must be compared with Secrets of the pod."""
    kind = pod_kind(node)
    compares = bool(request.secret_env or request.secret_folders) and not kind.runs_waypost
    return compares or kind.has_output_sidecar(node)


def _stores_in_sidecar(node: Node) -> bool:
    """Whether the sidecar stores artifacts once the program has ended, within the grace period."""
    return makes_artifacts(node) and not pod_kind(node).runs_waypost


def _container(
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
    resources: JsonObject,
) -> JsonObject:
    work, kind = work_of(node), pod_kind(node)
    container: JsonObject = {
        "name": meta.NODE_CONTAINER,
        "image": rendered.image or kind.image(node, settings.images),
        "env": _environment(node, request, rendered, getattr(work, "env", None) or []),
        "resources": resources,
        "terminationMessagePath": OUTPUT_FILE,
        "terminationMessagePolicy": "File",
        "securityContext": container_security(),
        "volumeMounts": [
            {"name": "in", "mountPath": MOUNT, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    if kind.runs_waypost and _STORAGE in container["resources"]["limits"]:
        # The runner limits the size of files with it; the kubelet converts it to bytes.
        source = {"resource": f"limits.{_STORAGE}", "divisor": "1"}
        container["env"].append(
            {"name": STORAGE_VARIABLE, "valueFrom": {"resourceFieldRef": source}}
        )
    policy = getattr(work, "image_pull_policy", None)
    if policy is None and not getattr(work, "image", None):
        policy = (
            settings.image_pull_policy
        )  # our own images only; for others the cluster's default applies
    if policy:
        container["imagePullPolicy"] = policy
    if command := kind.command(node):
        container["command"] = [escape_pod_string(part) for part in command]
    if rendered.args:
        container["args"] = [escape_pod_string(part) for part in rendered.args]
    return container


def _token_volume(settings: PodSettings) -> tuple[JsonObject, JsonObject] | None:
    """The pod's identities for the gateways that it may call."""
    known = ((settings.gateway_url, GATEWAY_TOKEN), (settings.models_url, MODELS_TOKEN))
    tokens = [token for url, token in known if url is not None]
    return token_volume(tokens, verifies=bool(settings.trust))


def _environment(
    node: Node, request: Request, rendered: Rendered, declared: list[EnvVar]
) -> list[JsonObject]:
    kind = pod_kind(node)
    env: list[JsonObject] = [
        {
            "name": "WAYPOST_OUTPUT",
            "value": carrying.OUTPUT_FILE if _has_output_sidecar(node, request) else OUTPUT_FILE,
        },
        {
            "name": "WAYPOST_POD_UID",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}},
        },
        {"name": "HOME", "value": "/tmp"},
    ]
    own = {
        "WAYPOST_RUN": request.run_name,
        "WAYPOST_NODE": request.path,
        "WAYPOST_ATTEMPT": str(request.attempt),
        "WAYPOST_IDEMPOTENCY_KEY": request.idempotency_key,
    }
    if request.traceparent:
        own["TRACEPARENT"] = request.traceparent
    own |= kind.input_variables(request.inputs)
    texts = dict(rendered.env)
    env += [{"name": name, "value": escape_pod_string(value)} for name, value in own.items()]
    for variable in declared:
        if variable.value_from:
            source = variable.value_from.model_dump(by_alias=True, exclude_none=True)
            env.append({"name": variable.name, "valueFrom": source})
        else:
            value = escape_pod_string(texts.get(variable.name, ""))
            env.append({"name": variable.name, "value": value})
    return env


def _resources(
    settings: PodSettings, isolation: Isolation, *declared: Resources | None
) -> JsonObject:
    """The installation's defaults under each of `declared`, the last of which has precedence."""
    requests: dict[str, Any] = dict(settings.default_requests)
    limits: dict[str, Any] = dict(settings.default_limits)
    if isolation.tmp is not None and _STORAGE in limits:
        limits[_STORAGE] = larger(limits[_STORAGE], isolation.tmp)
    for each in filter(None, declared):
        limits |= each.limits or {}
        requests |= each.requests or {}
        # A default request above the declared limit, or a default limit below the declared
        # request, would be refused by the API server: then the declared value is used for both.
        for name in set(each.limits or {}) - set(each.requests or {}):
            requests.pop(name, None)
        for name in set(each.requests or {}) - set(each.limits or {}):
            limits[name] = requests[name]
    return {"requests": requests, "limits": limits}


STOP_GRACE: Final = 30.0  # terminationGracePeriodSeconds of node pods


# The runner's timer comes first; the operator's is for a runner that hangs.
RUNNER_HEADSTART: Final = 5.0


def escape_pod_string(text: str) -> str:
    """`text` escaped for command, args or env of a pod.

    The kubelet expands `$(NAME)` there, so text of a model could read a secret from the
    environment. Use it after evaluation and for nothing else: the request must stay unchanged.
    """
    return text.replace("$", "$$")
