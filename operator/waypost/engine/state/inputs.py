"""The inputs of a node once they are resolved, or why they cannot be."""

from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue


@dataclass(frozen=True)
class Inputs:
    """Resolved inputs of a node, with the data its own fields may see."""

    values: JsonObject
    digest: str
    idempotency_key: str
    view: JsonObject  # inputs, nodes, run: without self
    schema: JsonValue = None


@dataclass(frozen=True)
class Invalid:
    """Why a node's data cannot be used: field, what was expected, what was found."""

    message: str


@dataclass(frozen=True)
class Missing:
    """Something the node refers to is not there (yet); `message` names it and its namespace."""

    message: str
