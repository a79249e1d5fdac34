"""What the operator says about an EventSource, and whether the templates among the files take what
it starts."""

from collections.abc import Iterator, Mapping
from typing import Any

from waypost.api.source.model import StartedRun
from waypost.cli.lint.templates import Templates, not_among
from waypost.compiler.problems import Problem
from waypost.kube import objects
from waypost.protocol.ijson import Json
from waypost.sources.status import read


def source_problems(
    spec: Json, value: Mapping[str, Any], templates: Templates
) -> Iterator[Problem]:
    """The problems of a source.

    Args:
        spec: `spec`, as the API server would store it.
        value: The whole object of the file.
        templates: The templates of all files.
    """
    parsed, problems = read(spec)
    yield from problems
    for at, rule in enumerate(parsed.rules if parsed is not None else ()):
        if rule.start is not None:
            yield from _of_start(f"rules[{at}].start", rule.start, value, templates)


def _of_start(
    place: str, start: StartedRun, value: Mapping[str, Any], templates: Templates
) -> Iterator[Problem]:
    reference = {"templateRef": {"name": start.template_ref.name}}
    template = templates.of_run({**value, "spec": reference})
    field = f"{place}.templateRef.name"
    name = start.template_ref.name
    if template is None:
        text = not_among(name, templates.seen_by(value), "its triggers and inputs")
        yield Problem(field, text, "warning")
        return
    source = objects.text(objects.section(value, "metadata"), "name")
    triggers = objects.items(template.fields, "triggers")
    if source not in [one.get("eventSource") for one in triggers]:
        text = (
            f"template {name} does not list this source; add {{eventSource: {source}}} to its "
            "spec.triggers"
        )
        yield Problem(field, text)
    shape = template.fields.get("inputSchema")
    required = shape.get("required") if isinstance(shape, Mapping) else None
    given = start.inputs or {}
    for key in required if isinstance(required, list) else ():
        if key not in given:
            yield Problem(f"{place}.inputs", f"template {name} requires the input {key!r}")
