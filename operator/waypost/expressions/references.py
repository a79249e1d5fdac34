"""What an expression refers to, read from its checked tree, and the references that are refused.

The form of a reference determines the dependency: `has(nodes.x.output...)`, `.?`, `nodes.x.phase`
and `nodes.x.error` are soft (the node waits until x has ended, with any result), all other forms
are hard (x must have succeeded).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

from waypost.expressions.tree import (
    Call,
    CheckedTree,
    Comprehension,
    Constant,
    Expr,
    Ident,
    MessageLiteral,
    Select,
    parts,
)

# The variables of every expression, and those that only some fields have: of some nodes
# (compiler/scopes.py says which), of runs with memory, and of the rules of an EventSource. A loop
# variable may have the name of one of the latter.
EVERYWHERE = ("inputs", "nodes", "self", "run")
SCOPED = ("item", "index", "previous", "candidate", "memory", "body", "headers")
ROOTS = (*EVERYWHERE, *SCOPED)
# What a node has if it gave something; items: of maps only.
RESULTS = ("output", "artifacts", "items")
NODE_FIELDS = (*RESULTS, "phase", "error")
OPTIONAL_CALLS = ("_?._", "_[?_]")

ONLY_LISTS = "macros run over lists only; over a map take keys(m), whose order is always the same"
_COMPUTED_NODE = "nodes[...] is refused: name the node literally, as in nodes.draft.output"


@dataclass(frozen=True)
class Reference:
    """One use of another node: `fields` starts with one of NODE_FIELDS."""

    node: str
    fields: tuple[str, ...]
    soft: bool


@dataclass(frozen=True)
class Refusal:
    """Why an expression that is valid CEL is not accepted, and the place in its source."""

    message: str
    offset: int


@dataclass(frozen=True)
class Step:
    """One literal step of a path; `guarded` if its absence is tolerated (`.?`, `has()`)."""

    field: str
    guarded: bool = False


@dataclass(frozen=True)
class Path:
    """A chain of literal steps from a variable: `inputs.a.b`, `nodes.x.?output`."""

    root: str
    steps: tuple[Step, ...]
    id: int  # of the variable at its start
    guarded: bool = False  # a later step is guarded: `nodes.x.output[0].?a`

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The names of the steps."""
        return tuple(step.field for step in self.steps)

    @property
    def soft(self) -> bool:
        """Whether the path tolerates an absent value."""
        return self.guarded or any(step.guarded for step in self.steps)


def paths(
    expr: Expr,
    bound: frozenset[str] = frozenset(),
    *,
    guarded: bool = False,
) -> Iterator[Path]:
    """Each use of a variable of the environment, as the longest literal path at its start."""
    chain = chain_of(expr)
    if chain is not None:
        if chain.root not in bound:
            yield replace(chain, guarded=True) if guarded else chain
        return
    if isinstance(expr, Comprehension):
        inner = bound | {expr.iter_var, expr.accu_var}
        yield from paths(expr.iter_range, bound)
        yield from paths(expr.accu_init, bound)
        for part in (expr.loop_condition, expr.loop_step):
            yield from paths(part, inner)
        yield from paths(expr.result, bound | {expr.accu_var})
        return
    operand = operand_of(expr)
    for part in parts(expr):
        yield from paths(part, bound, guarded=part is operand and (guarded or is_guard(expr)))


def operand_of(expr: Expr) -> Expr | None:
    """The operand of a select or an index, optional or not."""
    match expr:
        case Select():
            return expr.operand
        case Call(function="_?._" | "_[?_]" | "_[_]"):
            return expr.args[0]
        case _:
            return None


def is_guard(expr: Expr) -> bool:
    """Whether `expr` tolerates an absent value: `has()`, `.?`, `[?]`."""
    match expr:
        case Select():
            return expr.test_only
        case Call():
            return expr.function in OPTIONAL_CALLS
        case _:
            return False


def chain_of(expr: Expr) -> Path | None:
    """`expr` as a path, None if a step is computed or it does not start with a name."""
    steps: list[Step] = []
    at = expr
    while not isinstance(at, Ident):
        match at:
            case Select():
                steps.append(Step(at.field, guarded=at.test_only))
                at = at.operand
            case Call(
                function="_?._" | "_[?_]" | "_[_]", args=(operand, Constant(string=str(key)))
            ):
                steps.append(Step(key, guarded=is_guard(at)))
                at = operand
            case _:
                return None
    return Path(at.name.removeprefix("."), tuple(reversed(steps)), at.id)


def references(used: Iterable[Path]) -> tuple[Reference, ...]:
    """The nodes that the paths of an expression refer to, in order, each form once."""
    return merge(
        Reference(
            node=path.steps[0].field,
            fields=path.fields[1:],
            soft=path.soft or path.steps[1].field not in RESULTS,
        )
        for path in used
        if path.root == "nodes"
    )


def merge(references: Iterable[Reference]) -> tuple[Reference, ...]:
    """References without repetition; one soft use of a node makes all its uses soft."""
    listed = list(references)
    if len(listed) < 2:
        return tuple(listed)
    soft = {reference.node for reference in listed if reference.soft}
    merged = (r if r.soft or r.node not in soft else replace(r, soft=True) for r in listed)
    return tuple(dict.fromkeys(merged))


def refused(tree: CheckedTree) -> Refusal | None:
    """The first part of the tree that Waypost does not evaluate; None if there is none."""
    return next(_refusals(tree, tree.expr), None)


def _refusals(tree: CheckedTree, expr: Expr) -> Iterator[Refusal]:
    chain = chain_of(expr)
    if chain is not None and chain.root == "nodes":
        message = node_path_problem(chain, expr)
        if message:
            yield Refusal(message, tree.offset(chain.id))
        return
    match expr:
        case Call(args=(Ident(name="nodes" | ".nodes") as nodes, _)):
            yield Refusal(_COMPUTED_NODE, tree.offset(nodes.id))
        case MessageLiteral():
            message = f"{expr.name}{{...}}: protobuf messages are not supported; write a map"
            yield Refusal(message, tree.offset(expr.id))
        case Comprehension():
            yield from _loop_refusals(tree, expr)
    for part in parts(expr):
        yield from _refusals(tree, part)


# What other systems, and people, write for a field of a node.
_MEANT: Final = {
    **dict.fromkeys(("outputs", "result", "results", "value", "data", "json"), "output"),
    **dict.fromkeys(("status", "state", "outcome", "conclusion"), "phase"),
    **dict.fromkeys(("errors", "exception", "failure"), "error"),
    **dict.fromkeys(("artifact", "files", "folders"), "artifacts"),
}


def node_path_problem(path: Path, expr: Expr) -> str:
    """Why `expr`, a path into `nodes`, is not accepted; "" if it is."""
    fields = path.fields
    if _first_step_is_index(expr):
        return _COMPUTED_NODE
    if not fields:
        return "`nodes` stands alone: name one node literally, as in nodes.draft.output"
    if len(fields) == 1:
        return f"nodes.{fields[0]} is not a value: use .output, .artifacts, .phase or .error of it"
    if fields[1] not in NODE_FIELDS:
        there = "there are output, artifacts, phase and error, and items of a map"
        hint = f"; did you mean {_MEANT[fields[1]]}?" if fields[1] in _MEANT else ""
        return f"nodes.{fields[0]} has no field {fields[1]}: {there}{hint}"
    if fields[1:] == ("artifacts",):
        return f"nodes.{fields[0]}.artifacts is not a value: name one, as in .artifacts.repo"
    return ""


def _first_step_is_index(expr: Expr) -> bool:
    """Whether it is `nodes['x']...`. It is refused, so that all references can be searched for."""
    operand = operand_of(expr)
    while operand is not None and not isinstance(operand, Ident):
        expr, operand = operand, operand_of(operand)
    return isinstance(expr, Call) and expr.function != "_?._"


def _loop_refusals(tree: CheckedTree, loop: Comprehension) -> Iterator[Refusal]:
    if loop.iter_var.removeprefix(".") in EVERYWHERE:
        message = f"`{loop.iter_var}` is already defined: choose another loop variable"
        yield Refusal(message, tree.offset(loop.id))
    if is_surely_map(tree, loop.iter_range):
        yield Refusal(ONLY_LISTS, tree.offset(loop.iter_range.id))


def is_surely_map(tree: CheckedTree, expr: Expr) -> bool:
    """Whether it is a map for all data: by its type, or as a known part of the environment."""
    chain = chain_of(expr)
    fixed = chain is not None and (
        (chain.root == "self" and chain.fields == ("inputs",))
        or (chain.root == "nodes" and len(chain.steps) < 2)
        or (chain.root == "nodes" and chain.fields[1:] in (("error",), ("items",)))
    )
    return fixed or expr.id in tree.maps
