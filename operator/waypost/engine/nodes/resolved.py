"""Resolved references of a node: documents and key files; and defaults merged with own fields."""

from dataclasses import dataclass
from typing import TypeVar

from waypost.api.base import JsonObject, Model
from waypost.kube.secret_files import KeyFile

_M = TypeVar("_M", bound=Model)


@dataclass(frozen=True)
class Resolved:
    """A part of the request document, and the key files that it names."""

    document: JsonObject
    files: tuple[KeyFile, ...] = ()


def merged(model: type[_M], *layers: _M | None) -> _M:
    """One model with the fields of all `layers`; later layers override earlier ones."""
    fields: JsonObject = {}
    for layer in layers:
        if layer is not None:
            fields |= layer.model_dump(exclude_none=True)
    return model.model_validate(fields)
