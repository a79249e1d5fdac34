"""The NodeRecords of a parked agent: the calls that its pod asks for, and the decisions."""

from waypost.api.base import JsonObject, JsonValue
from waypost.api.kinds.table import kind_of
from waypost.api.status import FINAL_PHASES, NodeStatus
from waypost.engine.state.decision import PutRecord
from waypost.engine.state.observed import Observed
from waypost.engine.state.paths import attempt_ref
from waypost.engine.state.transition import Transition
from waypost.expressions.values import Unavailable
from waypost.kube import node_records
from waypost.kube.facts.read_problems import ReadProblem, of_record
from waypost.kube.payloads import AttemptRef
from waypost.protocol import ijson
from waypost.protocol.agents import gated_calls
from waypost.protocol.agents.gated_calls import DecidedCall, GatedCall


def asks_people(transition: Transition, path: str) -> bool:
    """Whether a node waits for the answer of a person: a gate, or an agent about its calls."""
    status = transition.statuses[path]
    gate = kind_of(transition.node(path)).is_gate
    return status.phase == "Waiting" and (gate or status.parked is not None)


def reads_of(observed: Observed, status: NodeStatus) -> set[str]:
    """The names of the NodeRecords that a node needs whose model asked for calls that people
    decide on: the calls while they decide, then their decisions."""
    if status.parked is None or status.phase in FINAL_PHASES:
        return set()
    ref = attempt_ref(observed, status, status.parked)
    return {ref.record_name("Calls" if status.phase == "Waiting" else "Decisions")}


def unread(observed: Observed, status: NodeStatus) -> ReadProblem | None:
    """Why such a NodeRecord could not be read."""
    problems = (observed.unread.get(of_record(name)) for name in sorted(reads_of(observed, status)))
    return next((problem for problem in problems if problem is not None), None)


def calls_of(transition: Transition, path: str) -> tuple[GatedCall, ...] | str:
    """The calls of a parked node; why they cannot be used. Read without a problem."""
    value = transition.payloads.get(_ref(transition, path).record_name("Calls"))
    if value is None or isinstance(value, Unavailable):
        return f"the tool calls that need an approval are lost: {value}"
    try:
        return gated_calls.calls_from_json(value)
    except ValueError as error:
        return f"the tool calls that need an approval cannot be read: {error}"


def decisions_record(transition: Transition, path: str) -> str:
    """The name of the NodeRecord with the decisions on the calls of a parked node."""
    return _ref(transition, path).record_name("Decisions")


def put_decisions(transition: Transition, path: str, decisions: list[DecidedCall]) -> None:
    """Write the decisions before the status that follows from them: a later attempt needs them,
    whatever becomes of the Approvals."""
    document: JsonValue = gated_calls.decisions_to_json(decisions)
    canonical = ijson.canonical(document)
    form = node_records.form_of(document, canonical)
    assert form is not None, "at most 16 answers of 64 KiB"
    ref = _ref(transition, path)
    manifest = node_records.manifest(
        "Decisions",
        ref,
        digest=ijson.digest(document),
        size=len(canonical),
        form=form,
        owner=transition.owner.reference(),
        namespace=transition.owner.namespace,
    )
    transition.before.append(PutRecord(manifest=manifest))
    transition.payloads[ref.record_name("Decisions")] = document


def decisions_of(transition: Transition, path: str) -> JsonObject | str | None:
    """The decisions for the next attempt, as its request has them; why they cannot be used; None
    if there are none."""
    if transition.statuses[path].parked is None:
        return None
    value = transition.payloads.get(decisions_record(transition, path))
    if not isinstance(value, dict) or isinstance(value, Unavailable):
        return f"the decisions on its tool calls are lost: {value}"
    return value


def _ref(transition: Transition, path: str) -> AttemptRef:
    return transition.attempt_ref(path, transition.statuses[path].parked or 1)
