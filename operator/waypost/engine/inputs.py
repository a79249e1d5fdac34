"""A node's own data: resolved inputs, checked against its schema, and its own texts."""

from dataclasses import dataclass

from waypost.api.base import JsonObject, JsonValue
from waypost.api.workflow import Node
from waypost.engine.draft import Draft
from waypost.engine.state import visible
from waypost.expressions.cost import Budget
from waypost.expressions.templates import NullPolicy, RenderError, render_json, render_text
from waypost.expressions.values import declare_numbers
from waypost.kube import names
from waypost.protocol import ijson, schema


@dataclass(frozen=True)
class Inputs:
    """Resolved inputs of a node, with the data its own fields may see."""

    values: JsonObject
    digest: str
    idempotency_key: str
    view: JsonObject  # inputs, nodes, run: without self
    schema: JsonValue = None


@dataclass(frozen=True)
class Invalid:
    """Why a node's data cannot be used: field, what was expected, what was found."""

    message: str


def context_for(draft: Draft, path: str) -> JsonObject:
    """The data visible to the expressions of a node whose dependencies have all ended."""
    return draft.view(draft.graph.edges[path].all)


def resolve(draft: Draft, path: str) -> Inputs | Invalid:
    """Evaluate `inputs`, apply defaults, check `inputSchema` (semantics row 8, last step)."""
    node = draft.node(path)
    view = context_for(draft, path)
    values = render_json(node.inputs or {}, view)
    if isinstance(values, RenderError):
        return Invalid(f"inputs.{values.path}: {values.message}{_missing_outputs(draft, path)}")
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
        run_uid=draft.observed.uid,
        path=path,
        input_digest=digest,
        repeats=draft.statuses[path].repeats or 0,
    )
    return Inputs(values, digest, key, view, node.input_schema)


def own_context(inputs: Inputs, *, path: str, attempt: int) -> JsonObject:
    """The data for the node's own fields: everything above and `self`."""
    return visible.with_self(
        inputs.view,
        name=path,
        inputs=declare_numbers(inputs.values, inputs.schema),
        attempt=attempt,
        idempotency_key=inputs.idempotency_key,
    )


def render_strings(
    node: Node, view: JsonObject
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]] | Invalid:
    """The args and env of a node; null is refused there (semantics row 11)."""
    work = node.container or node.python or node.agent
    budget = Budget.of_many()
    args: list[str] = []
    for index, text in enumerate((node.container.args if node.container else None) or []):
        value = render_text(text, view, null=NullPolicy.REFUSE, budget=budget)
        if isinstance(value, RenderError):
            return Invalid(f"args[{index}]: {value.message}")
        args.append(value)
    env: list[tuple[str, str]] = []
    for variable in (work.env if work else None) or []:
        if variable.value is None:
            continue
        value = render_text(variable.value, view, null=NullPolicy.REFUSE, budget=budget)
        if isinstance(value, RenderError):
            return Invalid(f"env {variable.name}: {value.message}")
        env.append((variable.name, value))
    return tuple(args), tuple(env)


def _missing_outputs(draft: Draft, path: str) -> str:
    """Which referenced nodes gave no output, for the message of a failed evaluation (row 6)."""
    absent = [
        f"{name} is {draft.statuses[name].phase}"
        for name in sorted(draft.graph.edges[path].all)
        if not visible.has_output(draft.node(name), draft.statuses[name])
    ]
    return f" ({', '.join(absent)} and has no output)" if absent else ""
