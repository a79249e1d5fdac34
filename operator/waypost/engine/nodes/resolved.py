"""What a node refers to, resolved: documents and key files; and defaults merged with own fields."""

from dataclasses import dataclass
from typing import TypeVar

from waypost.api.base import JsonObject, Model
from waypost.kube.secret_files import KeyFile

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True)
class Resolved:
    """A part of the request document, and the files it speaks of."""

    document: JsonObject
    files: tuple[KeyFile, ...] = ()


def merged(model: type[_M], *layers: _M | None) -> _M:
    """The fields of `layers`, later ones over earlier ones."""
    fields: JsonObject = {}
    for layer in layers:
        if layer is not None:
            fields |= layer.model_dump(exclude_none=True)
    return model.model_validate(fields)
