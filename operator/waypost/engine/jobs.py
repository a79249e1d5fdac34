"""Manifests of one attempt: the Job, and the ConfigMap where its request is too big to ride along.

Pods meet the `restricted` Pod Security level, hold no API token, and carry the result finalizer
from birth. Every string that ends up in a pod spec has its `$` doubled, because the kubelet
expands `$(NAME)` in them (semantics.md, "The kubelet expands").
"""

from dataclasses import dataclass
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject, JsonValue
from waypost.api.pod import EnvVar, Resources
from waypost.api.workflow import Node
from waypost.engine import names
from waypost.engine.carriers import add_carrier
from waypost.engine.policy import RUNNER_HEADSTART, STOP_GRACE
from waypost.engine.secrets import KeyFile, key_volume
from waypost.engine.templates import escape_pod_string
from waypost.protocol import carrying, ijson
from waypost.protocol.request import Request

ANNOTATION_LIMIT: Final = 8 * 1024
CONFIG_MAP_LIMIT: Final = 1024 * 1024 - 16 * 1024  # room for metadata
MOUNT: Final = "/waypost/in"
TOKEN_MOUNT: Final = "/waypost/token"
GATEWAY_AUDIENCE: Final = "waypost-gateway"
OUTPUT_FILE: Final = "/dev/termination-log"
_USER: Final = 65532
_LONGEST_DEADLINE: Final = 2**31 - 1  # what the API server takes


@dataclass(frozen=True)
class PodSettings:
    """What the operator's own settings add to node pods."""

    runner_image: str
    agent_image: str = ""
    gateway_url: str | None = None  # where payloads are kept that fit no commit record
    image_pull_policy: str = "IfNotPresent"
    job_ttl_seconds: int = 86400
    default_requests: tuple[tuple[str, str], ...] = (("cpu", "50m"), ("memory", "64Mi"))
    default_limits: tuple[tuple[str, str], ...] = (
        ("cpu", "1"),
        ("memory", "512Mi"),
        ("ephemeral-storage", "1Gi"),
    )


@dataclass(frozen=True)
class Rendered:
    """The node's own fields after evaluation, and the keys that its pod gets as files."""

    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    agent: JsonObject | None = None
    http: JsonObject | None = None
    files: tuple[KeyFile, ...] = ()


@dataclass(frozen=True)
class Owner:
    """The run that owns what is made."""

    name: str
    namespace: str
    uid: str

    def reference(self) -> JsonObject:
        """As controller owner reference."""
        return {
            "apiVersion": meta.API_VERSION,
            "kind": "AgentWorkflow",
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


class TooLarge(ValueError):
    """The request does not fit into a ConfigMap."""


def attempt_manifests(
    *,
    owner: Owner,
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
    deadline_seconds: float,
) -> tuple[JsonObject, JsonObject | None]:
    """The Job of an attempt and, when its request exceeds 8 KiB, the ConfigMap it reads.

    `deadline_seconds` (queueTimeout + timeout) bounds the pod while no operator is there.
    Raises TooLarge above 1 MiB.
    """
    document = ijson.canonical(request.to_json()).decode()
    files = _input_files(node, request)
    size = len(document.encode()) + sum(len(text.encode()) for text in files.values())
    name = names.job_name(
        run=owner.name, run_uid=owner.uid, path=request.path, attempt=request.attempt
    )
    metadata = _metadata(owner, request, name, _digest(request))
    if size <= ANNOTATION_LIMIT:
        riding = {meta.ANNOTATION_REQUEST: document}
        riding |= {_annotation(at, key): text for at, (key, text) in enumerate(files.items())}
        volume, config_map = _annotation_volume(files), None
    elif size <= CONFIG_MAP_LIMIT:
        riding = {}
        volume, config_map = _config_map_volume(name, files), _config_map(metadata, document, files)
    else:
        raise TooLarge(f"{size} bytes of inputs, the limit is {CONFIG_MAP_LIMIT}")
    pod = _pod(node, request, rendered, settings, volume, deadline_seconds)
    pod_metadata = {
        "labels": metadata["labels"],
        "annotations": {**metadata["annotations"], **riding},
        "finalizers": [meta.FINALIZER_RESULT],
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata,
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "ttlSecondsAfterFinished": settings.job_ttl_seconds,
            "template": {"metadata": pod_metadata, "spec": pod},
        },
    }
    return job, config_map


def _digest(request: Request) -> str:
    """What makes a Job this attempt's. Not what a ModelProvider or ToolServer says: an edit of
    those between fence and launch does not make it another attempt's."""
    return ijson.digest(request._replace(agent=None).to_json())


def _metadata(owner: Owner, request: Request, name: str, digest: str) -> JsonObject:
    return {
        "name": name,
        "namespace": owner.namespace,
        "labels": {
            meta.LABEL_RUN: owner.uid,
            meta.LABEL_NODE: request.path.replace("/", "."),
            meta.LABEL_ATTEMPT: str(request.attempt),
            meta.LABEL_ROUND: str(request.round),
        },
        "annotations": {
            meta.ANNOTATION_RUN_NAME: owner.name,
            meta.ANNOTATION_PATH: request.path,
            meta.ANNOTATION_REQUEST_DIGEST: digest,
        },
        "ownerReferences": [owner.reference()],
    }


def _input_files(node: Node, request: Request) -> dict[str, str]:
    if not node.container:
        return {}  # the runner reads the request document
    return {key: _as_text(value) for key, value in request.inputs.items()}


def _as_text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ijson.canonical(value).decode()


def _annotation_volume(files: dict[str, str]) -> JsonObject:
    def item(path: str, annotation: str) -> JsonObject:
        return {
            "path": path,
            "fieldRef": {"fieldPath": f"metadata.annotations['{annotation}']"},
        }

    items = [item("request.json", meta.ANNOTATION_REQUEST)]
    items += [item(f"inputs/{key}", _annotation(at, key)) for at, key in enumerate(files)]
    return {"name": "in", "downwardAPI": {"items": items}}


def _annotation(at: int, key: str) -> str:
    # The API server takes no annotation whose name begins or ends with _; no key is a number.
    usable = key[0] != "_" and key[-1] != "_"
    return meta.ANNOTATION_INPUT_PREFIX + (key if usable else str(at))


def _config_map_volume(name: str, files: dict[str, str]) -> JsonObject:
    items = [{"key": "request.json", "path": "request.json"}]
    items += [{"key": f"input.{key}", "path": f"inputs/{key}"} for key in files]
    return {"name": "in", "configMap": {"name": name, "items": items}}


def _config_map(metadata: JsonObject, document: str, files: dict[str, str]) -> JsonObject:
    data = {"request.json": document} | {f"input.{key}": text for key, text in files.items()}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "immutable": True,
        "data": data,
    }


def _pod(
    node: Node,
    request: Request,
    rendered: Rendered,
    settings: PodSettings,
    volume: JsonObject,
    deadline_seconds: float,
) -> JsonObject:
    pod: JsonObject = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": int(STOP_GRACE),
        "activeDeadlineSeconds": min(
            int(deadline_seconds + RUNNER_HEADSTART + STOP_GRACE), _LONGEST_DEADLINE
        ),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _USER,
            "runAsGroup": _USER,
            "fsGroup": _USER,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "tolerations": [
            {
                "key": f"node.kubernetes.io/{state}",
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": 60,
            }
            for state in ("not-ready", "unreachable")
        ],
        "volumes": [volume, {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}}],
        "containers": [_container(node, request, rendered, settings)],
    }
    token = _token_volume(settings)
    for extra in (key_volume(rendered.files), None if node.container else token):
        if extra is not None:
            pod["volumes"].append(extra[0])
            pod["containers"][0]["volumeMounts"].append(extra[1])
    if _carried(node):
        add_carrier(
            pod, image=settings.runner_image, pull_policy=settings.image_pull_policy, token=token
        )
    if node.isolation and node.isolation.service_account_name:
        pod["serviceAccountName"] = node.isolation.service_account_name
    return pod


def _container(
    node: Node, request: Request, rendered: Rendered, settings: PodSettings
) -> JsonObject:
    work = node.container or node.python or node.agent or node.http
    assert work is not None, "approvals and waits have no pod"
    container: JsonObject = {
        "name": meta.NODE_CONTAINER,
        "image": _image(node, settings),
        "env": _environment(node, request, rendered, getattr(work, "env", None) or []),
        "resources": _resources(work.resources, settings),
        "terminationMessagePath": OUTPUT_FILE,
        "terminationMessagePolicy": "File",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "in", "mountPath": MOUNT, "readOnly": True},
            {"name": "tmp", "mountPath": "/tmp"},
        ],
    }
    policy = getattr(work, "image_pull_policy", None)
    if policy is None and not getattr(work, "image", None):
        policy = settings.image_pull_policy  # ours; for others the cluster's own rule
    if policy:
        container["imagePullPolicy"] = policy
    if node.container and node.container.command:
        container["command"] = [escape_pod_string(part) for part in node.container.command]
    if rendered.args:
        container["args"] = [escape_pod_string(part) for part in rendered.args]
    return container


def _image(node: Node, settings: PodSettings) -> str:
    if node.container:
        return node.container.image
    if node.agent:
        return node.agent.image or settings.agent_image
    return (node.python and node.python.image) or settings.runner_image


def _carried(node: Node) -> bool:
    return bool(node.container and node.container.large_output)


def _token_volume(settings: PodSettings) -> tuple[JsonObject, JsonObject] | None:
    """The pod's identity towards the gateway: a token of no use to the API server."""
    if settings.gateway_url is None:
        return None
    token = {
        "audience": GATEWAY_AUDIENCE,
        "expirationSeconds": 3600,
        "path": "gateway",
    }
    projected = {"defaultMode": 0o440, "sources": [{"serviceAccountToken": token}]}
    volume = {"name": "token", "projected": projected}
    return volume, {"name": "token", "mountPath": TOKEN_MOUNT, "readOnly": True}


def _environment(
    node: Node, request: Request, rendered: Rendered, declared: list[EnvVar]
) -> list[JsonObject]:
    env: list[JsonObject] = [
        {
            "name": "WAYPOST_OUTPUT",
            "value": carrying.OUTPUT_FILE if _carried(node) else OUTPUT_FILE,
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
    if node.container:
        own |= {
            f"WAYPOST_INPUT_{key.upper()}": _as_text(value)
            for key, value in request.inputs.items()
            if isinstance(value, str | int | float | bool) and len(_as_text(value)) <= 32768
        }
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


def _resources(declared: Resources | None, settings: PodSettings) -> JsonObject:
    requests: dict[str, Any] = dict(settings.default_requests)
    limits: dict[str, Any] = dict(settings.default_limits)
    if declared:
        limits |= declared.limits or {}
        requests |= declared.requests or {}
        # A default request above the declared limit, or a default limit below the declared
        # request, would be refused by the API server: the declared one then stands for both.
        for name in set(declared.limits or {}) - set(declared.requests or {}):
            requests.pop(name, None)
        for name in set(declared.requests or {}) - set(declared.limits or {}):
            limits[name] = requests[name]
    return {"requests": requests, "limits": limits}
