"""What the compiler says of a map: which of its items stay the same in another round."""

from waypost.api.base import JsonObject
from waypost.api.workflow import Node
from waypost.compiler.graph import evaluated_fields
from waypost.expressions.templates import paths_in
from waypost.protocol import ijson


def list_source(node: Node, inputs: JsonObject) -> str | None:
    """A digest of forEach.items and of the run's inputs that it reads; None for another node.

    If it changed, a round evaluates the list again, and items with the same identity keep their
    results.
    """
    if node.for_each is None:
        return None
    text = node.for_each.items
    roots = {path.fields[:1] for path in paths_in(text) if path.root == "inputs"}
    named = {key: inputs[key] for key in sorted(inputs) if (key,) in roots}
    return ijson.digest({"items": text, "inputs": inputs if () in roots else named})


def item_variables(node: Node) -> frozenset[str]:
    """Which of `item` and `index` the evaluated fields of a map read beside its inputs."""
    return frozenset(
        path.root
        for field, value in evaluated_fields(node)
        if not field.startswith(("inputs.", "forEach."))
        for path in paths_in(value)
        if path.root in ("item", "index")
    )
