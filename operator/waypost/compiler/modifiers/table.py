"""The modifiers of nodes. A new one is a module and a line here."""

from typing import Final

from waypost.api.modifiers.repeat import Iterations
from waypost.api.workflow import Node
from waypost.compiler.modifiers import for_each, iterations, repeat
from waypost.compiler.modifiers.modifier import Modifier

MODIFIERS: Final[dict[str, Modifier]] = {
    modifier.name: modifier for modifier in (for_each.MODIFIER, repeat.MODIFIER)
}


def modifier_of(node: Node) -> Modifier | None:
    """The modifier of an accepted node, of which a node has at most one."""
    if isinstance(node.for_each, Iterations):
        return iterations.MODIFIER
    return next((one for one in MODIFIERS.values() if one.is_set(node)), None)


def modifiers_with(variable: str) -> tuple[str, ...]:
    """The names of the modifiers that have a variable of this name."""
    return tuple(name for name, one in MODIFIERS.items() if variable in one.variables)
