"""Manifests of one attempt: the Job, and a ConfigMap if its request is too large for an annotation.

Their pods carry the result finalizer from birth.
"""

from dataclasses import dataclass
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.api.isolation.model import Isolation
from waypost.api.pod import LogPolicy, Resources
from waypost.api.workflow import Node
from waypost.kube import names
from waypost.kube.kinds.table import pod_kind
from waypost.kube.logs.policy import annotation
from waypost.kube.manifests.pod import PodSettings, Rendered, pod_spec
from waypost.kube.manifests.queue import add_queue
from waypost.kube.manifests.tokens import VOLUME as TOKENS
from waypost.protocol import ijson
from waypost.protocol.request import Request

ANNOTATION_LIMIT: Final = 8 * 1024
CONFIG_MAP_LIMIT: Final = 1024 * 1024 - 16 * 1024  # room for metadata

# Each failure counts, as without a policy. With a policy the API server refuses a Job whose
# restartPolicy a webhook has changed (S524).
COUNT_FAILURES: Final[JsonObject] = {
    "rules": [{"action": "Count", "onExitCodes": {"operator": "NotIn", "values": [0]}}]
}


@dataclass(frozen=True)
class Owner:
    """The run that owns the objects."""

    name: str
    namespace: str
    uid: str

    def reference(self) -> JsonObject:
        """Its controller owner reference."""
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
    default_resources: Resources | None = None,
    isolation: Isolation | None = None,
    logs: LogPolicy | None = None,
) -> tuple[JsonObject, JsonObject | None]:
    """The Job of an attempt and, if its request exceeds 8 KiB, the ConfigMap that it reads.

    Args:
        owner: The run.
        node: The node.
        request: The request document of the attempt.
        rendered: The evaluated fields of the node.
        settings: What the operator's settings add to node pods.
        deadline_seconds: queueTimeout + timeout: limits the pod while no operator runs.
        default_resources: The resources of spec.defaults, below those of the node.
        isolation: The isolation of the node, with that of spec.defaults.
        logs: The policy of spec.defaults for kept logs.

    Raises:
        TooLarge: The request does not fit a ConfigMap.
    """
    document = ijson.canonical(request.to_json()).decode()
    files = pod_kind(node).input_files(request.inputs)
    size = len(document.encode()) + sum(len(text.encode()) for text in files.values())
    name = names.job_name(
        run=owner.name, run_uid=owner.uid, path=request.path, attempt=request.attempt
    )
    metadata = _metadata(owner, request, name, _digest(request))
    if size <= ANNOTATION_LIMIT:
        in_annotations = {meta.ANNOTATION_REQUEST: document}
        in_annotations |= {
            _annotation(at, key): text for at, (key, text) in enumerate(files.items())
        }
        volume, config_map = _annotation_volume(files), None
    elif size <= CONFIG_MAP_LIMIT:
        in_annotations = {}
        volume, config_map = _config_map_volume(name, files), _config_map(metadata, document, files)
    else:
        raise TooLarge(f"{size} bytes of inputs, the limit is {CONFIG_MAP_LIMIT}")
    pod = pod_spec(
        node,
        request,
        rendered,
        settings,
        volume=volume,
        deadline_seconds=deadline_seconds,
        default_resources=default_resources,
        isolation=isolation or Isolation(),
    )
    if rendered.artifacts is not None:
        in_annotations[meta.ANNOTATION_ARTIFACTS] = rendered.artifacts.pins
    in_annotations |= _share(rendered, settings)
    if rendered.forwarded:
        in_annotations[meta.ANNOTATION_HTTP] = rendered.forwarded
    if settings.trust and any(each["name"] == TOKENS for each in pod["volumes"]):
        in_annotations[meta.ANNOTATION_TRUST] = settings.trust
    if logs is not None:
        in_annotations[meta.ANNOTATION_LOGS] = annotation(logs)
    pod_metadata = {
        "labels": {**((isolation and isolation.pod_labels) or {}), **metadata["labels"]},
        "annotations": {**metadata["annotations"], **in_annotations},
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
            "podFailurePolicy": COUNT_FAILURES,
            "ttlSecondsAfterFinished": settings.job_ttl_seconds,
            "template": {"metadata": pod_metadata, "spec": pod},
        },
    }
    add_queue(job, (isolation and isolation.queue) or settings.queue)
    return job, config_map


def _share(rendered: Rendered, settings: PodSettings) -> dict[str, str]:
    """The tokens that an agent may use, for the model gateway."""
    tokens = ((rendered.agent or {}).get("allotment") or {}).get("tokens")
    if settings.models_url is None or tokens is None:
        return {}
    return {meta.ANNOTATION_SHARE: str(tokens)}


def _digest(request: Request) -> str:
    """The digest that identifies the Job of this attempt.

    It does not cover fields of a ModelProvider or ToolServer, which may change between fence and
    launch.
    """
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
    # The name of an annotation must not begin or end with _; no input key is a number.
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
