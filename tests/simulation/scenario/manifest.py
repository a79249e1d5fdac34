"""A plan as the manifest a user would write."""

from typing import Any, Final

from waypost.ports.cluster import Obj

from tests.simulation.scenario.folders import artifacts_of
from tests.simulation.scenario.plan import (
    ACCEPTS,
    AMPLE,
    NOTHING,
    READS,
    SCHEMA,
    WHENS,
    Loop,
    Node,
    Read,
    Scenario,
)
from tests.simulation.scenario.undo import compensate_of

PROVIDER: Final[Obj] = {
    "apiVersion": "waypost.dev/v1alpha1",
    "kind": "ModelProvider",
    "metadata": {"name": "main"},
    "spec": {
        "type": "OpenAI",
        "baseURL": "http://models.example/v1",
        "apiKey": {"name": "openai", "key": "api-key"},
    },
}


def spec_of(scenario: Scenario) -> Obj:
    """spec of the AgentWorkflow, before any round."""
    by_name = scenario.by_name
    spec: Obj = {
        "inputs": {"flag": scenario.flag, "text": "no number", "zero": 0, **lists_of(scenario)},
        "nodes": [
            node_of(node, by_name) for node in scenario.nodes if not node.comes and not node.last
        ],
        "parallelism": scenario.parallelism,
    }
    if last := [node_of(node, by_name) for node in scenario.nodes if node.last]:
        spec["finally"] = last
    if last or any(node.undo for node in scenario.nodes):
        spec["finallyDeadline"] = f"{scenario.finally_deadline or AMPLE:.0f}s"
    if scenario.outputs:
        spec["outputs"] = {
            f"o{at}": _read(read, by_name) for at, read in enumerate(scenario.outputs)
        }
    if scenario.deadline is not None:
        spec["deadline"] = f"{scenario.deadline:.0f}s"
    if scenario.tokens is not None:
        spec["budget"] = {"tokens": scenario.tokens}
    return spec


def lists_of(scenario: Scenario) -> Obj:
    """The lists of maps, as inputs of the run."""
    return {n.list_input: list(n.values) for n in scenario.nodes if n.values is not None}


def _read(read: Read, by_name: dict[str, Node]) -> str:
    field = by_name[read.node].field if read.node else ""
    return READS[read.form] % {"x": read.node, "f": field}


def node_of(node: Node, by_name: dict[str, Node]) -> Obj:
    """An entry of spec.nodes; `by_name` has the nodes that it refers to."""
    body: Obj = {"name": node.name, node.kind: _kind(node)}
    if node.reads:
        body["inputs"] = {f"k{at}": _read(read, by_name) for at, read in enumerate(node.reads)}
    if node.loop is not None:
        body["repeat"] = _repeat(node, node.loop)
        value = "body.?n" if node.kind == "http" else "n"
        body.setdefault("inputs", {})["p"] = f"${{previous.?output.?{value}}}"
    if node.depends_on:
        body["dependsOn"] = list(node.depends_on)
    if node.after:
        body["after"] = list(node.after)
    if node.when is not None:
        field = by_name[node.when.node].field if node.when.node else ""
        body["when"] = WHENS[node.when.form] % {"x": node.when.node, "f": field}
    body |= _failure(node)
    if node.schema:
        body["outputSchema"] = SCHEMA
    if node.is_map:
        body["inputs"] = {**body.get("inputs", {}), "item": "${item}"}
        body["forEach"] = {
            "items": f"${{inputs.{node.list_input}}}",
            "maxParallel": node.max_parallel,
            "tolerate": node.tolerate,
            "collect": "All" if node.collects else "None",
        }
    if node.makes or node.takes:
        body["artifacts"] = artifacts_of(node)
    if node.undo is not None:
        body["compensate"] = compensate_of(node, node.undo)
    if node.egress:
        body["isolation"] = {"egress": node.egress}
    if node.places:
        body["concurrency"] = {"key": "${inputs.text}", "limit": node.places}
    return body | (_clocks(node) if node.has_pod else {})


def _failure(node: Node) -> Obj:
    """onFailure and fallbackOutput; a candidate tolerates its failure by default."""
    fields: Obj = {"onFailure": "Pause"} if node.pauses else {}
    if node.candidate and not node.tolerated:
        fields["onFailure"] = "Fail"
    if node.tolerated and (not node.candidate or node.fallback != NOTHING):
        fields["onFailure"] = "Continue"
    if node.tolerated and node.fallback != NOTHING:
        fields["fallbackOutput"] = node.fallback
    return fields


def _repeat(node: Node, loop: Loop) -> Obj:
    value = "body.n" if node.kind == "http" else "n"
    block: Obj = {"until": f"${{self.output.{value} > {loop.above}}}", "max": loop.max}
    if loop.pause:
        block["pause"] = f"{loop.pause:.0f}s"
    return block | ({"onLimit": "Succeed"} if loop.succeeds else {})


def _clocks(node: Node) -> Obj:
    fields: Obj = {
        "timeout": f"{node.timeout:.0f}s",
        "queueTimeout": f"{node.queue_timeout:.0f}s",
        "retry": {"limit": node.limit, "backoff": {"initial": f"{node.backoff:.0f}s"}},
    }
    if node.codes is not None and not node.once:  # refused beside it (S49)
        fields["retry"]["exitCodes"] = {node.codes[0]: [node.codes[1]]}
    if node.deadline is not None:
        fields["deadline"] = f"{node.deadline:.0f}s"
    return fields | ({"effect": "once"} if node.once else {})


def _kind(node: Node) -> Any:
    match node.kind:
        case "python":
            return {"source": "def run(**inputs):\n    return inputs\n"}
        case "container":
            return {"image": "work:1"}
        case "agent":
            return {"model": {"provider": "main", "name": "m"}, "prompt": "Think."}
        case "http":
            body = {"body": {"x": 1}} if node.method == "POST" else {}
            return {"url": "https://example.com/", "method": node.method, **body}
        case "approval":
            gate: Obj = {"message": "Go on?", "approvers": {"users": ["ann"]}}
            if node.patience is not None:
                gate["timeout"] = f"{node.patience:.0f}s"
            if node.denied_continues:
                gate["onDenied"] = "Continue"
            if node.expiry_fails:
                gate["onTimeout"] = "Fail"
            return {**gate, **_escalation(node)}
        case "first":
            choice: Obj = {"of": list(node.of)}
            if node.accepts != "any":
                named = node.accepts == "named"
                choice["accept"] = ACCEPTS[node.accepts] % ((node.refuses,) if named else ())
            return choice | ({"others": "Finish"} if node.finishes else {})
        case "wait":
            seconds = f"{node.seconds:.0f}"
            return {
                "duration": f"${{{seconds} + inputs.zero}}s" if node.computed else f"{seconds}s"
            }


def _escalation(node: Node) -> Obj:
    """Who is asked after the people whom a gate itself names."""
    if not node.levels:
        return {}
    levels: list[Obj] = [
        {"approvers": {"users": [f"boss{at}"]}, "timeout": f"{level.patience:.0f}s"}
        for at, level in enumerate(node.levels, start=1)
    ]
    if node.expiry_fails:
        levels[-1]["onTimeout"] = "Fail"
    return {"onTimeout": "Escalate", "escalation": levels}
