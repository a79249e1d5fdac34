"""The templates among the files, and the check of the runs that refer to them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

from waypost.api import meta
from waypost.api.base import JsonObject
from waypost.compiler.calls import called_templates
from waypost.compiler.problems import Problem, did_you_mean
from waypost.compiler.templates import body_of, define_own, define_run, define_template
from waypost.protocol.ijson import Json

_KIND: Final = meta.AGENT_WORKFLOW_TEMPLATE.kind


@dataclass
class FoundTemplate:
    """One template of the files."""

    name: str
    namespace: str
    spec: Json

    @property
    def fields(self) -> dict[str, Any]:
        """Its spec, if that is an object."""
        return dict(self.spec) if isinstance(self.spec, Mapping) else {}

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
        return self._fitting(_namespace(run)).get(name) if isinstance(name, str) else None

    def seen_by(self, value: Mapping[str, Any]) -> dict[str, JsonObject]:
        """`spec` of the templates that nodes of an object can call, by name."""
        fitting = self._fitting(_namespace(value))
        return {name: template.fields for name, template in fitting.items()}

    def _fitting(self, namespace: str) -> dict[str, FoundTemplate]:
        """The templates of a namespace by name; one of the same namespace comes first."""
        fitting = [
            template
            for template in self._found
            if template.namespace == namespace or not (template.namespace and namespace)
        ]
        fitting.sort(key=lambda template: template.namespace != namespace)
        return {template.name: template for template in reversed(fitting)}


def template_problems(spec: Json, name: str, known: Mapping[str, JsonObject]) -> Iterator[Problem]:
    """What the operator says about a template, with the templates that it calls."""
    definition = define_template(spec, name=name, templates=known)
    yield from (*definition.problems, *definition.warnings)
    yield from _not_there(spec, known)


def not_among(name: str, known: Iterable[str], unchecked: str) -> str:
    """The warning about a template that is not among the files, with what is not checked."""
    text = f"template {name} is not among the files: {unchecked} are not checked"
    return text + did_you_mean(name, known)


def _not_there(spec: Json, known: Mapping[str, JsonObject]) -> Iterator[Problem]:
    """Warn of calls of templates that are not among the files."""
    for field, name in called_templates(dict(spec) if isinstance(spec, Mapping) else {}):
        if name not in known:
            place = field.removesuffix(".workflow.templateRef.name")
            node = place.removesuffix(".compensate").rpartition(".")[2]
            text = not_among(name, known, f"inputs and outputs of {node}")
            yield Problem(field, text, "warning")


def run_problems(
    spec: Json, template: FoundTemplate | None, known: Mapping[str, JsonObject]
) -> Iterator[Problem]:
    """What the operator says about the spec of a run, with the template that it refers to and the
    `known` ones that nodes call."""
    definition = define_own(spec, known)
    reference = definition.spec.template_ref if definition.spec is not None else None
    if reference is None or definition.problems:
        yield from (*definition.problems, *definition.warnings)
        yield from _not_there(spec, known)
    elif template is None:
        text = not_among(reference.name, known, "inputs and outputs")
        yield Problem("templateRef.name", text, "warning")
    elif not template.is_valid:
        yield Problem("templateRef.name", f"template {reference.name} is not valid; correct it")
    else:
        definition = define_run(spec, body_of(template.name, template.spec), known)
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
