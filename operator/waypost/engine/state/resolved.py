"""Resolved references of a node: documents and key files."""

from dataclasses import dataclass

from waypost.api.base import JsonObject
from waypost.kube.secret_files import KeyFile


@dataclass(frozen=True)
class Resolved:
    """A part of the request document, and the key files that it names. `added`: what the model
    gateway reads instead of the pod."""

    document: JsonObject
    files: tuple[KeyFile, ...] = ()
    added: tuple[KeyFile, ...] = ()
