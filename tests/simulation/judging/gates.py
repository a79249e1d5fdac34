"""The judgement of approval gates: how each one may end, and that it ended in time (I9)."""

from collections.abc import Iterator
from typing import Final

from tests.simulation.reference.interpreter import CANCELLED, End
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.watching.evidence import Evidence, GateStory, Violation
from tests.simulation.watching.gate_order import was_answered

_SLACK: Final = 2.0  # seconds; Kubernetes stamps whole ones
_RETRIED: Final = 10.0  # seconds until an Approval that could not be created is tried again
_ROUNDED: Final = 0.001  # seconds; `expiresAt` has milliseconds, the clock of a play has more


def ends(scenario: Scenario, node: Node, seen: Evidence) -> set[End]:
    """How a gate may end, by what its Approvals show."""
    gates = [gate for gate in seen.gates.values() if gate.path == node.name]
    known = not _definition_was_lost(scenario, node, seen)
    asked = {gate.name for gate in gates}
    over = [gate for gate in gates if gate.escalated_to not in asked]  # no other level follows
    found = {end for gate in over for end in _ends(node, gate, known=known)}
    if _was_never_asked(scenario, node, seen):
        found.add(_denied(node, expired=True, known=known))
    return found


def _was_never_asked(scenario: Scenario, node: Node, seen: Evidence) -> bool:
    """Whether creates of its last question may have failed until it expired (S69)."""
    waiting = seen.waiting.get(node.name)
    levels = range(len(node.levels) + 1)
    patience = [node.patience_at(level) for level in levels]
    asked = any(gate.path == node.name and gate.level == levels[-1] for gate in seen.gates.values())
    if waiting is None or asked:
        return False
    expires = waiting.since + sum(float("inf") if each is None else each for each in patience)
    refused = scenario.may_refuse_creates(expires, retried=_RETRIED)
    return seen.ended.get(node.name, 0.0) >= expires - _SLACK and refused


def _definition_was_lost(scenario: Scenario, node: Node, seen: Evidence) -> bool:
    """Whether the status that recorded its end did not know its `onDenied` (S107)."""
    ended = seen.ended.get(node.name, 0.0)
    lost = any(since <= ended < until for since, until in seen.halted)
    return scenario.template is not None and lost


def _ends(node: Node, gate: GateStory, *, known: bool) -> Iterator[End]:
    if gate.state == "Withdrawn":
        yield CANCELLED
    elif gate.state == "Approved":
        yield End("Succeeded")
    elif gate.state == "Denied":
        yield _denied(node, expired=gate.expired, known=known)


def _denied(node: Node, *, expired: bool, known: bool) -> End:
    """How a gate ends without a yes. `known`: its `onDenied` can be read."""
    lenient = known and node.denied_continues and not (expired and node.expiry_fails)
    reason = "ApprovalExpired" if expired else "ApprovalDenied"
    return End("Succeeded") if lenient else End("Failed", reason)


def violations(scenario: Scenario, seen: Evidence) -> Iterator[Violation]:
    """A yes that was not given in time, and an expiry that came too early or despite a yes."""
    for gate in seen.gates.values():
        node = scenario.by_name[gate.path]
        if node.levels:
            yield from _levels(node, gate)
        patience = node.patience_at(gate.level)
        if patience is None:
            if gate.expired:
                yield Violation("I9", f"{gate.path} expired, and has no timeout")
            continue
        begun = gate.due - patience
        since, until = gate.decided_at, gate.waiting_since
        if gate.level:
            since, until = _escalated_at(gate, seen), gate.asked_at
        if not since <= begun + _ROUNDED or not begun <= until + _ROUNDED:
            yield Violation("I9", f"{gate.path} expires at another time than it should")
        if gate.expired and was_answered(scenario, gate):
            yield Violation("I9", f"{gate.path} expired, and an answer came in time")
        if (
            gate.expired
            and gate.settled_at is not None
            and gate.settled_at + _ROUNDED < since + patience
        ):
            yield Violation("I9", f"{gate.path} expired before its time")
        taken = gate.state in ("Approved", "Denied") and not gate.expired
        if taken and gate.answers and gate.answers[0][0] > gate.due + _SLACK:
            yield Violation("I9", f"{gate.path}: an answer after the expiry was taken")


def _levels(node: Node, gate: GateStory) -> Iterator[Violation]:
    """An expiry that should have been escalated, or an escalation that should not (S758)."""
    last = gate.level == len(node.levels)
    if gate.expired and not last:
        yield Violation(
            "I9", f"{gate.path} expired at level {gate.level}, and others were not asked"
        )
    if not gate.escalated_to:
        return
    if last:
        yield Violation("I9", f"{gate.path} was escalated from its last level")
    if gate.settled_at is not None and gate.settled_at + _ROUNDED < gate.due:
        yield Violation("I9", f"{gate.path} was escalated before its time")


def _escalated_at(gate: GateStory, seen: Evidence) -> float:
    """When the level before was withdrawn, or expired if that was stored later than the next level
    was asked (S762); infinity if neither."""
    before = (one for one in seen.gates.values() if one.escalated_to == gate.name)
    times = [
        one.settled_at if one.settled_at <= gate.asked_at else one.due
        for one in before
        if one.settled_at is not None
    ]
    return min(times, default=float("inf"))
