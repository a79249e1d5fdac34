"""The output of a node as its outputSchema declares it: of a map, the schema is of one item."""

from collections.abc import Iterator

from waypost.api.base import JsonValue
from waypost.api.workflow import Node
from waypost.compiler.modifiers.for_each import COUNTS
from waypost.expressions.values import declare_numbers
from waypost.protocol import schema


def violations(node: Node, value: JsonValue) -> Iterator[str]:
    """Why `value` cannot be the output of a node, as texts."""
    for_each = node.for_each
    if for_each is None:
        yield from _of(node.output_schema, value)
    elif not for_each.keeps_outputs:
        yield from _of(COUNTS, value)
    elif not isinstance(value, list):
        yield "expected a list with an output for each item"
    else:
        for index, output in enumerate(value):
            if output is None and for_each.tolerates_failures:
                continue
            for text in _of(node.output_schema, output):
                yield f"[{index}]: {text}"


def with_numbers(node: Node, value: JsonValue) -> JsonValue:
    """An output of a node with the numbers that its outputSchema declares."""
    if node.for_each is None or not isinstance(value, list):
        return declare_numbers(value, node.output_schema)
    return [declare_numbers(output, node.output_schema) for output in value]


def _of(declared: JsonValue, value: JsonValue) -> Iterator[str]:
    if declared is not None:
        yield from map(str, schema.validate(declared, value))
