"""The data of a node: inputs, checked against its schema, and the context of its fields."""

from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import changed_loop, changed_node
from waypost.api.nodes.artifacts import from_made_texts
from waypost.api.paths import parse_path
from waypost.api.workflow import CompensationNode, Node
from waypost.engine.state import undone, visible
from waypost.engine.state.inputs import Inputs, Invalid
from waypost.engine.state.paths import iteration_path, node_of
from waypost.engine.state.transition import Transition
from waypost.expressions.templates import RenderError, paths_in, render_json
from waypost.expressions.values import Unavailable, declare_numbers
from waypost.kube import names
from waypost.kube.items.marks import mark_of
from waypost.kube.items.undone import UndoneItem, item_of
from waypost.kube.loops import iterations
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
    """The evaluation context of a node whose dependencies have all ended, or of one of its items
    without `item` and `index`."""
    return transition.context(transition.graph.dependencies[node_of(path)].joined)


def resolve(transition: Transition, path: str) -> Inputs | Invalid:
    """Evaluate `inputs` of a node or of an item, apply defaults, and check `inputSchema` (S33, last
    step)."""
    node = transition.node(path)
    found = _item_of(transition, path)
    if isinstance(found, Invalid):
        return found
    view = {**context_for(transition, path), **found.variables}
    if isinstance(node, CompensationNode) and node.for_each is None:
        view = {**view, "self": _undone(transition, node.undoes)}
    values = _values(transition, path, node, view)
    if isinstance(values, Invalid):
        return values
    digest = ijson.digest(values)
    key = names.idempotency_key(
        run_uid=transition.observed.uid,
        path=found.key_path,
        input_digest=digest,
        repeats=transition.statuses[path].repeats or 0,
    )
    return Inputs(values, digest, key, view, node.input_schema)


def resolve_iteration(transition: Transition, path: str, number: int) -> Inputs | Invalid:
    """The inputs of an iteration of the node at `path`: one that has succeeded, or the current one.

    The NodeRecord with the output of the iteration before must be loaded.
    """
    status, owner, node = transition.statuses[path], transition.owner, transition.node(path)
    known = {one.number: one for one in iterations(status, run=owner.name, run_uid=owner.uid)}
    before, loop = known.get(number - 1), status.loop
    assert loop is not None, "asked for loops"
    if before is None and number > 0:
        return Invalid(f"the output of {path}/{number - 1}, which it reads, is not known any more")
    last = number - 1 == max(known, default=-1)
    if not last and number > 0 and _reads_artifacts(node):
        return Invalid("previous.artifacts is only known of the last iteration that succeeded")
    then = changed_loop(
        loop,
        number=number,
        previous=before.record if before is not None else None,
        artifacts=loop.artifacts if last else None,
    )
    transition.statuses[path] = changed_node(status, loop=then)
    try:
        return resolve(transition, path)
    finally:
        transition.statuses[path] = status


def _reads_artifacts(node: Node) -> bool:
    """Whether the inputs of a node with repeat read the artifacts of the iteration before."""
    used = (path for path in paths_in(node.inputs or {}) if path.root == "previous")
    return any(path.fields[:1] in ((), ("artifacts",)) for path in used)


def _undone(transition: Transition, name: str) -> JsonObject:
    return undone.view(
        transition.node(name),
        transition.statuses[name],
        run_uid=transition.observed.uid,
        resolved=resolve(transition, name),
        payloads=transition.payloads,
    )


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
    output = declare_numbers(transition.payloads[loop.previous], node.output_schema)
    made = {one.name: visible.artifact_value(one) for one in from_made_texts(loop.artifacts)}
    artifacts: JsonObject = {"artifacts": made} if made else {}
    return {"index": index, "previous": {"output": output, **artifacts}}


def view_of_item(
    transition: Transition, path: str, context: JsonObject, item: JsonValue, index: int
) -> JsonObject:
    """The evaluation context of an item of a map that has not begun.

    Args:
        transition: The next status of the run.
        path: The path of the map.
        context: The evaluation context of the map (`context_for`), which all its items share.
        item: The item, as the list has it.
        index: Its index.
    """
    return {**context, "item": _declared(transition, path, item), "index": index}


def inputs_of_item(transition: Transition, path: str, view: JsonObject) -> JsonObject | Invalid:
    """The inputs of an item of the map at `path` that has not begun; `view`: its context."""
    return _values(transition, path, transition.node(path), view)


@dataclass(frozen=True)
class _Item:
    """What distinguishes an item or an iteration: its variables, among them `self` in the inputs of
    a compensation, and the path in its idempotency key."""

    variables: JsonObject
    key_path: str


def _item_of(transition: Transition, path: str) -> _Item | Invalid:
    parsed = parse_path(path)
    opened = transition.maps.get(parsed.entry)
    if parsed.index is None or opened is None:
        own = loop_variables(transition, path)
        return _Item(own, iteration_path(transition.statuses[path]))
    content = opened.content
    if not isinstance(content, dict):
        why = content.why if isinstance(content, Unavailable) else "it was not read"
        return Invalid(f"the list of forEach cannot be read: {why}")
    item, key_path = (
        content["items"][parsed.index],
        f"{parsed.entry}#{mark_of(content, parsed.index)}",
    )
    if parsed.compensates:  # the list has indexes of the map that is undone
        loop = transition.node(parsed.node).repeat is not None
        undo = _undone_iteration if loop else _undone_item
        undone_item = undo(transition, parsed.node, item)
        return undone_item if isinstance(undone_item, Invalid) else _Item(undone_item, key_path)
    item = _declared(transition, parsed.node, item)
    return _Item({"item": item, "index": parsed.index}, key_path)


def _undone_item(transition: Transition, name: str, index: int) -> JsonObject | Invalid:
    """`item`, `index` and `self` in the inputs of the compensation of an item of the map `name`.

    `self` has `name`, `inputs` and `idempotencyKey` (an Unavailable if they are not those with
    which the item ran) and, if it succeeded and the map keeps outputs, `output`.
    """
    node, payloads = transition.node(name), transition.payloads
    found = item_of(transition.statuses[name], payloads, index)
    if isinstance(found, str):
        return Invalid(found)
    me = {"name": name, **_inputs_of_undone(transition, name, found)}
    if found.end is not None and node.for_each is not None and node.for_each.keeps_outputs:
        value = payloads[found.end["r"]] if "r" in found.end else found.end.get("o")
        me["output"] = declare_numbers(value, node.output_schema)
    return {"item": _declared(transition, name, found.value), "index": index, "self": me}


def _undone_iteration(transition: Transition, name: str, number: int) -> JsonObject | Invalid:
    """`index` and `self` in the inputs of the compensation of an iteration of the loop `name`.

    `self` has `name`, `inputs` and `idempotencyKey` (an Unavailable if they are not those with
    which the iteration ran) and, if it succeeded, `output`.
    """
    status, owner, node = transition.statuses[name], transition.owner, transition.node(name)
    known = {one.number: one for one in iterations(status, run=owner.name, run_uid=owner.uid)}
    me: JsonObject = {"name": name}
    found = resolve_iteration(transition, name, number)
    if isinstance(found, Invalid):
        text = f"the inputs of {name}/{number} cannot be evaluated again: {found.message}"
        me |= {"inputs": Unavailable(text), "idempotencyKey": Unavailable(text)}
    elif not _is_unchanged(transition, name, {number, *known}):
        text = f"a later round changed the inputs of {name} or what they read, after it had run"
        me |= {"inputs": Unavailable(text), "idempotencyKey": Unavailable(text)}
    else:
        inputs = declare_numbers(found.values, found.schema)
        me |= {"inputs": inputs, "idempotencyKey": found.idempotency_key}
    if number in known:
        me["output"] = declare_numbers(
            transition.payloads[known[number].record], node.output_schema
        )
    return {"index": number, "self": me}


def _is_unchanged(transition: Transition, name: str, numbers: set[int]) -> bool:
    """Whether the inputs of a loop are evaluated to what they were. Status has the digest of those
    of the latest iteration that began: the last that succeeded, or the one after it."""
    digest, last = transition.statuses[name].input_digest, max(numbers)
    tried = (resolve_iteration(transition, name, at) for at in (last, last + 1))
    found = [one.digest for one in tried if isinstance(one, Inputs)]
    return digest is None or not found or digest in found


def _inputs_of_undone(transition: Transition, name: str, item: UndoneItem) -> JsonObject:
    """`inputs` and `idempotencyKey` of an item, if they are those with which it ran."""
    view = view_of_item(transition, name, context_for(transition, name), item.value, item.index)
    inputs, what = inputs_of_item(transition, name, view), f"the inputs of {name}/{item.index}"
    if isinstance(inputs, Invalid):
        lost = Unavailable(f"{what} cannot be evaluated again: {inputs.message}")
        return {"inputs": lost, "idempotencyKey": lost}
    others = transition.observed.definition.item_variables(name)
    content: JsonObject = {"inputs": inputs}
    content |= {"item": item.value} if "item" in others else {}
    content |= {"index": item.index} if "index" in others else {}
    if not item.ran_with(content):
        text = f"a later round changed {what} or what they read, after it had run"
        lost = Unavailable(text)
        return {"inputs": lost, "idempotencyKey": lost}
    key = names.idempotency_key(
        run_uid=transition.observed.uid,
        path=f"{name}#{item.mark}",
        input_digest=ijson.digest(inputs),
        repeats=transition.statuses[name].repeats or 0,
    )
    declared = declare_numbers(inputs, transition.node(name).input_schema)
    return {"inputs": declared, "idempotencyKey": key}


def _declared(transition: Transition, name: str, item: JsonValue) -> JsonValue:
    """An item with the numbers that its schema declares: the stored list has lost them (S16)."""
    return declare_numbers(item, transition.observed.definition.item_schemas.get(name, True))


def _values(
    transition: Transition, path: str, node: Node, view: JsonObject
) -> JsonObject | Invalid:
    """The inputs of a node or of an item, evaluated in the context `view`, with defaults and
    checked against `inputSchema`."""
    values = render_json(node.inputs or {}, view)
    if isinstance(values, RenderError):
        return Invalid(
            f"inputs.{values.path}: {values.message}{_missing_outputs(transition, path)}"
        )
    assert isinstance(values, dict), "an object renders to an object"
    if node.input_schema is None:
        return values
    completed = schema.apply_defaults(node.input_schema, values)
    violations = schema.validate(node.input_schema, completed)
    if violations:
        listed = "; ".join(str(v) for v in violations)
        return Invalid(f"inputs do not meet inputSchema: {listed}")
    assert isinstance(completed, dict), "defaults keep an object an object"
    return completed


def own_context(inputs: Inputs, *, path: str, attempt: int) -> JsonObject:
    """The evaluation context of the node's own fields: `inputs.view` with `self`."""
    return visible.with_self(
        inputs.view,
        name=node_of(path),
        inputs=declare_numbers(inputs.values, inputs.schema),
        attempt=attempt,
        idempotency_key=inputs.idempotency_key,
    )


def _missing_outputs(transition: Transition, path: str) -> str:
    """Which referenced nodes gave no output, for the message of a failed evaluation (S32)."""
    absent = [
        f"{name} is {transition.statuses[name].phase}"
        for name in sorted(transition.graph.dependencies[node_of(path)].joined)
        if not visible.has_output(transition.node(name), transition.statuses[name])
    ]
    return f" ({', '.join(absent)} and has no output)" if absent else ""
