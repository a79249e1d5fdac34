"""A run as the rules of the engine take it, made from the object and what was read beside it."""

from datetime import datetime

from waypost.api.base import JsonObject
from waypost.compiler.definition import Definition, define
from waypost.compiler.origin import Own
from waypost.compiler.templates import TemplateBody, define_run
from waypost.engine.state.observed import Observed
from waypost.kube.facts.children import effective_spec
from waypost.kube.node_records import LARGEST, record_fact
from waypost.kube.objects import section, text
from waypost.kube.timestamps import parse_timestamp
from waypost.views.errors import CannotShow
from waypost.views.run.describe import status_of


def definition_of(run: JsonObject, record: JsonObject | None) -> Definition:
    """The definition of a run.

    Args:
        run: The AgentWorkflow object.
        record: The NodeRecord that its status names; None for a run with its own nodes.

    Raises:
        CannotShow: The run takes its nodes from a template, and the record cannot be read.
    """
    spec = effective_spec(run) or {}
    name = text(section(spec, "templateRef"), "name")
    if not name:
        return define(spec)
    return define_run(spec, TemplateBody(name, fields_of(run, record)))


def fields_of(run: JsonObject, record: JsonObject | None) -> JsonObject:
    """What a run took from its template. Raises CannotShow."""
    fact = record_fact(record, limit=LARGEST) if record else None
    value = fact.payload.value if fact is not None and not fact.problem else None
    if not isinstance(value, dict):
        name = text(section(run, "metadata"), "name")
        text_ = f"the definition of {name} cannot be read: {fact.problem if fact else 'no record'}"
        raise CannotShow(text_)
    return value


def observed_run(run: JsonObject, definition: Definition, *, now: datetime) -> Observed:
    """The run without pods and other objects. Raises CannotShow."""
    metadata = section(run, "metadata")
    generation = metadata.get("generation")
    return Observed(
        name=text(metadata, "name"),
        namespace=text(metadata, "namespace"),
        uid=text(metadata, "uid"),
        generation=generation if isinstance(generation, int) else 1,
        resource_version=text(metadata, "resourceVersion"),
        created_at=parse_timestamp(text(metadata, "creationTimestamp")) or now,
        definition=definition,
        status=status_of(run),
        origin=Own(),
    )
