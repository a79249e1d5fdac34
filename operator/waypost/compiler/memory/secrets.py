"""Which secrets of a pod must not be in its output, because the run remembers it (S750)."""

from typing import NamedTuple

from waypost.api.kinds.table import work_of
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.node_settings import isolation_of
from waypost.expressions.templates import references_in


class HeldBack(NamedTuple):
    """Where the pod has these secrets: variables, and mounted folders or files."""

    env: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def held_back(spec: AgentWorkflowSpec, node: Node) -> HeldBack:
    """The secrets that the output of a node must not have; none if it is not remembered."""
    if not _is_remembered(spec, node):
        return HeldBack()
    env = [one.name for one in getattr(work_of(node), "env", None) or () if _is_secret(one)]
    volumes = isolation_of(spec, node).volumes or ()
    return HeldBack(tuple(env), tuple(one.mount_path for one in volumes if one.secret))


def _is_secret(variable: object) -> bool:
    source = getattr(variable, "value_from", None)
    return source is not None and source.secret_key_ref is not None


def _is_remembered(spec: AgentWorkflowSpec, node: Node) -> bool:
    """Whether facts of the node are kept, or the Episode reads its output."""
    memory = spec.memory
    if memory is None:
        return False
    named = {one.node for one in references_in(memory.remember or {})}
    return node.remember is not None or node.name in named
