"""The Job of a probe: a pod like that of a node, which only lists models or tools.

It has no label of a run, so that it wakes none, and no finalizer, because a lost result is only
probed again.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Final

from waypost.api import meta
from waypost.api.base import JsonObject, parse_duration
from waypost.api.provider import ModelProviderSpec
from waypost.api.toolserver import ToolServerSpec
from waypost.kube.manifests.attempt_job import COUNT_FAILURES
from waypost.kube.manifests.endpoints import Access, provider_access, server_access
from waypost.kube.manifests.security import container_security, pod_security
from waypost.kube.secret_files import KeyFile, key_volume
from waypost.probes.subject import Subject
from waypost.protocol.probe import VERSION

DEADLINE: Final = 120.0  # seconds of a probe, image pull included
_PROGRAMS: Final = {"ModelProvider": "waypost_node.probe", "ToolServer": "waypost_agent.discover"}
_ANSWER_SECONDS: Final = 20.0  # how long the provider or server may take to answer
_KEPT_SECONDS: Final = 600
_NAME_LIMIT: Final = 63


@dataclass(frozen=True)
class ProbeSettings:
    """Settings of probes that come from the operator's. Times in seconds."""

    runner_image: str
    agent_image: str
    node_account: str = ""  # ServiceAccount of their pods; "": that of the namespace
    image_pull_policy: str = "IfNotPresent"
    again_seconds: float = 1800.0  # between probes of a subject that is Ready


def access_of(subject: Subject) -> Access:
    """The address of the subject and the files of keys that its pods need."""
    if isinstance(subject.spec, ModelProviderSpec):
        return provider_access(subject.spec)
    if isinstance(subject.spec, ToolServerSpec):
        return server_access(subject.name, subject.spec)
    return Access()


def probe_name(subject: Subject, number: int) -> str:
    """Name of the Job of probe `number`: at most 63 characters."""
    hashed = hashlib.sha256(f"{subject.uid}\0{number}".encode()).hexdigest()[:8]
    tail = f"-probe-{number}-{hashed}"
    readable = subject.name.replace(".", "-")[: _NAME_LIMIT - len(tail)].strip("-")
    return readable + tail


def probe_job(subject: Subject, number: int, settings: ProbeSettings) -> JsonObject:
    """The manifest of the Job of probe `number`; the subject's spec must be valid."""
    access = access_of(subject)
    name = probe_name(subject, number)
    labels = {meta.LABEL_PROBE: subject.uid, meta.LABEL_ATTEMPT: str(number)}
    request = json.dumps(_request(subject, access), sort_keys=True)
    owner = {
        "apiVersion": meta.API_VERSION,
        "kind": subject.kind,
        "name": subject.name,
        "uid": subject.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": subject.namespace,
            "labels": labels,
            "ownerReferences": [owner],
        },
        "spec": {
            "backoffLimit": 0,
            "completions": 1,
            "parallelism": 1,
            "podReplacementPolicy": "Failed",
            "podFailurePolicy": COUNT_FAILURES,
            "ttlSecondsAfterFinished": _KEPT_SECONDS,
            "template": {
                "metadata": {"labels": labels, "annotations": {meta.ANNOTATION_PROBE: request}},
                "spec": _pod(subject, access.files, settings),
            },
        },
    }


def image_of(subject: Subject, settings: ProbeSettings) -> str:
    """The image of its probes; "" when this installation has none."""
    if isinstance(subject.spec, ModelProviderSpec):
        return settings.runner_image
    stdio = subject.spec.stdio if subject.spec else None
    return (stdio and stdio.image) or settings.agent_image


def _request(subject: Subject, access: Access) -> JsonObject:
    seconds = _ANSWER_SECONDS
    if isinstance(subject.spec, ModelProviderSpec):
        names = [model.name for model in subject.spec.models or []]
        body = {"provider": {**access.document, "models": names}}
    else:
        timeout = subject.spec.timeout if subject.spec else None
        seconds = min(parse_duration(timeout), seconds) if timeout else seconds
        body = {"server": access.document}
    return {"v": VERSION, "timeoutSeconds": seconds, **body}


def _pod(subject: Subject, files: tuple[KeyFile, ...], settings: ProbeSettings) -> JsonObject:
    path = f"metadata.annotations['{meta.ANNOTATION_PROBE}']"
    request = {"path": "probe.json", "fieldRef": {"fieldPath": path}}
    volumes: list[JsonObject] = [
        {"name": "in", "downwardAPI": {"items": [request]}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    mounts: list[JsonObject] = [
        {"name": "in", "mountPath": "/waypost/in", "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},
    ]
    if (keys := key_volume(files)) is not None:
        volumes.append(keys[0])
        mounts.append(keys[1])
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 5,
        "activeDeadlineSeconds": int(DEADLINE),
        "securityContext": pod_security(),
        **({"serviceAccountName": settings.node_account} if settings.node_account else {}),
        "volumes": volumes,
        "containers": [
            {
                "name": meta.NODE_CONTAINER,
                "image": image_of(subject, settings),
                "imagePullPolicy": settings.image_pull_policy,
                "command": ["python3", "-m", _PROGRAMS[subject.kind]],
                "env": [{"name": "HOME", "value": "/tmp"}],
                "resources": {
                    "requests": {"cpu": "10m", "memory": "64Mi"},
                    "limits": {"cpu": "1", "memory": "256Mi", "ephemeral-storage": "128Mi"},
                },
                "terminationMessagePath": "/dev/termination-log",
                "terminationMessagePolicy": "File",
                "securityContext": container_security(),
                "volumeMounts": mounts,
            }
        ],
    }
