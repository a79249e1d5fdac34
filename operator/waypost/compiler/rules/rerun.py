"""Rules for `spec.rerun` that do not depend on the status: names, and given outputs."""

from collections.abc import Iterator
from typing import Final

from waypost.api.kinds.table import kind_of
from waypost.api.rerun import Rerun
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.node_output import violations
from waypost.compiler.problems import Problem, did_you_mean
from waypost.protocol import ijson

MAX_OUTPUT_BYTES: Final = 256 * 1024  # as for the run's inputs: both are in the spec


def rerun_problems(spec: AgentWorkflowSpec) -> Iterator[Problem]:
    """Report each defect of the requested round."""
    rerun = spec.rerun
    if rerun is None:
        return
    nodes = {node.name: node for node in spec.nodes}
    last = {node.name for node in spec.finally_ or ()}
    named: dict[str, str] = {}
    yield from _items(rerun, nodes)
    for field, names in (
        ("from", [name for name in rerun.from_ or () if name in rerun.nodes]),
        ("outputs", list(rerun.outputs or {})),
        ("skip", rerun.skip),
    ):
        for name in names or []:
            place = f"rerun.{field}{'.' + name if field == 'outputs' else ''}"
            if name in last:
                text = f"node {name} is in finally, which runs at the end of every round; remove it"
                yield Problem(place, text)
            elif name not in nodes:
                yield Problem(place, f"there is no node {name!r}{did_you_mean(name, nodes)}")
            elif name in named:
                text = f"node {name} is also in rerun.{named[name]}; name it in one of them only"
                yield Problem(place, text)
            elif kind_of(nodes[name]).is_gate and field != "from":
                text = f"node {name} is a gate, and only its approvers can answer for it"
                yield Problem(place, text)
            named.setdefault(name, field)
    for name, value in (rerun.outputs or {}).items():
        if name in nodes:
            yield from _given(nodes[name], value)


def _items(rerun: Rerun, nodes: dict[str, Node]) -> Iterator[Problem]:
    """Report items of nodes that have none, and items of nodes that are named themselves."""
    fields = (("from", rerun.nodes), ("outputs", rerun.outputs), ("skip", rerun.skip))
    for name, index in rerun.items():
        place, path, node = "rerun.from", f"{name}/{index}", nodes.get(name)
        named = next((field for field, names in fields if name in (names or ())), None)
        if node is None:
            yield Problem(place, f"there is no node {name!r} for {path}{did_you_mean(name, nodes)}")
        elif node.for_each is None:
            yield Problem(place, f"node {name} has no forEach, so no item {path}; name {name}")
        elif named is not None:
            text = (
                f"{path} is an item of node {name}, which is also in rerun.{named}; name only one"
            )
            yield Problem(place, text)


def _given(node: Node, value: object) -> Iterator[Problem]:
    place = f"rerun.outputs.{node.name}"
    size = len(ijson.canonical(value))
    if size > MAX_OUTPUT_BYTES:
        yield Problem(place, f"{size} bytes of JSON, the limit is {MAX_OUTPUT_BYTES}")
    for violation in violations(node, value):
        yield Problem(place, f"does not meet outputSchema of node {node.name}: {violation}")
