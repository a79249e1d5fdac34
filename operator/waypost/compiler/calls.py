"""Which templates the `workflow` nodes of a body call, and what a child run takes from a local one.

Bodies are JSON: the API server stores the nodes of local templates without structure, so any form
is accepted here.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from waypost.api.base import JsonObject
from waypost.api.template.local import SHARED
from waypost.kube.objects import items, section, text


def body_of_local(fields: JsonObject, name: str) -> JsonObject | None:
    """What a child run takes from a local template.

    Args:
        fields: Those of `WorkflowBody` around the local template.
        name: The name of the local template.

    Returns:
        Its fields, those that it shares with the body around it, and the local templates that it
        calls, directly or through others; None if there is no such local template.
    """
    given = local_templates(fields)
    if name not in given:
        return None
    body = {key: fields[key] for key in SHARED if fields.get(key) is not None}
    own = given[name]
    body |= {key: own[key] for key in own if key != "name" and own[key] is not None}
    reached = reached_from(given, own)
    called = [one for one in items(fields, "templates") if text(one, "name") in reached]
    return {**body, "templates": called} if called else body


def local_templates(fields: JsonObject) -> dict[str, JsonObject]:
    """The local templates of a body, by name."""
    return {text(one, "name"): one for one in items(fields, "templates")}


def called_local(body: JsonObject) -> list[str]:
    """The local templates that the nodes of a body call, in order."""
    names = (text(section(node, "workflow"), "template") for _, node in _nodes(body))
    return list(dict.fromkeys(name for name in names if name))


def called_templates(body: JsonObject) -> Iterator[tuple[str, str]]:
    """(field, AgentWorkflowTemplate) of each call in a body, those in its local templates too."""
    parts = [("", body)]
    parts += [(f"templates.{name}.", one) for name, one in local_templates(body).items()]
    for prefix, part in parts:
        for place, node in _nodes(part):
            name = text(section(node, "workflow", "templateRef"), "name")
            if name:
                yield f"{prefix}{place}.workflow.templateRef.name", name


def reached_from(given: Mapping[str, JsonObject], body: JsonObject) -> set[str]:
    """Those of the local templates `given` that a body calls, directly or through others."""
    reached: set[str] = set()
    pending = _known(given, called_local(body))
    while pending:
        name = pending.pop()
        if name not in reached:
            reached.add(name)
            pending += _known(given, called_local(given[name]))
    return reached


def longest_chain(given: Mapping[str, JsonObject], name: str, most: int) -> tuple[str, ...]:
    """The longest chain of calls between local templates that begins with one of them.

    It ends early with a template that is in it already, or after `most` templates.
    """
    return _longest(given, (name,), most)


def _longest(given: Mapping[str, JsonObject], path: tuple[str, ...], most: int) -> tuple[str, ...]:
    best = path
    for name in _known(given, called_local(given[path[-1]])):
        if name in path:
            return (*path, name)
        longer = _longest(given, (*path, name), most) if len(path) < most else path
        if longer[-1] in longer[:-1]:
            return longer
        best = max(best, longer, key=len)
    return best


def _known(given: Mapping[str, JsonObject], names: Iterable[str]) -> list[str]:
    return [name for name in names if name in given]


def _nodes(body: JsonObject) -> Iterator[tuple[str, dict[str, Any]]]:
    """Nodes and compensations, with their places."""
    for field in ("nodes", "finally"):
        for node in items(body, field):
            place = f"{field}.{text(node, 'name')}"
            yield place, node
            yield f"{place}.compensate", section(node, "compensate")
