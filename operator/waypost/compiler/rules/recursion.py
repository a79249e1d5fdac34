"""Templates that call each other in a circle, or more deeply than a tree of runs may be."""

from collections.abc import Iterator, Mapping

from waypost.api.base import JsonObject
from waypost.api.template.parent import MAX_LEVELS
from waypost.compiler.calls import called_templates
from waypost.compiler.problems import Problem


def recursion_problems(
    name: str, fields: JsonObject, templates: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """Report calls that lead back to a template, or too deep, as far as the templates are known.

    Args:
        name: The template whose body it is; "" for a run with its own nodes.
        fields: The fields of `WorkflowBody`, as JSON.
        templates: `spec` of the known AgentWorkflowTemplates, by name.
    """
    sound: dict[str, int] = {}  # templates without a problem, and the level at which they stood
    for field, called in called_templates(fields):
        path = _chain((name, called), templates, sound)
        shown = " -> ".join(one or "(nodes in the run)" for one in path)
        if path and path[-1] in path[:-1]:
            circle = " -> ".join(path[path.index(path[-1]) :])
            yield Problem(field, f"template {path[-1]} calls itself: {circle}; end the recursion")
        elif path:
            text = f"a tree has at most {MAX_LEVELS} levels of runs, this would be one more: "
            advice = "move nodes of the deepest template into the one above"
            yield Problem(field, f"{text}{shown}; {advice}")


def _chain(
    path: tuple[str, ...], templates: Mapping[str, JsonObject], sound: dict[str, int]
) -> tuple[str, ...]:
    """A chain of calls that begins with `path` and is a circle or too long; empty if none is."""
    last = path[-1]
    if last in path[:-1] or len(path) > MAX_LEVELS:
        return path
    if sound.get(last, 0) >= len(path) or last not in templates:
        return ()
    for called in dict.fromkeys(called for _, called in called_templates(templates[last])):
        if found := _chain((*path, called), templates, sound):
            return found
    sound[last] = len(path)
    return ()
