"""The inputs of a node once they are resolved, or why they cannot be."""

from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue


@dataclass(frozen=True)
class Inputs:
    """The resolved inputs of a node, and the context of its fields."""

    values: JsonObject
    digest: str
    idempotency_key: str
    view: JsonObject  # the evaluation context, with inputs, nodes and run, without self
    schema: JsonValue = None  # the node's inputSchema


@dataclass(frozen=True)
class Invalid:
    """Why a node's data cannot be used: the field, the expected value and the actual one."""

    message: str


@dataclass(frozen=True)
class Forbidden:
    """The policy of the platform does not allow what the pod uses; `message` names it."""

    message: str


@dataclass(frozen=True)
class Missing:
    """A resource that the node refers to does not exist; `message` names it and its namespace."""

    message: str
