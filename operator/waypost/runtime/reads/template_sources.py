"""Live reads of the template of a run: an AgentWorkflowTemplate, or a local one of its parent."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import ValidationError

from waypost.api.base import JsonObject
from waypost.api.status import PinnedTemplate
from waypost.compiler.calls import body_of_local
from waypost.compiler.templates import TemplateBody, body_of
from waypost.kube import objects
from waypost.kube.facts import children
from waypost.ports.cluster import Cluster, Kind, NotFound, Obj
from waypost.runtime.cache.runs import Key

# Reads the definition in the record of a pin; None if no record has it.
ReadRecord = Callable[[PinnedTemplate], Awaitable[JsonObject | None]]


@dataclass(frozen=True)
class Source:
    """A template as a live read found it.

    Attributes:
        body: What runs take from it.
        uid: That of the object that holds it.
        generation: The metadata.generation of that object.
        suspended: Whether it accepts no new runs.
    """

    body: TemplateBody
    uid: str
    generation: int
    suspended: bool = False


async def read_source(
    cluster: Cluster, key: Key, body: Obj, *, name: str, local: bool, record: ReadRecord
) -> Source | None:
    """The template that a run refers to.

    Args:
        cluster: Where it is read.
        key: The run.
        body: The body of the run.
        name: Name of the template.
        local: It is a local template of the parent of the run.
        record: Reads the definition of the parent, if that is one of a template.

    Returns:
        The template; None if there is none, or if the object that holds it is being deleted.

    Raises:
        ClusterError: It could not be read.
    """
    if local:
        return await _local(cluster, key, body, name, record)
    holder = await _get(cluster, Kind.AGENT_WORKFLOW_TEMPLATE, key.namespace, name)
    if holder is None:
        return None
    spec = objects.section(holder, "spec")
    return _source(holder, body_of(name, spec), suspended=spec.get("suspend") is True)


async def _local(
    cluster: Cluster, key: Key, body: Obj, name: str, record: ReadRecord
) -> Source | None:
    uid, run = children.parent_uid(body), objects.section(body, "spec", "parent").get("run")
    parent = await _get(cluster, Kind.AGENT_WORKFLOW, key.namespace, str(run)) if uid else None
    if parent is None or objects.text(objects.section(parent, "metadata"), "uid") != uid:
        return None
    fields: JsonObject | None = objects.section(parent, "spec")
    if objects.section(parent, "spec", "templateRef"):
        pin = _pin_of(parent)
        fields = await record(pin) if pin is not None else None
    found = body_of_local(body_of("", fields).fields, name)
    return _source(parent, TemplateBody(name, found, local=True)) if found is not None else None


async def _get(cluster: Cluster, kind: Kind, namespace: str, name: str) -> Obj | None:
    try:
        body = await cluster.get(kind, namespace=namespace, name=name)
    except NotFound:
        return None
    return None if objects.section(body, "metadata").get("deletionTimestamp") else body


def _source(holder: Obj, body: TemplateBody, *, suspended: bool = False) -> Source:
    metadata = objects.section(holder, "metadata")
    number = metadata.get("generation")
    generation = number if isinstance(number, int) else 1
    return Source(body, objects.text(metadata, "uid"), generation, suspended)


def _pin_of(parent: Obj) -> PinnedTemplate | None:
    """The definition that the status of a parent names."""
    try:
        return PinnedTemplate.model_validate(objects.section(parent, "status", "template"))
    except ValidationError:
        return None
