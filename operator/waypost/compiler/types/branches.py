"""Branches on one value: conditions of several nodes that compare the same path with literals."""

from collections.abc import Iterator
from dataclasses import dataclass

from waypost.api.base import JsonObject
from waypost.api.workflow import Node
from waypost.compiler.problems import Problem
from waypost.compiler.types.fields import field_of
from waypost.compiler.types.schemas import Unknown, alternatives
from waypost.expressions.expression import Compiled
from waypost.expressions.references import chain_of
from waypost.expressions.templates import Template, parse_template
from waypost.expressions.tree import Call, Constant, Expr, ListLiteral
from waypost.protocol.ijson import Json

_SHOWN = 8


@dataclass(frozen=True)
class Branch:
    """A condition: the value at `path` is one of `values`, or none of them (`negated`)."""

    node: Node
    path: tuple[str, ...]
    values: frozenset[str]
    negated: bool = False

    def among(self, members: frozenset[str]) -> frozenset[str]:
        """The members for which the node runs."""
        return members - self.values if self.negated else members & self.values


def branch_warnings(nodes: list[Node], view: JsonObject) -> Iterator[Problem]:
    """Warn of branches on a listed value that overlap in part, or leave a value out.

    Several nodes for exactly the same values are one branch with several nodes.

    Args:
        nodes: The nodes, in order.
        view: The schema of all that their conditions can read.
    """
    groups: dict[tuple[str, ...], list[Branch]] = {}
    for node in nodes:
        branch = _branch(node)
        if branch is not None:
            groups.setdefault(branch.path, []).append(branch)
    for path, branches in groups.items():
        members = _members(view, path)
        taken = [branch.among(members) for branch in branches]
        if len(set(taken)) < 2:
            continue
        yield from _overlaps(branches, taken, path)
        left = members.difference(*taken)
        if left:
            listed = ", ".join(map(repr, sorted(left)[:_SHOWN]))
            text = (
                f"no node runs if {'.'.join(path)} is {listed}; add the value to a condition, or "
                "a node for it"
            )
            yield Problem(f"{branches[-1].node.place}.when", text, "warning")


def _overlaps(
    branches: list[Branch], taken: list[frozenset[str]], path: tuple[str, ...]
) -> Iterator[Problem]:
    for at, (branch, values) in enumerate(zip(branches, taken, strict=True)):
        for other, others in zip(branches[:at], taken[:at], strict=True):
            both = values & others
            if both and values != others:
                listed = ", ".join(map(repr, sorted(both)[:_SHOWN]))
                text = (
                    f"{other.node.name} runs too if {'.'.join(path)} is {listed}; name each value "
                    "in one condition, or give both nodes the same condition"
                )
                yield Problem(f"{branch.node.place}.when", text, "warning")
                break


def _members(view: JsonObject, path: tuple[str, ...]) -> frozenset[str]:
    """The texts that the value at a path can be; none if they are not listed."""
    schema: Json = view
    for step in path:
        schema = field_of(schema, step, where="").schema
    given = None if isinstance(schema, Unknown) else alternatives(schema)
    if not given or not all(one.is_member and isinstance(one.member, str) for one in given):
        return frozenset()
    return frozenset(str(one.member) for one in given)


def _branch(node: Node) -> Branch | None:
    """The condition of a node as a branch; None if it is of another form."""
    template = None if node.when is None else parse_template(node.when)
    if not isinstance(template, Template) or not template.is_single:
        return None
    part = template.parts[0]
    found = _test(part.tree.expr) if isinstance(part, Compiled) else None
    return None if found is None else Branch(node, *found)


_Test = tuple[tuple[str, ...], frozenset[str], bool]


def _test(expr: Expr) -> _Test | None:
    match expr:
        case Call(function="!_", args=(inner,)):
            found = _test(inner)
            return None if found is None else (found[0], found[1], not found[2])
        case Call(function="_||_", args=(left, right)):
            one, other = _test(left), _test(right)
            if one is None or other is None or one[0] != other[0] or one[2] or other[2]:
                return None
            return one[0], one[1] | other[1], False
        case Call(function="_==_" | "_!=_", args=(left, right)):
            return _compared(left, right, negated=expr.function == "_!=_") or _compared(
                right, left, negated=expr.function == "_!=_"
            )
        case Call(function="@in", args=(left, ListLiteral(elements=elements))):
            texts = [one.string for one in elements if isinstance(one, Constant)]
            known = frozenset(text for text in texts if text is not None)
            path = _path(left)
            complete = len(texts) == len(elements) and None not in texts
            return (path, known, False) if path and complete else None
    return None


def _compared(subject: Expr, value: Expr, *, negated: bool) -> _Test | None:
    path = _path(subject)
    if path is None or not isinstance(value, Constant) or value.string is None:
        return None
    return path, frozenset([value.string]), negated


def _path(expr: Expr) -> tuple[str, ...] | None:
    chain = chain_of(expr)
    return None if chain is None or chain.soft else (chain.root, *chain.fields)
