"""The templates among the files, and the check of the runs that refer to them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from waypost.api import meta
from waypost.compiler.definition import define
from waypost.compiler.problems import Problem
from waypost.compiler.templates import body_of, define_run, define_template
from waypost.protocol.ijson import Json

_KIND: Final = meta.AGENT_WORKFLOW_TEMPLATE.kind


@dataclass
class FoundTemplate:
    """One template of the files."""

    name: str
    namespace: str
    spec: Json

    @cached_property
    def is_valid(self) -> bool:
        """Whether its own check finds no error."""
        return not define_template(self.spec).problems


class Templates:
    """The templates of all files that are checked together."""

    def __init__(self, objects: Iterable[Json] = ()) -> None:
        self._found = [template for value in objects if (template := _template(value))]

    def of_run(self, run: Mapping[str, Any]) -> FoundTemplate | None:
        """The template that a run refers to. A file without a namespace fits each namespace."""
        spec = run.get("spec")
        reference = spec.get("templateRef") if isinstance(spec, Mapping) else None
        name = reference.get("name") if isinstance(reference, Mapping) else None
        namespace = _namespace(run)
        fitting = [
            template
            for template in self._found
            if template.name == name
            and (template.namespace == namespace or not (template.namespace and namespace))
        ]
        same = [template for template in fitting if template.namespace == namespace]
        return next(iter(same or fitting), None)


def run_problems(spec: Json, template: FoundTemplate | None) -> Iterator[Problem]:
    """What the operator says about the spec of a run, with the template that it refers to."""
    definition = define(spec)
    reference = definition.spec.template_ref if definition.spec is not None else None
    if reference is None or definition.problems:
        yield from (*definition.problems, *definition.warnings)
    elif template is None:
        text = (
            f"template {reference.name} is not among the files: inputs and outputs are not checked"
        )
        yield Problem("templateRef.name", text, "warning")
    elif not template.is_valid:
        yield Problem("templateRef.name", f"template {reference.name} is not valid; correct it")
    else:
        definition = define_run(spec, body_of(template.name, template.spec))
        yield from (*definition.problems, *definition.warnings)


def _template(value: Json) -> FoundTemplate | None:
    if not isinstance(value, Mapping) or value.get("kind") != _KIND:
        return None
    metadata = value.get("metadata")
    name = metadata.get("name") if isinstance(metadata, Mapping) else None
    return FoundTemplate(name, _namespace(value), value.get("spec")) if name else None


def _namespace(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    return str(metadata.get("namespace") or "") if isinstance(metadata, Mapping) else ""
