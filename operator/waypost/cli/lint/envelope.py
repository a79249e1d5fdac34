"""What is around the spec of a manifest: apiVersion, kind and metadata."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from waypost.api import meta
from waypost.api.crd.resources import RESOURCES
from waypost.compiler.problems import Problem, did_you_mean
from waypost.kube.facts import runs

KINDS: Final = tuple(resource.kind for resource in RESOURCES)
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_NAME_LENGTH: Final = 253
_NAMESPACE: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SHORT: Final = 63  # characters of a namespace, of a label, and of a key after its prefix
_KEY: Final = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_CHARACTERS: Final = "letters and digits, with -, _ and . between them"
_ANNOTATIONS: Final = 256 * 1024  # bytes of all keys and texts
# kubectl's own key, and a line break.
_COPY: Final = len("kubectl.kubernetes.io/last-applied-configuration") + 1
_MAPS: Final = ("labels", "annotations")
# What the kinds of other systems are here.
_OF_OTHERS: Final = {
    **dict.fromkeys(("Workflow", "WorkflowRun", "PipelineRun"), "AgentWorkflow"),
    **dict.fromkeys(
        ("WorkflowTemplate", "ClusterWorkflowTemplate", "Pipeline"), "AgentWorkflowTemplate"
    ),
    **dict.fromkeys(("MCPServer", "RemoteMCPServer"), "ToolServer"),
    **dict.fromkeys(("ModelConfig", "Model"), "ModelProvider"),
}
# The kinds that people write. On the others the operator sets labels and annotations.
_WRITTEN_BY_USERS: Final = ("AgentWorkflow", "AgentWorkflowTemplate", "ModelProvider", "ToolServer")


def problems(value: Mapping[str, Any]) -> Iterator[Problem]:
    """Everything wrong with the envelope of a manifest of waypost.dev."""
    version, kind = value.get("apiVersion"), kind_of(value)
    if version is None:
        yield Problem("apiVersion", f"is missing; add apiVersion: {meta.API_VERSION}")
    elif version != meta.API_VERSION:
        yield Problem("apiVersion", f"expected {meta.API_VERSION}, found {version!r}")
    if not kind:
        yield Problem("kind", f"is missing; add kind: {KINDS[0]}, or one of {', '.join(KINDS[1:])}")
    elif kind not in KINDS:
        hint = did_you_mean(_OF_OTHERS.get(kind, kind), KINDS)
        if "cron" in kind.lower() or "schedule" in kind.lower():
            hint = "; did you mean AgentWorkflowSchedule?"
        yield Problem("kind", f"there is no kind {kind!r}; kinds: {', '.join(KINDS)}{hint}")
    metadata = value.get("metadata")
    named = isinstance(metadata, dict) and (metadata.get("name") or metadata.get("generateName"))
    if not isinstance(metadata, dict) or not named:
        text = "has no name; add one, or generateName for kubectl create"
        yield Problem("metadata", text)
        return
    yield from _name(metadata.get("name"))
    yield from _generated(metadata.get("generateName"))
    yield from _namespace(metadata.get("namespace"))
    for field in _MAPS:
        yield from _texts(field, metadata.get(field))
    yield from _sizes(value, metadata.get("annotations"))
    if kind in _WRITTEN_BY_USERS:
        yield from _reserved(metadata)


def kind_of(value: Mapping[str, Any]) -> str:
    """The kind that a manifest names; "" if it names none."""
    return str(value.get("kind") or "")


def _name(name: Any) -> Iterator[Problem]:
    if name is None:
        return
    if not isinstance(name, str):
        yield Problem("metadata.name", f"expected a string, found {name!r}; write it in quotes")
    elif len(name) > _NAME_LENGTH:
        text = f"must have no more than {_NAME_LENGTH} characters, found {len(name)}"
        yield Problem("metadata.name", text)
    elif not _NAME.fullmatch(name):
        text = f"expected lower case letters, digits, - and ., found {name!r}"
        yield Problem("metadata.name", text)


def _generated(prefix: Any) -> Iterator[Problem]:
    if not prefix:
        return
    is_name = isinstance(prefix, str) and _NAME.fullmatch(prefix.removesuffix("-"))
    if not is_name or len(prefix) > _NAME_LENGTH:
        expected = f"expected up to {_NAME_LENGTH} lower case letters, digits, - and ."
        yield Problem("metadata.generateName", f"{expected}, found {prefix!r}")


def _namespace(name: Any) -> Iterator[Problem]:
    if name and not (isinstance(name, str) and len(name) <= _SHORT and _NAMESPACE.fullmatch(name)):
        text = f"expected at most {_SHORT} lower case letters, digits and -, found {name!r}"
        yield Problem("metadata.namespace", text)


def _texts(field: str, entries: Any) -> Iterator[Problem]:
    if entries is None:
        return
    if not isinstance(entries, dict):
        yield Problem(f"metadata.{field}", f"expected an object, found {entries!r}")
        return
    for key, text in entries.items():
        if not _is_key(key if field == "labels" else key.lower()):
            expected = f"expected [prefix/]name, the name with up to {_SHORT} {_CHARACTERS}"
            yield Problem(f"metadata.{field}.{key}", f"{expected}, found the key {key!r}")
        elif field == "labels" and isinstance(text, str) and not _is_label(text):
            expected = f"expected up to {_SHORT} {_CHARACTERS}"
            yield Problem(f"metadata.{field}.{key}", f"{expected}, found {text!r}")
        if not isinstance(text, str):
            found = f"expected a string, found {text!r}; write it in quotes"
            yield Problem(f"metadata.{field}.{key}", found)


def _sizes(value: Mapping[str, Any], annotations: Any) -> Iterator[Problem]:
    """What is too large: annotations for the API server, or the manifest for one of them."""
    texts = annotations.items() if isinstance(annotations, dict) else ()
    own = sum(len(part.encode(errors="replace")) for pair in texts for part in map(str, pair))
    if own > _ANNOTATIONS:
        expected = f"must have at most {_ANNOTATIONS} bytes in total"
        yield Problem("metadata.annotations", f"{expected}, found {own}")
        return
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=str)
    size = len(text.encode(errors="replace")) + 5 * sum(map(text.count, "<>&"))  # as \u003c
    if own + size + _COPY > _ANNOTATIONS:
        text = (
            f"has {size} bytes: kubectl apply keeps a copy of the manifest in an annotation, and "
            f"the API server takes {_ANNOTATIONS} bytes of annotations; use kubectl create, or "
            "kubectl apply --server-side"
        )
        yield Problem("metadata", text, severity="warning")


def _is_key(key: str) -> bool:
    prefix, slash, name = key.rpartition("/")
    if slash and not (len(prefix) <= _NAME_LENGTH and _NAME.fullmatch(prefix)):
        return False
    return len(name) <= _SHORT and _KEY.fullmatch(name) is not None


def _is_label(text: str) -> bool:
    return not text or (len(text) <= _SHORT and _KEY.fullmatch(text) is not None)


def _reserved(metadata: Mapping[str, Any]) -> Iterator[Problem]:
    for path, text in runs.reserved_names(metadata):
        yield Problem(path, text, severity="warning")
