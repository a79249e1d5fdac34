"""Where a field of a run belongs that stands somewhere else: `image` is a field of `container`."""

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args

from pydantic import BaseModel

from waypost.api.effects.compensate import Compensate
from waypost.api.template.local import LocalTemplate
from waypost.api.workflow import AgentWorkflowSpec, Node

_DEPTH: Final = 2
# Their fields are those of a node and of a run.
_REPEATED: Final = (Node, LocalTemplate, Compensate)
_MOST: Final = 5  # a name in more places says nothing about what was meant


def places_of(name: str) -> tuple[str, ...]:
    """The places of the field `name`, for people; none if there is no such field or it has many."""
    places = _places().get(name, ())
    return places if len(places) <= _MOST else ()


@cache
def _places() -> Mapping[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for model, of_what in ((AgentWorkflowSpec, "the run"), (Node, "a node")):
        for path in _paths(model, ()):
            found.setdefault(path[-1], []).append(f"{'.'.join(path)} of {of_what}")
    return {name: tuple(places) for name, places in found.items()}


def _paths(model: type[BaseModel], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        path = (*above, field.alias or name)
        yield path
        inner = next(_models_in(field.annotation), None)
        if inner is not None and not issubclass(inner, _REPEATED) and len(path) < _DEPTH:
            yield from _paths(inner, path)


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
