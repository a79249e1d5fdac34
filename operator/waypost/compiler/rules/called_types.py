"""The types of the templates that the nodes of a spec call."""

from collections.abc import Iterator, Mapping

from waypost.api.base import JsonObject
from waypost.api.template.called import Called
from waypost.api.workflow import AgentWorkflowSpec
from waypost.compiler.shared_schemas import bundle
from waypost.compiler.types.called import CalledTypes
from waypost.kube.objects import section
from waypost.protocol import ijson, schema
from waypost.protocol.ijson import Json


def called_types(
    spec: AgentWorkflowSpec, locals_: Mapping[str, JsonObject], templates: Mapping[str, JsonObject]
) -> dict[str, CalledTypes]:
    """The types of the templates that the nodes of a spec call, by the name of the node.

    Args:
        spec: The spec.
        locals_: Its local templates, as JSON, by name.
        templates: The AgentWorkflowTemplates that are known: their `spec`, by name.
    """
    return dict(_each(spec, locals_, templates))


def _each(
    spec: AgentWorkflowSpec, locals_: Mapping[str, JsonObject], templates: Mapping[str, JsonObject]
) -> Iterator[tuple[str, CalledTypes]]:
    for node in spec.all_nodes:
        if node.workflow is None:
            continue
        called = node.workflow.called
        body = (locals_ if called.local else templates).get(called.name)
        shared = spec.schemas if called.local else section(body, "schemas")
        if body is not None:
            yield node.name, _types(called, body, shared or {})


def _types(called: Called, body: JsonObject, shared: JsonObject) -> CalledTypes:
    return CalledTypes(
        template=f"{'local template' if called.local else 'template'} {called.name}",
        takes=_usable(body.get("inputSchema"), shared),
        declared=_usable(body.get("outputSchema"), shared),
        outputs=tuple(section(body, "outputs")),
    )


def _usable(given: Json, shared: JsonObject) -> Json | None:
    """A schema of a template, self-contained; None if there is none, or it is not valid: the check
    of the template reports that."""
    if not isinstance(given, dict) or not all(isinstance(one, dict) for one in shared.values()):
        return None
    try:
        ijson.check([given, shared])
        alone = bundle(given, shared)
    except (ijson.IJsonError, KeyError):  # nested too deep, or an unknown name of `schemas`
        return None
    return None if schema.check_schema(alone) else alone
