"""What a modifier of a node provides to the compiler, with defaults."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from waypost.api.base import JsonValue
from waypost.api.workflow import Node
from waypost.protocol.ijson import Json

Fields = Iterator[tuple[str, Any]]


def no_fields(node: Node) -> Fields:
    """For modifiers without such fields."""
    return iter(())


@dataclass(frozen=True)
class Typing:
    """What is known of types when the variables of a node are declared.

    Attributes:
        one: The schema of the output of one item or iteration.
        infer: The inferred schema of a value with templates, in the context of the node's `when`.
    """

    one: Json
    infer: Callable[[JsonValue], Json]


def same_output(node: Node, one: Json) -> Json:
    """For modifiers whose node has the output of one of its executions."""
    return one


def no_error(one: Json) -> Mapping[str, Json]:
    """For modifiers whose nodes fail as others do."""
    return {}


def nothing(node: Node) -> JsonValue:
    """For modifiers that do not change what a checkpoint means."""
    return None


@dataclass(frozen=True)
class Modifier:
    """One modifier. Its variables exist in every evaluated field of its node but `when`.

    Attributes:
        name: The field of a node that holds it, as in a manifest.
        attribute: The same field of the model `Node`.
        variables: The names of its variables.
        types: Their schemas.
        kinds: The kinds of nodes that may have it.
        instead: What to use with another kind, by kind.
        evaluated_fields: Its own fields with `${...}`, such as `repeat.until`, with their values.
        own_variables: The variables that exist in its own fields, by field.
        conditions: Its own fields that are one expression, true or false.
        own_self: The schema of `self` in its own fields, from the output of one execution; None if
            they have no `self`.
        output: The schema of `nodes.x.output`, from the output of one execution.
        beside_output: Further fields of `nodes.x`, which exist where its output does.
        error: Further optional fields of `nodes.x.error`, from the output of one execution.
        durations: Its own fields with a duration, with their texts.
        fingerprinted: The part of the block that determines the result.
        compared: Its own fields whose values a round compares, so that no fingerprint covers them.
    """

    name: str
    attribute: str
    variables: tuple[str, ...]
    types: Callable[[Node, Typing], Mapping[str, Json]]
    kinds: frozenset[str]
    instead: Mapping[str, str] = field(default_factory=dict)
    evaluated_fields: Callable[[Node], Fields] = no_fields
    own_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    conditions: frozenset[str] = frozenset()
    own_self: Callable[[Json], Json] | None = None
    output: Callable[[Node, Json], Json] = same_output
    beside_output: Mapping[str, Json] = field(default_factory=dict)
    error: Callable[[Json], Mapping[str, Json]] = no_error
    durations: Callable[[Node], Iterator[tuple[str, str | None]]] = no_fields
    fingerprinted: Callable[[Node], JsonValue] = nothing
    compared: frozenset[str] = frozenset()

    def is_set(self, node: Node) -> bool:
        """Whether a node has this modifier."""
        return getattr(node, self.attribute, None) is not None

    def visible_in(self, field: str) -> tuple[str, ...]:
        """The variables that exist in a field of its node; `field` is its path below the node."""
        if field == "when":
            return ()
        if field.startswith(f"{self.name}."):
            return self.own_variables.get(field, ())
        return self.variables
