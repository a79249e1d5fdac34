"""Validation errors of the models as problems: the field, what is wrong, the actual value."""

from collections.abc import Iterator
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError

from waypost.api.validation import words
from waypost.compiler.problems import Problem
from waypost.compiler.vocabulary import unknown_field

_MAX: Final = 5


def problems_of(
    error: ValidationError, model: type[BaseModel], at: str = ""
) -> tuple[Problem, ...]:
    """The first problems that `model` reports about an object, at most five.

    Args:
        error: What the model reports.
        model: The model.
        at: The field of the spec that has the object; "" for the spec itself.
    """
    details = error.errors(include_url=False)[:_MAX]
    return tuple(_problem(dict(detail), model, at) for detail in details)


def _problem(detail: dict[str, Any], model: type[BaseModel], at: str) -> Problem:
    place = ".".join(filter(None, (at, words.place_of(detail))))
    if detail["type"] == "extra_forbidden":
        *path, name = detail["loc"]
        parent = place.removesuffix(str(name)).rstrip(".") or "spec"
        kind = model.__name__.removesuffix("Spec")
        shown = str(name) or '""'
        text = unknown_field(shown, path=parent, known=_fields_at(model, path), kind=kind)
        return Problem(field=place.rstrip(".") or "spec", message=text)
    text = words.words_of(detail)
    if detail["type"] != "missing":  # there the value is what it is missing in
        text = f"{text}, found {words.found_in(detail)}"
    return Problem(field=place or "spec", message=text)


def _fields_at(model: type[BaseModel], path: list[int | str]) -> list[str]:
    """The fields, as written in YAML, of the model at `path` in `model`."""
    current: type[BaseModel] | None = model
    for part in path:
        if current is None or isinstance(part, int):
            continue
        fields = current.model_fields
        named = [f for name, f in fields.items() if part in (name, f.alias)]
        current = next(_models_in(named[0].annotation), None) if named else None
    if current is None:
        return []
    return [field.alias or name for name, field in current.model_fields.items()]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
