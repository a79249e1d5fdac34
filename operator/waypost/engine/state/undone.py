"""What a compensation sees of the node that it undoes, as `self` in its inputs."""

from collections.abc import Mapping

from waypost.api.base import JsonObject, JsonValue
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler.node_output import with_numbers
from waypost.engine.state import visible
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.paths import iteration_path
from waypost.expressions.values import Unavailable, declare_numbers
from waypost.kube import names


def view(
    node: Node,
    status: NodeStatus,
    *,
    run_uid: str,
    resolved: Inputs | Invalid,
    payloads: Mapping[str, JsonValue],
) -> JsonObject:
    """`self` in the inputs of the compensation of a node.

    Args:
        node: The definition of the node.
        status: Its status.
        run_uid: The uid of its run.
        resolved: Its inputs as they are evaluated now.
        payloads: The values of the loaded NodeRecords, by name.

    Returns:
        A dict with `name`, `inputs` (an Unavailable if they are not those with which it ran),
        `idempotencyKey` and, if it succeeded, `output`.
    """
    name, digest = status.path, status.input_digest
    me: JsonObject = {"name": name, "inputs": _inputs(name, digest, resolved)}
    if digest is None and isinstance(resolved, Inputs):
        digest = resolved.digest
    if digest is not None:
        me["idempotencyKey"] = names.idempotency_key(
            run_uid=run_uid,
            path=iteration_path(status),
            input_digest=digest,
            repeats=status.repeats or 0,
        )
    if status.phase == "Succeeded":
        me["output"] = with_numbers(node, visible.output_of(node, status, payloads))
    return me


def _inputs(name: str, digest: str | None, resolved: Inputs | Invalid) -> JsonObject | Unavailable:
    if isinstance(resolved, Invalid):
        return Unavailable(f"the inputs of {name} cannot be evaluated again: {resolved.message}")
    if digest is not None and digest != resolved.digest:
        text = f"a later round changed the inputs of {name} or what they read, after it had run"
        return Unavailable(text)
    values: JsonObject = declare_numbers(resolved.values, resolved.schema)
    return values
