"""The data of a node: inputs, checked against its schema, and the context of its fields."""

from waypost.api.base import JsonObject
from waypost.engine.state import visible
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.transition import Transition, iteration_path
from waypost.expressions.templates import RenderError, render_json
from waypost.expressions.values import Unavailable, declare_numbers
from waypost.kube import names
from waypost.protocol import ijson, schema
from waypost.protocol.reasons import Reason


def invalid_reason(transition: Transition, message: str) -> Reason:
    """The reason of a node whose data cannot be used: ResultLost if a NodeRecord that it reads is
    gone, else InputInvalid."""
    for value in transition.observed.payloads.values():
        if isinstance(value, Unavailable) and value.lost and value.why in message:
            return Reason.RESULT_LOST
    return Reason.INPUT_INVALID


def context_for(transition: Transition, path: str) -> JsonObject:
    """The evaluation context of a node whose dependencies have all ended."""
    return transition.context(transition.graph.dependencies[path].all)


def resolve(transition: Transition, path: str) -> Inputs | Invalid:
    """Evaluate `inputs`, apply defaults, and check `inputSchema` (S33, last step)."""
    node = transition.node(path)
    view = {**context_for(transition, path), **loop_variables(transition, path)}
    values = render_json(node.inputs or {}, view)
    if isinstance(values, RenderError):
        return Invalid(
            f"inputs.{values.path}: {values.message}{_missing_outputs(transition, path)}"
        )
    assert isinstance(values, dict), "an object renders to an object"
    if node.input_schema is not None:
        completed = schema.apply_defaults(node.input_schema, values)
        violations = schema.validate(node.input_schema, completed)
        if violations:
            listed = "; ".join(str(v) for v in violations)
            return Invalid(f"inputs do not meet inputSchema: {listed}")
        assert isinstance(completed, dict), "defaults keep an object an object"
        values = completed
    digest = ijson.digest(values)
    key = names.idempotency_key(
        run_uid=transition.observed.uid,
        path=iteration_path(transition.statuses[path]),
        input_digest=digest,
        repeats=transition.statuses[path].repeats or 0,
    )
    return Inputs(values, digest, key, view, node.input_schema)


def loop_variables(transition: Transition, path: str) -> JsonObject:
    """`index` and `previous` of a node with repeat; empty for other nodes.

    `previous` is empty in the first iteration.
    """
    node = transition.node(path)
    if node.repeat is None:
        return {}
    loop = transition.statuses[path].loop
    index = loop.number if loop is not None else 0
    if loop is None or loop.previous is None:
        return {"index": index, "previous": {}}
    output = declare_numbers(transition.payload(loop.previous), node.output_schema)
    return {"index": index, "previous": {"output": output}}


def own_context(inputs: Inputs, *, path: str, attempt: int) -> JsonObject:
    """The evaluation context of the node's own fields: `inputs.view` with `self`."""
    return visible.with_self(
        inputs.view,
        name=path,
        inputs=declare_numbers(inputs.values, inputs.schema),
        attempt=attempt,
        idempotency_key=inputs.idempotency_key,
    )


def _missing_outputs(transition: Transition, path: str) -> str:
    """Which referenced nodes gave no output, for the message of a failed evaluation (S32)."""
    absent = [
        f"{name} is {transition.statuses[name].phase}"
        for name in sorted(transition.graph.dependencies[path].all)
        if not visible.has_output(transition.node(name), transition.statuses[name])
    ]
    return f" ({', '.join(absent)} and has no output)" if absent else ""
