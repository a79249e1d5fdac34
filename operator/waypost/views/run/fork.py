"""A new run from the checkpoints of an old one: what it takes over, and its manifest.

The choice which checkpoints still hold is that of a new round (S390). A new run gets them as
outputs that a person gives (`spec.rerun.outputs`), so what cannot be given so runs again, and all
after it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from waypost.api.base import JsonObject, JsonValue
from waypost.api.changes import changed_run
from waypost.api.kinds.table import kind_of
from waypost.api.meta import ANNOTATION_FORKED_FROM, API_VERSION
from waypost.api.status import NodeStatus
from waypost.api.workflow import Node
from waypost.compiler.definition import Definition
from waypost.compiler.node_settings import effect_of
from waypost.engine.rounds import begin, dispositions
from waypost.engine.rounds.dispositions import Choice
from waypost.engine.state import visible
from waypost.engine.state.executions import may_have_run
from waypost.engine.state.observed import Observed
from waypost.expressions.values import Unavailable
from waypost.kube.node_records import LARGEST, record_fact
from waypost.protocol import ijson
from waypost.protocol.reasons import Reason
from waypost.views.documents import ForkPreview, RoundCost, RoundNode
from waypost.views.observed import observed_run
from waypost.views.rerun import round_cost

MOST_OUTPUTS: Final = 50  # of rerun.outputs
MOST_BYTES: Final = 256 * 1024  # of all outputs together: spec and status of the new run have them


@dataclass
class _Plan:
    """What is decided so far, in topological order. `same`: nodes that have the old result."""

    observed: Observed
    records: Mapping[str, JsonObject]
    outputs: dict[str, JsonValue] = field(default_factory=dict)
    skip: list[str] = field(default_factory=list)
    same: set[str] = field(default_factory=set)
    nodes: list[RoundNode] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    size: int = 0

    @property
    def source(self) -> str:
        """The name of the old run."""
        return self.observed.name


def fork(
    run: JsonObject, definition: Definition, *, records: Mapping[str, JsonObject], now: datetime
) -> tuple[ForkPreview, JsonObject]:
    """What a new run takes over from a run, and `spec.rerun` of the new one.

    Args:
        run: The AgentWorkflow object, with the spec that the new run will have, and `spec.rerun`
            as for a round: nodes to run again, to skip, and with given outputs.
        definition: The definition that this spec has.
        records: The NodeRecords with outputs of nodes, by name, as far as they could be read.
        now: The time.

    Returns:
        The preview, and `rerun` for the spec of the new run; {} if it takes over nothing. With
        problems in the preview the new run must not be made.

    Raises:
        CannotShow: The status cannot be read.
    """
    observed = observed_run(run, definition, now=now)
    # That a run was cancelled is final for the run, and says nothing about a new one.
    status = changed_run(observed.status, cancelled_at=None)
    observed = Observed(**{**vars(observed), "status": status})
    name, namespace = observed.name, observed.namespace
    problems = definition.problems or begin.problems(observed)
    spec = observed.spec
    if problems or spec is None or spec.rerun is None:
        listed = [str(problem) for problem in problems]
        empty = ForkPreview(name=name, namespace=namespace, problems=listed, cost=RoundCost())
        return empty, {}
    choices = dispositions.choices_of(observed, spec, spec.rerun)
    plan, known = _Plan(observed, records), {one.path: one for one in status.nodes}
    graph, given = definition.graph, spec.rerun.outputs or {}
    for path in graph.order:
        if graph.stage_of(path) is None:
            node, before = graph.nodes[path], known.get(path)
            action, why = _decide(plan, node, before, choices[path], given.get(path))
            plan.nodes.append(_shown(node, before, action, why))
    plan.problems += _limits(plan)
    places = list(graph.nodes)
    plan.nodes.sort(key=lambda one: places.index(one.path))
    shown = ForkPreview(
        name=name,
        namespace=namespace,
        problems=plan.problems,
        nodes=plan.nodes,
        cost=round_cost(plan.nodes, known),
    )
    taken = {"outputs": plan.outputs, "skip": plan.skip}
    rerun = {key: value for key, value in taken.items() if value}
    return shown, {"round": 2, **rerun} if rerun else {}


def _decide(
    plan: _Plan, node: Node, status: NodeStatus | None, choice: Choice, given: JsonValue
) -> tuple[str, str]:
    """What the new run does with a node, and why; the nodes that it depends on are decided."""
    path = node.name
    if choice.disposition == "Given":
        plan.outputs[path] = given
        return "keep", "its output is given"
    if choice.disposition == "SkippedByUser":
        plan.skip.append(path)
        return "skip", "named in --skip"
    if choice.changes or status is None or choice.disposition is None:
        return "run", choice.message or "it has not started"
    if status.reason == Reason.SKIPPED_BY_USER:
        plan.skip.append(path)
        plan.same.add(path)
        return "skip", f"skipped by a person in {plan.source}"
    depends = plan.observed.definition.graph.dependencies[path].all
    changed = next((f"{one} is not taken over" for one in sorted(depends - plan.same)), "")
    if status.phase == "Skipped" and not changed:
        plan.same.add(path)
        return "run", f"is decided again; it was skipped in {plan.source}"
    value, why = _result(node, status, plan.records)
    if why or changed:
        return "run", _repeated(plan, path, status, why or changed)
    plan.outputs[path] = value
    plan.same.add(path)
    plan.size += len(ijson.canonical(value))
    undone = "; nothing undoes it in the new run" if node.compensate is not None else ""
    return "keep", f"as in {plan.source}{undone}"


def _result(
    node: Node, status: NodeStatus, records: Mapping[str, JsonObject]
) -> tuple[JsonValue, str]:
    """The output that a new run can be given, or why there is none."""
    if status.phase != "Succeeded":
        return None, f"it is {status.phase}"
    if kind_of(node).is_gate:
        return None, "people have to answer it again"
    if node.first is not None:
        return None, "it chooses again"
    if node.artifacts is not None and node.artifacts.out:
        return None, "its artifacts cannot be taken over"
    payloads = {}
    if name := status.output_record:
        fact = record_fact(records.get(name), limit=LARGEST) if records.get(name) else None
        payloads[name] = visible.readable(fact) if fact else Unavailable(f"{name} cannot be read")
    value = visible.output_of(node, status, payloads)
    if isinstance(value, Unavailable):
        return None, f"its output cannot be read: {value.why}"
    return value, ""


def _repeated(plan: _Plan, path: str, status: NodeStatus, why: str) -> str:
    """Why a node runs whose checkpoint holds, but cannot be taken over. A problem if it must not
    run twice."""
    spec, graph = plan.observed.spec, plan.observed.definition.graph
    assert spec is not None, "a run without a spec has problems"
    if dispositions.is_once(spec, graph, path) and may_have_run(status):
        plan.problems.append(
            f"node {path} has effect: once and has run in {plan.source}, but its result cannot be "
            f"taken over: {why}; give it with --output, leave the node out with --skip, or repeat "
            "its effect with --from"
        )
    return why


def _shown(node: Node, status: NodeStatus | None, action: str, why: str) -> RoundNode:
    return RoundNode(
        path=node.name,
        kind=kind_of(node).name,
        action=action,
        phase=status.phase if status is not None else "Pending",
        message=why,
        effect=effect_of(node),
    )


def _limits(plan: _Plan) -> list[str]:
    found = []
    if len(plan.outputs) > MOST_OUTPUTS:
        found.append(
            f"{len(plan.outputs)} results would be taken over, and a run can be given "
            f"{MOST_OUTPUTS}; name an earlier node in --from, or rerun {plan.source} itself"
        )
    if plan.size > MOST_BYTES:
        found.append(
            f"the results to take over have {plan.size:,} bytes, the limit is {MOST_BYTES:,}; "
            f"name an earlier node in --from, or rerun {plan.source} itself"
        )
    return found


def new_run(
    run: JsonObject, spec: JsonObject, rerun: JsonObject, *, name: str | None
) -> JsonObject:
    """The manifest of the new run.

    Args:
        run: The old run.
        spec: The spec of the new one, without `rerun`.
        rerun: What it takes over, as `fork` gives it.
        name: Its name; None: one that begins with that of the old run.
    """
    old = run["metadata"]
    labels = {
        key: value
        for key, value in (old.get("labels") or {}).items()
        if not key.split("/")[0].endswith("waypost.dev")
    }
    metadata: JsonObject = (
        {"name": name} if name else {"generateName": f"{old['name'][:200]}-fork-"}
    )
    metadata["annotations"] = {ANNOTATION_FORKED_FROM: f"{old['name']} {old['uid']}"}
    if labels:
        metadata["labels"] = labels
    head = {"apiVersion": API_VERSION, "kind": "AgentWorkflow", "metadata": metadata}
    return {**head, "spec": {**spec, **({"rerun": rerun} if rerun else {})}}
