"""The fingerprint of a node: a hash of all that determines its result. If it differs from the one
of the checkpoint, a round runs the node again.

Explicit and versioned (F5). It covers the kind block, inputs, `when`, schemas, the code, the
volumes of its isolation, and the run inputs that the node uses. It does not cover what only
determines where, when and how often it runs: the rest of isolation, retries, deadlines, limits,
resources, defaults of this release, images of the operator, the round.
It does not cover values of other nodes: a node downstream of one that runs again runs again anyway.
"""

import re
from collections.abc import Mapping
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.kinds.table import kind_of, work_of
from waypost.api.nodes.artifacts import Artifacts
from waypost.api.workflow import AgentWorkflowSpec, Node
from waypost.compiler.graph import REMEMBERED, Graph, evaluated_fields
from waypost.compiler.kinds.kind import wire
from waypost.compiler.kinds.table import compiler_kind
from waypost.compiler.memory.rules import notes_of
from waypost.compiler.modifiers.table import modifier_of
from waypost.compiler.node_settings import isolation_of
from waypost.expressions.templates import paths_in
from waypost.protocol import ijson

_VERSION: Final = "1"
_HOW: Final = frozenset(
    {"resources", "imagePullPolicy", "limits", "reasks", "largeOutput", "timeout"}
)
# When the node runs, and what later runs read of it, does not determine its result.
_UNCOVERED: Final = frozenset(("concurrency.key", REMEMBERED))
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def fingerprints(spec: AgentWorkflowSpec, graph: Graph, inputs: JsonObject) -> dict[str, str]:
    """The fingerprint of each node, by name.

    Args:
        spec: The spec, with self-contained schemas.
        graph: Its graph.
        inputs: The run's inputs with defaults applied.
    """
    documents = {name: _document(node, spec, inputs) for name, node in graph.nodes.items()}
    hashes = {}
    for name, node in graph.nodes.items():
        document = documents[name]
        if kind_of(node).is_gate:
            document = {**document, "after": downstream(spec, graph, name)}
        hashes[name] = f"{_VERSION}:{ijson.digest(document).removeprefix('sha256:')[:40]}"
    return hashes


def downstream(spec: AgentWorkflowSpec, graph: Graph, gate: str) -> JsonValue:
    """What an approval at a gate covers: the definitions of all nodes downstream of it, and the
    outputs and skips of `spec.rerun` for them (B1)."""
    after = sorted(graph.downstream(gate))
    covered: list[JsonValue] = [wire(graph.nodes[name]) for name in after]
    if spec.rerun is not None:
        given, skipped = spec.rerun.outputs or {}, spec.rerun.skip or []
        covered += [{"given": name, "output": given[name]} for name in after if name in given]
        covered += [{"skipped": name} for name in after if name in skipped]
    return covered


def _document(node: Node, spec: AgentWorkflowSpec, inputs: JsonObject) -> JsonObject:
    document: JsonObject = {
        "kind": kind_of(node).name,
        "work": _work(node),
        "inputs": node.inputs or {},
        "when": node.when,
        "inputSchema": node.input_schema,
        "outputSchema": node.output_schema,
        "runInputs": _run_inputs(node, inputs),
        "modules": _modules(node, spec.modules or {}),
    }
    if node.artifacts is not None:
        document["artifacts"] = _artifacts(node.artifacts)
    volumes = isolation_of(spec, node).volumes if kind_of(node).has_pod else None
    if volumes:  # as for artifacts, the fingerprints of other nodes do not change
        document["volumes"] = {one.name: wire(one) for one in volumes}
        mounted = {one.volume_claim for one in volumes}
        if claims := [wire(one) for one in spec.volume_claims or () if one.name in mounted]:
            document["volumeClaims"] = claims
    if (notes := notes_of(spec, node)) is not None:
        document["notes"] = {"inject": notes.inject, "recall": notes.recall}
    modifier = modifier_of(node)
    if modifier is not None:  # only then: the fingerprints of other nodes do not change
        document[modifier.name] = modifier.fingerprinted(node)
    defaults = compiler_kind(node).fingerprinted_defaults(spec, node)
    if defaults is not None:
        document["defaults"] = _without(defaults, _HOW)
    template = compiler_kind(node).fingerprinted_template(spec, node)
    if template is not None:
        document["template"] = template
    return document


def _artifacts(declared: Artifacts) -> JsonObject:
    """What determines the result; maxBytes only limits it."""
    given = [_without(wire(one), frozenset({"maxBytes"})) for one in declared.out or ()]
    return {"in": [wire(one) for one in declared.in_ or ()], "out": given}


def _work(node: Node) -> JsonObject:
    work = _without(wire(work_of(node)), _HOW)
    return compiler_kind(node).fingerprinted_work(work)


def _run_inputs(node: Node, inputs: JsonObject) -> JsonObject:
    """The inputs of the run that the node's expressions read; all of them if an expression does not
    name the input literally."""
    keys: set[str] = set()
    modifier = modifier_of(node)
    compared = modifier.compared if modifier is not None else frozenset()
    for field, value in evaluated_fields(node):
        if field in compared or field in _UNCOVERED:
            continue
        for path in paths_in(value):
            if path.root != "inputs":
                continue
            if not path.fields:
                return inputs
            keys.add(path.fields[0])
    return {key: inputs[key] for key in sorted(keys) if key in inputs}


def _modules(node: Node, modules: Mapping[str, str]) -> JsonObject:
    """The modules whose names the node's code mentions, directly or through other modules.

    A mention in a comment counts: it is safer to run a node again than to keep the result of old
    code.
    """
    mentioned: dict[str, str] = {}
    waiting = [compiler_kind(node).code(node)]
    while waiting:
        words = set(_WORD.findall(waiting.pop()))
        for name in sorted((words & modules.keys()) - mentioned.keys()):
            mentioned[name] = modules[name]
            waiting.append(modules[name])
    return dict(sorted(mentioned.items()))


def _without(document: JsonObject, keys: frozenset[str]) -> JsonObject:
    return {key: value for key, value in document.items() if key not in keys}
