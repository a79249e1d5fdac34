"""The judgement of approval gates: how each one may end, and that it ended in time (I9)."""

from collections.abc import Iterator
from typing import Final

from tests.simulation.reference.interpreter import CANCELLED, End
from tests.simulation.scenario.plan import Node, Scenario
from tests.simulation.watching.evidence import Evidence, GateStory, Violation

_SLACK: Final = 2.0  # seconds; Kubernetes stamps whole ones


def ends(node: Node, seen: Evidence) -> set[End]:
    """How a gate may end, by what its Approvals show."""
    gates = [gate for gate in seen.gates.values() if gate.path == node.name]
    return {end for gate in gates for end in _ends(node, gate)}


def _ends(node: Node, gate: GateStory) -> Iterator[End]:
    if gate.state == "Withdrawn":
        yield CANCELLED
    elif gate.state == "Approved":
        yield End("Succeeded")
    elif gate.state == "Denied":
        lenient = node.denied_continues and not (gate.expired and node.expiry_fails)
        reason = "ApprovalExpired" if gate.expired else "ApprovalDenied"
        yield End("Succeeded") if lenient else End("Failed", reason)


def violations(scenario: Scenario, seen: Evidence) -> Iterator[Violation]:
    """A yes that was not given in time, and an expiry that came too early."""
    for gate in seen.gates.values():
        patience = scenario.by_name[gate.path].patience
        if patience is None:
            if gate.expired:
                yield Violation("I9", f"{gate.path} expired, and has no timeout")
            continue
        due = gate.waiting_since + patience
        if (
            gate.expired
            and gate.settled_at is not None
            and gate.settled_at < gate.decided_at + patience
        ):
            yield Violation("I9", f"{gate.path} expired before its time")
        taken = gate.state in ("Approved", "Denied") and not gate.expired
        if taken and gate.answers and gate.answers[0][0] > due + _SLACK:
            yield Violation("I9", f"{gate.path}: an answer after the expiry was taken")
