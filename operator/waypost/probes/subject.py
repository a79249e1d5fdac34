"""One ModelProvider or ToolServer as it was observed."""

from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ValidationError

from waypost.api import meta
from waypost.api.probe import ProbedStatus
from waypost.api.provider import ModelProviderSpec, ModelProviderStatus
from waypost.api.toolserver import ToolServerSpec, ToolServerStatus
from waypost.api.validation import words
from waypost.kube import objects

SubjectKind = Literal["ModelProvider", "ToolServer"]
Spec = ModelProviderSpec | ToolServerSpec


@dataclass(frozen=True)
class Subject:
    """What is probed. `spec` is None when it is invalid; `problem` then says why, else it is ""."""

    kind: SubjectKind
    name: str
    namespace: str
    uid: str
    generation: int
    resource_version: str
    spec: Spec | None
    problem: str
    status: ProbedStatus
    asked: str | None = None  # the annotation waypost.dev/probe-at
    deleting: bool = False


def subject(kind: SubjectKind, body: Any) -> Subject | None:
    """The subject in an object's body; None for a body without a uid."""
    metadata = objects.section(body, "metadata")
    uid, generation = objects.text(metadata, "uid"), metadata.get("generation")
    if not uid:
        return None
    spec, problem = _spec(kind, objects.section(body, "spec"))
    asked = objects.text(objects.section(metadata, "annotations"), meta.ANNOTATION_PROBE_AT)
    return Subject(
        kind=kind,
        name=objects.text(metadata, "name"),
        namespace=objects.text(metadata, "namespace"),
        uid=uid,
        generation=generation if isinstance(generation, int) else 1,
        resource_version=objects.text(metadata, "resourceVersion"),
        spec=spec,
        problem=problem,
        status=_status(kind, objects.section(body, "status")),
        asked=asked[:64] or None,
        deleting=bool(metadata.get("deletionTimestamp")),
    )


def _spec(kind: SubjectKind, body: Any) -> tuple[Spec | None, str]:
    model: type[Spec] = ModelProviderSpec if kind == "ModelProvider" else ToolServerSpec
    try:
        return model.model_validate(body), ""
    except ValidationError as error:
        first = dict(error.errors(include_url=False)[0])
        return None, f"{words.place_of(first, before='spec')}: {words.words_of(first)}"


def _status(kind: SubjectKind, body: Any) -> ProbedStatus:
    model: type[ProbedStatus]
    model = ModelProviderStatus if kind == "ModelProvider" else ToolServerStatus
    try:
        return model.model_validate(body)
    except ValidationError:
        return model()  # no harm: a probe finds out again
