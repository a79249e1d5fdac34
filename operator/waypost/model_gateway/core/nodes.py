"""The node of a caller, in the definition of its run."""

from pydantic import ValidationError

from waypost.api.base import JsonObject
from waypost.api.isolation.model import merged
from waypost.api.paths import parse_path
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.model_gateway.core.refusals import CallRefusal, CallRefused


def spec_of(definition: JsonObject) -> AgentWorkflowSpec:
    """The spec of a run, with what it took from its template. Raises CallRefused."""
    try:
        return AgentWorkflowSpec.model_validate(definition)
    except ValidationError:
        text = "the definition of the run cannot be read"
        raise CallRefused(CallRefusal.CALLER, text) from None


def node_at(spec: AgentWorkflowSpec, path: str) -> tuple[str, Node | None]:
    """The name of the node of a path, and the node; None if the run has none of this name."""
    name = parse_path(path).entry
    return name, next((node for node in spec.all_nodes if node.name == name), None)


def require_gateway(spec: AgentWorkflowSpec, node: Node, *, passes: str) -> None:
    """Raise CallRefused unless a node has the effective egress Gateway.

    Args:
        spec: The run.
        node: One of its nodes.
        passes: What only then passes, with its verb.
    """
    egress = merged(spec.defaults.isolation if spec.defaults else None, node.isolation).egress
    if egress != "Gateway":
        text = f"node {node.name} has egress {egress or 'Inherit'}; only with Gateway {passes}"
        raise CallRefused(CallRefusal.CALLER, text)
